"""Tables for the terminal, and the same as records for scripts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from spiketune.report.summary import StudySummary
from spiketune.report.wording import duration, number, share, text
from spiketune.study.results import TrialRow

_NARROWEST: Final = 11  # characters of a heading's line


def front_table(summary: StudySummary) -> Table:
    """The front, best in the first objective first; the knee is marked."""
    title = "Front" if len(summary.directions) > 1 else "Best"
    return trial_table(summary, summary.front, title)


def best_table(summary: StudySummary, top: int = 10) -> Table:
    """The best trials by the first objective."""
    return trial_table(summary, summary.ranked[:top], f"Best by {summary.objectives[0]}")


def status_table(summary: StudySummary) -> Table:
    """How the study stands: one line per fact."""
    table = Table(title=Text(summary.name), title_justify="left", show_header=False)
    table.add_column("fact")
    table.add_column("value", justify="right")
    for fact, value in status_lines(summary):
        table.add_row(Text(fact), Text(value))
    return table


def front_records(summary: StudySummary) -> list[dict[str, Any]]:
    """The front as plain mappings, with full parameter names."""
    return [_record(summary, row) for row in summary.front]


def best_records(summary: StudySummary, top: int = 10) -> list[dict[str, Any]]:
    """The best trials by the first objective as plain mappings."""
    return [_record(summary, row) for row in summary.ranked[:top]]


def status_record(summary: StudySummary) -> dict[str, Any]:
    """How the study stands, as a plain mapping."""
    best = summary.knee
    return {
        "name": summary.name,
        "sampler": summary.sampler,
        "budget": summary.budget,
        "trials": len(summary.rows),
        "by_state": summary.n_by_state,
        "front": [row.number for row in summary.front],
        "knee": None if best is None else best.number,
        "cost_s": summary.cost_s,
        "lost_share": summary.lost_share,
        "wall_s": summary.wall_s,
        "utilisation": summary.utilisation,
        "test_openings": len(summary.test_openings),
    }


def status_lines(summary: StudySummary) -> list[tuple[str, str]]:
    """Facts of a study with their values in words."""
    lines = [("trials", str(len(summary.rows)))]
    lines += [(f"  {state}", str(count)) for state, count in summary.n_by_state.items()]
    many = len(summary.directions) > 1
    if (best := summary.knee) is not None:
        if many:
            lines.append(("on the front", str(len(summary.front))))
        values = ", ".join(f"{name} {number(best.objectives[name])}" for name in summary.objectives)
        lines.append(("knee" if many else "best", f"trial {best.number}: {values}"))
    lines += [
        ("sampler", summary.sampler),
        ("budget", summary.budget),
        ("up for", duration(summary.wall_s)),
        ("work", duration(summary.cost_s)),
        ("share of work in silent and failed trials", share(summary.lost_share)),
        ("share of the workers' time in use", share(summary.utilisation)),
        ("test split opened", f"{len(summary.test_openings)} times"),
    ]
    return lines


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


def _record(summary: StudySummary, row: TrialRow) -> dict[str, Any]:
    best = summary.knee
    return {
        "trial": row.number,
        "knee": best is not None and row.number == best.number,
        "objectives": dict(row.objectives),
        "constraints": dict(row.constraints),
        "params": dict(row.params),
        "fidelity": row.fidelity,
        "cost_s": row.cost_s,
    }


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
