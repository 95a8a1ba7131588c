"""Tables of trials as CSV, read back: those of `spiketune export`, and any of that kind."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spiketune.errors import ConfigError, SpiketuneError
from spiketune.space import Choice, Float, Int, Parameter, Space
from spiketune.study.results import TrialRow


def rows_of_table(path: Path, space: Space) -> list[TrialRow]:
    """Lines of a table: a column for each parameter, objective and metric.

    Other columns are passed over.

    Raises:
        ConfigError: If it is none.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError("study.warm_start", f"{path}: cannot be read as CSV: {error}") from error
    if not lines:
        raise ConfigError("study.warm_start", f"{path}: holds no line below its head")
    return [_of_line(i, line, space) for i, line in enumerate(lines)]


def _of_line(number: int, line: Mapping[str, str | None], space: Space) -> TrialRow:
    cells = {name: text for name, text in line.items() if name and text}
    params: dict[str, Any] = {}
    for name in space.order:  # a null and a parameter that took no part look alike in a table
        if name in cells:
            params[name] = _parsed(space[name], cells[name])
        elif name in line and _is_null(name, space, params):
            params[name] = None
    numbers: dict[str, float] = {}
    for name, text in cells.items():
        key = name.removeprefix("metric:")
        if name not in space and math.isfinite(value := _number(text)):
            numbers[key] = value
    constraints = {
        name.removeprefix("constraint:"): value
        for name, value in numbers.items()
        if name.startswith("constraint:")
    }
    about = {"number", "fidelity", "cost_s", "attempts"}
    metrics = {n: v for n, v in numbers.items() if n not in about and ":" not in n}
    ended = cells.get("state", "finished")
    return TrialRow(
        number=number,
        state="finished" if ended in ("finished", "COMPLETE") else "failed",
        params=params,
        constraints=constraints,
        metrics=metrics,
        fidelity=numbers.get("fidelity"),
        cost_s=numbers.get("cost_s", 0.0),
    )


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
