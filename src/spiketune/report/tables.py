"""Tables of trials for the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from spiketune.report.summary import StudySummary
from spiketune.report.wording import number, text
from spiketune.study.records.results import TrialRow

_NARROWEST: Final = 11  # characters of a heading's line


def headings(summary: StudySummary) -> list[str]:
    """Columns of a table of trials: objectives, constraints, parameters in short."""
    short = summary.short_names
    return [
        "trial",
        *summary.objectives,
        *summary.constraint_names,
        *(short[name] for name in summary.parameters),
    ]


def cells(summary: StudySummary, row: TrialRow) -> list[str]:
    """A trial under `headings`; what it lacks is left blank."""
    params = (text(row.params[n]) if n in row.params else "" for n in summary.parameters)
    return [
        str(row.number),
        *(number(row.objectives.get(name)) for name in summary.objectives),
        *(number(row.constraints.get(name)) for name in summary.constraint_names),
        *params,
    ]


def trial_table(summary: StudySummary, rows: Sequence[TrialRow], title: str) -> Table:
    """The given trials, in their order; with several objectives the knee is marked."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    best = summary.knee if len(summary.directions) > 1 else None
    lines = [cells(summary, row) for row in rows]
    for line, row in zip(lines, rows, strict=True):
        if best is not None and row.number == best.number:
            line[0] = f"knee {line[0]}"
    columns = zip(headings(summary), _numeric_columns(summary), strict=True)
    for i, (heading, right) in enumerate(columns):
        width = max((len(line[i]) for line in lines), default=0)
        justify: Literal["right", "left"] = "right" if right else "left"
        table.add_column(Text(_broken(heading, width)), justify=justify, no_wrap=True)
    for line in lines:
        table.add_row(*map(Text, line))
    if not rows:
        table.caption = "No feasible trial at full fidelity yet."
    return table


def _broken(name: str, width: int) -> str:
    """A name on several lines, broken after underscores and dots, about as wide as its column."""
    lines = [""]
    for part in re.findall(r"[^_.]*[_.]?", name):
        if lines[-1] and len(lines[-1]) + len(part) > max(width, _NARROWEST):
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _numeric_columns(summary: StudySummary) -> list[bool]:
    measured = 1 + len(summary.objectives) + len(summary.constraint_names)
    return [True] * measured + [
        all(
            isinstance(row.params[name], int | float) and not isinstance(row.params[name], bool)
            for row in summary.rows
            if name in row.params
        )
        for name in summary.parameters
    ]
