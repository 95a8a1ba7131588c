"""Verbs that doubt a search: confirm, replay."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from spiketune.api import Study
from spiketune.cli.arguments import Json, StudyPath
from spiketune.cli.output import out, print_json, say
from spiketune.messages import Failure, Message, Result
from spiketune.study.over_seeds.confirmation import Confirmation, Confirmed
from spiketune.study.replaying import replay as replay_journal


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.command("confirm", rich_help_panel="Search")(confirm)
    app.command("replay", rich_help_panel="Find out")(replay)


def confirm(
    path: StudyPath,
    top: Annotated[int, typer.Option(min=1, help="How many of the best, or of the front.")] = 10,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each, with fresh seeds.")] = 5,
    json: Json = False,
) -> None:
    """Train the best again over fresh seeds, and say which of them to believe.

    On the validation data; the test split stays closed. What an interrupted call finished is
    not repeated.

    Example: [bold]spiketune confirm runs/quickstart --top 10 --seeds 5[/bold]
    """
    study = Study(path)
    names = list(study.directions)

    def listen(label: str, seed: int, message: Message) -> None:
        if isinstance(message, Result):
            values = ", ".join(f"{name} {message.metrics[name]:.4g}" for name in names)
            say(f"{label} seed {seed}: {values}")
        elif isinstance(message, Failure):
            say(f"{label} seed {seed}: {message.kind}: {message.message}")

    found = study.confirm(top=top, seeds=seeds, listen=listen)
    chosen = found.recommended
    if json:
        print_json(
            {
                "study": str(study.path),
                "recommended": chosen.number if chosen else None,
                "front": [one.number for one in found.front],
                "candidates": [
                    {"number": one.number, **confirmed_as_json(found, one)}
                    for one in found.candidates
                ],
            }
        )
    else:
        out().print(_table(found, study))
        say(study.summary().confirmed)
        if chosen is not None:
            say(f"next: spiketune retrain {study.path} --trial {chosen.number} --seeds 5")
    raise typer.Exit(0 if chosen else 1)


def replay(path: StudyPath, json: Json = False) -> None:
    """Show that the search can be repeated: a fresh sampler asks for the same trials.

    It is told the journal in the same order, and asked for every trial anew; nothing is trained
    and nothing is written. The first trial that differs is named, with exit status 1.

    Example: [bold]spiketune replay runs/quickstart[/bold]
    """
    study = Study(path)
    found = replay_journal(study.folder, study.configuration)
    first = next(iter(found.differences), None)
    name = ", then ".join(found.samplers)
    if json:
        print_json(
            {
                "study": str(study.path),
                "sampler": name,
                "asked": found.n_asked,
                "enqueued": found.n_others,
                "different": [one.number for one in found.differences],
                "first": asdict(first) if first else None,
            }
        )
    elif first is None:
        text = f"; {found.n_others} more were enqueued by hand or imported"
        others = text if found.n_others else ""
        say(f"all {found.n_asked} trials are those that a fresh {name} asks for{others}")
    else:
        say(
            f"{len(found.differences)} of {found.n_asked} trials differ, the first is trial "
            f"{first.number}:"
        )
        for parameter in {**first.journal, **first.replayed}:
            was, now = (side.get(parameter, "absent") for side in (first.journal, first.replayed))
            say(f"  {parameter}: {was!r} in the journal, {now!r} replayed")
        say("another sampler, option, seed or version than it was made with? see study.yaml")
    raise typer.Exit(0 if first is None else 1)


def confirmed_as_json(confirmation: Confirmation, one: Confirmed) -> dict[str, Any]:
    """What a trial reached over fresh seeds, for scripts."""
    chosen = confirmation.recommended
    return {
        "seeds": one.n_seeds,
        "recommended": chosen is not None and chosen.number == one.number,
        "objectives": {
            name: {
                "mean": one.mean(name),
                "interval": list(one.interval(name)),
                "values": list(one.objectives[name]),
            }
            for name in one.objectives
        },
        "constraints": {name: list(values) for name, values in one.constraints.items()},
        "failures": list(one.failures),
    }


def _table(found: Confirmation, study: Study) -> Table:
    table = Table("trial", box=None)
    for name in found.directions:
        for heading in (name, "95 % interval", "in search"):
            table.add_column(heading, justify="right")
    table.add_column("seeds", justify="right")
    table.add_column("")
    searched = {row.number: row for row in study.rows()}
    chosen, front = found.recommended, found.front
    ranking = found.ranking
    for one in [*ranking, *(c for c in found.candidates if c not in ranking)]:
        cells = []
        for name in found.directions:
            cells += [*_figures(one, name), f"{searched[one.number].objectives[name]:.4g}"]
        mark = "recommended" if one is chosen else "on the front" if one in front else ""
        if one not in ranking:
            mark = one.failures[0] if not one.n_seeds else "breaks a constraint"
        elif not mark and one.failures:
            mark = one.failures[0]
        several = len(found.directions) > 1 or mark != "on the front"
        table.add_row(str(one.number), *cells, one.seeds_in_words, mark if several else "")
    return table


def _figures(one: Confirmed, name: str) -> tuple[str, str]:
    if not one.n_seeds:
        return "", ""
    low, high = one.interval(name)
    between = f"{low:.4g} to {high:.4g}" if math.isfinite(low) else ""
    return f"{one.mean(name):.4g}", between
