"""The trials of a study as columns that the page's script reads."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spiketune.report.plots.looks import objective_axis
from spiketune.report.summary import StudySummary, spent_s, standing
from spiketune.report.wording import text
from spiketune.space import Choice
from spiketune.study.records.results import TrialRow

_ALWAYS = ("trial", "state")  # the page builds on them
_DIGITS = 6  # of a stored number: more than any plot or table shows
_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def columns(summary: StudySummary) -> list[dict[str, Any]]:
    """Everything known of the trials, a column each.

    Returns:
        Mappings with `name`, `label` (short), `kind` (trial, objective, constraint, parameter,
        metric), `log`, `numeric`, `table` (shown in the table of trials), `values`.
    """
    rows, short = summary.rows, summary.short_names
    attribute = _adder(rows, "trial")
    found = [
        attribute("trial", lambda row: row.number, table=True),
        attribute("state", standing, table=True),
        *(
            _column(
                name,
                "objective",
                [row.objectives.get(name) for row in rows],
                log=objective_axis(summary, name)["type"] == "log",
                table=True,
            )
            for name in summary.objectives
        ),
        *(
            _column(
                f"constraint:{name}",
                "constraint",
                [row.constraints.get(name) for row in rows],
                label=name,
                table=True,
            )
            for name in summary.constraint_names
        ),
        *(
            _column(
                name,
                "parameter",
                [row.params.get(name, _ABSENT) for row in rows],
                label=short[name],
                log=_is_log(summary, name),
                table=True,
            )
            for name in summary.parameters
        ),
        *(
            _column(name, "metric", [row.metrics.get(name) for row in rows])
            for name in summary.metric_names
        ),
        attribute("fidelity", lambda row: row.fidelity, table=True),
        attribute("work_s", spent_s, table=True),
        attribute("attempts", lambda row: max(1, len(row.attempts)), table=False),
        attribute("failure", _failure, table=any(row.failure for row in rows)),
    ]
    optional = [c for c in found if c["kind"] == "trial" and c["name"] not in _ALWAYS]
    return [c for c in found if c not in optional or not _blank(c["values"])]


def embedded(document: Any) -> str:
    """JSON that is harmless inside a `<script>` element, whatever texts it holds."""
    written = json.dumps(document, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return "".join(_ESCAPES.get(letter, letter) for letter in written)


def rounded(value: float | str) -> float:
    """A number in as many digits as a page can show."""
    return float(f"{float(value):.{_DIGITS}g}")


class _Absent:
    """The value of a parameter that a trial does not have; None may be an option."""


_ABSENT = _Absent()


def _column(
    name: str,
    kind: str,
    values: Sequence[Any],
    *,
    label: str = "",
    log: bool = False,
    table: bool = False,
) -> dict[str, Any]:
    there = [v for v in values if v is not None and v is not _ABSENT]
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in there)
    facts = {"name": name, "label": label or name, "kind": kind, "log": log, "table": table}
    return {**facts, "numeric": numeric, "values": [_plain(value, numeric) for value in values]}


def _adder(rows: Sequence[TrialRow], kind: str) -> Callable[..., dict[str, Any]]:
    def add(name: str, read: Callable[[TrialRow], Any], *, table: bool) -> dict[str, Any]:
        return _column(name, kind, [read(row) for row in rows], table=table)

    return add


def _plain(value: Any, numeric: bool) -> Any:
    if value is _ABSENT or (value is None and numeric):
        return None
    if not numeric:
        return text(value)
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else None
    return value


def _is_log(summary: StudySummary, name: str) -> bool:
    parameter = summary.space.get(name)
    return parameter is not None and not isinstance(parameter, Choice) and parameter.scale == "log"


def _failure(row: TrialRow) -> str:
    failure: Mapping[str, str] | None = row.failure
    return f"{failure.get('kind', '')}: {failure.get('message', '')}"[:200] if failure else ""


def _blank(values: Sequence[Any]) -> bool:
    return all(value is None or value == "" for value in values)
