"""Tables of trials as CSV, read back: those of `spiketune export`, and any of that kind."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from spiketune.errors import ConfigError, SpiketuneError
from spiketune.space import Choice, Float, Int, Parameter, Space
from spiketune.study.records.results import OWN_COLUMNS, TrialRow

_EXPORTED: Final = frozenset({"number", "state", "feasible"})  # the head of a table of ours
_CONSTRAINT: Final = "constraint:"
_METRIC: Final = "metric:"


def rows_of_table(path: Path, space: Space) -> list[TrialRow]:
    """Lines of a table: a column for each parameter, objective and metric.

    Other columns are passed over.

    Raises:
        ConfigError: If it is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lines, names = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError("study.warm_start", f"{path}: cannot be read as CSV: {error}") from error
    if not lines:
        raise ConfigError("study.warm_start", f"{path}: holds no line below its head")
    if (twice := next((n for n in names if names.count(n) > 1), None)) is not None:
        raise ConfigError("study.warm_start", f"{path}: has two columns named '{twice}'")
    return [_of_line(i, line, space) for i, line in enumerate(lines)]


def _of_line(number: int, line: Mapping[str, str | None], space: Space) -> TrialRow:
    cells = {name: text for name, text in line.items() if name and text}
    own = OWN_COLUMNS if line.keys() >= _EXPORTED else frozenset()
    columns = {name: _column_of(name, line, own) for name in space.order}
    params: dict[str, Any] = {}
    for name, column in columns.items():  # a null and what took no part look alike in a table
        if column in cells:
            params[name] = _parsed(space[name], cells[column])
        elif column in line and _is_null(name, space, params):
            params[name] = None
    numbers = {
        name: value
        for name, text in cells.items()
        if name not in columns.values() and math.isfinite(value := _number(text))
    }
    constraints = {
        name.removeprefix(_CONSTRAINT): value
        for name, value in numbers.items()
        if name.startswith(_CONSTRAINT)
    }
    plain = {n: v for n, v in numbers.items() if ":" not in n and n not in own}
    marked = {n.removeprefix(_METRIC): v for n, v in numbers.items() if n.startswith(_METRIC)}
    ended = cells.get("state", "finished")
    return TrialRow(
        number=number,
        state="finished" if ended in ("finished", "COMPLETE") else "failed",
        params=params,
        constraints=constraints,
        metrics={**plain, **marked},
        fidelity=numbers.get("fidelity"),
        cost_s=numbers.get("cost_s", 0.0),
    )


def _column_of(name: str, line: Mapping[str, str | None], own: Collection[str]) -> str:
    """The column of a parameter; one about the trial itself is none."""
    marked = f"param:{name}"
    return marked if marked in line or name in own else name


def _is_null(name: str, space: Space, before: Mapping[str, Any]) -> bool:
    """Whether an empty cell is the option null, given the parameters before it."""
    parameter = space[name]
    try:
        return (
            isinstance(parameter, Choice)
            and None in parameter.options
            and space.is_active(name, before)
        )
    except SpiketuneError:
        return False  # a cell before it is none of its values either


def _parsed(parameter: Parameter, text: str) -> Any:
    """A cell as a value; what is none stays text, and lies outside the space."""
    value = _number(text)
    if isinstance(parameter, Choice):
        as_text = {str(option): option for option in parameter.options}
        # A column with empty cells holds whole numbers as 8.0.
        numbers = (option for option in parameter.options if type(option) in (int, float))
        return as_text.get(text, next((number for number in numbers if number == value), text))
    if isinstance(parameter, Float):
        return value
    if isinstance(parameter, Int) and value.is_integer():
        return int(value)
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
