"""The space shrunk to where the best trials were, as a file for the next search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from spiketune.config.inline import parameter_name, parts_of, range_kind
from spiketune.config.loading import Configuration, configure
from spiketune.errors import ConfigError, InputError
from spiketune.space import Choice, Float, Int, Parameter
from spiketune.study.records.results import TrialRow, eligible, front

_MARGIN: Final = 0.05  # of the old range, on its scale, beyond the outermost of the best
_DIGITS: Final = 4


def best_of(rows: Sequence[TrialRow], directions: Mapping[str, str], top: str) -> list[TrialRow]:
    """The best share (`20%`) or number (`10`) of the trials, front by front.

    Raises:
        InputError: If `top` is neither, or there is no feasible trial at full fidelity.
    """
    left = eligible(rows)
    if not left:
        raise InputError("no feasible trial at full fidelity yet: there is nothing to narrow to")
    n = _count(top, len(left))
    chosen: list[TrialRow] = []
    while left and len(chosen) < n:
        best = front(left, directions)
        chosen += best[: n - len(chosen)]
        numbers = {one.number for one in best}
        left = [one for one in left if one.number not in numbers]
    return chosen


def narrowed(
    configuration: Configuration, best: Sequence[TrialRow], folder: Path
) -> dict[str, Any]:
    """A document of a study over the narrowed space, which starts from the earlier trials in it.

    Options that none of the best has are left out, unless other parts of the file need them.

    Args:
        configuration: Of the study.
        best: The trials that the space is to hold.
        folder: The study's folder.
    """
    study = configuration.study
    if study is None:
        raise ConfigError("study", "the section is missing; a search needs its objectives")
    section = study.model_dump(mode="json", exclude_defaults=True)
    section |= {"name": f"{study.name}-narrowed", "warm_start": str(folder.resolve())}
    for drop in (True, False):
        ranges = {
            name: _narrower(parameter, [r.params[name] for r in best if name in r.params], drop)
            for name, parameter in configuration.space.items()
        }
        document = {"study": section, "trial": _with(configuration.trial, "trial", ranges)}
        try:
            configure(document, configuration.base_folder)
        except ConfigError:
            if not drop:
                raise
        else:
            break
    return document


def _count(top: str, n: int) -> int:
    text = top.strip()
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = math.nan
    if text.endswith("%") and 0 < value <= 100:
        return max(1, math.ceil(n * value / 100))
    if not text.endswith("%") and value >= 1 and value.is_integer():
        return int(value)
    raise InputError(f"--top {top}: must be a share such as 20% or a number such as 10")


def _narrower(parameter: Parameter, values: Sequence[Any], drop: bool) -> dict[str, Any]:
    """What changes in a range; nothing for a parameter that took part in none of the best."""
    if not values:
        return {}
    if isinstance(parameter, Choice):
        kept = [option for option in parameter.options if any(option == v for v in values)]
        return {"options": kept} if drop else {}
    places = [parameter.to_unit(value) for value in values]
    low = parameter.from_unit(max(0.0, min(places) - _MARGIN))
    high = parameter.from_unit(min(1.0, max(places) + _MARGIN))
    if isinstance(parameter, Int):
        return {"ends": [min(low, *values), max(high, *values)]}
    return {"ends": _rounded(parameter, min(low, *values), max(high, *values))}


def _rounded(parameter: Float, low: float, high: float) -> list[float]:
    """Ends with few digits, outwards of nothing that must stay inside."""
    if parameter.step is not None:
        return [low, high]
    ends = []
    for value, towards in ((low, math.floor), (high, math.ceil)):
        size = math.floor(math.log10(max(abs(low), abs(high), 1e-300))) + 1 - _DIGITS
        if parameter.scale == "log" and value > 0:
            size = math.floor(math.log10(value)) + 1 - _DIGITS
        rounded = float(f"{towards(value / 10.0**size) * 10.0**size:.{_DIGITS + 2}g}")
        ends.append(min(parameter.high, max(parameter.low, rounded)))
    return ends if ends[0] < ends[1] else [low, high]


def _with(node: Any, path: str, ranges: Mapping[str, Mapping[str, Any]]) -> Any:
    """The section with narrower ranges in place of the old ones."""
    kind = range_kind(node, path)
    if kind == "value":
        return node
    if kind is not None:
        change = ranges[parameter_name(node, path)]
        if kind in ("float", "int"):
            return {**node, kind: change.get("ends", node[kind])}
        if kind != "choose":
            return {**node, kind: change.get("options", node[kind])}
        kept = change.get("options", list(node["choose"]))
        sections = {
            option: _with(section, f"{path}.{option}", ranges)
            for option, section in node["choose"].items()
            if option in kept
        }
        return {**node, "choose": sections}
    if isinstance(node, Mapping | list | tuple):
        parts = [(key, _with(child, place, ranges)) for key, child, place in parts_of(node, path)]
        return dict(parts) if isinstance(node, Mapping) else [part for _, part in parts]
    return node
