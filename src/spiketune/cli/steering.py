"""Verbs that steer a search: enqueue, narrow."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import yaml

from spiketune.api import Study
from spiketune.cli.arguments import Json, StudyPath, TextOutput
from spiketune.cli.output import print_json, say
from spiketune.config.loading import parse_yaml
from spiketune.errors import InputError
from spiketune.study.running import storage_of
from spiketune.study.steering.enqueueing import checked, enqueue
from spiketune.study.steering.narrowing import best_of, narrowed


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    panel = "Search"
    app.command("enqueue", rich_help_panel=panel)(enqueue_)
    app.command("narrow", rich_help_panel=panel)(narrow)


def enqueue_(
    path: StudyPath,
    values: Annotated[
        list[str],
        typer.Argument(metavar="NAME=VALUE...", help="Parameters; others are left to the sampler."),
    ],
    json: Json = False,
) -> None:
    """Put a configuration in the queue of a study, running or not; it is tried next.

    Example: [bold]spiketune enqueue runs/quickstart neurons=64 beta=0.9[/bold]
    """
    study = Study(path)
    space = study.configuration.space
    found = checked(_parsed(values), space)
    storage = storage_of(study.folder, study.configuration, writable=True)
    try:
        number = enqueue(storage, found, space)
    finally:
        storage.close()
    if json:
        print_json({"trial": number, "values": found})
    left = [name for name in space if name not in found]
    say(f"trial {number} waits" + (f"; left to the sampler: {', '.join(left)}" if left else ""))
    if not study.is_running():
        say(f"start it with: spiketune resume {path} --add-trials 1")


def narrow(
    path: StudyPath,
    top: Annotated[
        str, typer.Option("--top", help="Share (20%) or number (10) of the trials to keep inside.")
    ] = "20%",
    output: TextOutput = None,
) -> None:
    """Write a file for the next search: the space shrunk to where the best trials were.

    Its `warm_start` takes over the earlier trials that lie inside.

    Example: [bold]spiketune narrow runs/quickstart --top 20% > next.yaml[/bold]
    """
    study = Study(path)
    best = best_of(study.rows(), study.directions, top)
    document = narrowed(study.configuration, best, study.path)
    text = f"# {study.path}, narrowed to its best {len(best)} trials\n"
    text += yaml.safe_dump(document, sort_keys=False)
    if output is None:
        typer.echo(text, nl=False)
    else:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{output}: cannot be written: {error.strerror}") from error
        say(f"wrote {output}")
    if study.configuration.kind == "function":
        say(f"keep the file in {study.configuration.base_folder}, where its function lies")


def _parsed(values: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for given in values:
        name, equals, text = given.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{given}: must be name=value")
        if name.strip() in found:
            raise InputError(f"{given}: '{name.strip()}' is given twice")
        found[name.strip()] = parse_yaml(f"value: {text}", given)["value"]
    return found
