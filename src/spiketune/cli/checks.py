"""Verbs that doubt a search: confirm."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer
from rich.table import Table

from spiketune.api import Study
from spiketune.cli.output import Json, StudyPath, out, print_json, say
from spiketune.messages import Failure, Message, Result
from spiketune.study.confirming import Confirmation, Confirmed


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.command("confirm", rich_help_panel="Search")(confirm)


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
        several = len(found.directions) > 1 or mark != "on the front"
        table.add_row(str(one.number), *cells, str(one.n_seeds), mark if several else "")
    return table


def _figures(one: Confirmed, name: str) -> tuple[str, str]:
    if not one.n_seeds:
        return "", ""
    low, high = one.interval(name)
    between = f"{low:.4g} to {high:.4g}" if math.isfinite(low) else ""
    return f"{one.mean(name):.4g}", between
