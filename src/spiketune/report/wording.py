"""Numbers, durations and names as a person reads them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

_VAGUE = ("name", "kind", "value")  # say little without the part before them
_SMALL, _LARGE = 1e-3, 1e4  # beyond these a number is written with an exponent


def number(value: Any) -> str:
    """A number in four decimals, or with an exponent where those would hide it."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text(value)
    if isinstance(value, int) and abs(value) <= _LARGE:
        return str(value)
    if not math.isfinite(value):
        return str(value)
    if value != 0 and (abs(value) < _SMALL or abs(value) > _LARGE):
        return f"{value:.3e}"
    return f"{value:.4f}"


def text(value: Any) -> str:
    """A parameter value of any kind; options that are no scalars as JSON."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return number(value)
    return json.dumps(value, sort_keys=True, default=str)


def share(value: float | None) -> str:
    """A share of 0..1 in four decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.4f}"


def duration(seconds: float) -> str:
    """Seconds in the two largest units: `2 h 05 min`, `3 min 20 s`, `0.8 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, below, size in (("d", "h", 86400), ("h", "min", 3600), ("min", "s", 60)):
        if whole >= size:
            smaller = {"h": 3600, "min": 60, "s": 1}[below]
            return f"{whole // size} {unit} {whole % size // smaller:02d} {below}"
    return f"{whole} s"


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each dotted name by as many of its last parts as keep it apart from the others."""
    full = list(dict.fromkeys(names))
    short = {name: _last(name) for name in full}
    length = 1
    while clashes := _clashing(short):
        length += 1
        for name in clashes:
            short[name] = ".".join(name.split(".")[-length:])
        if length > max(name.count(".") + 1 for name in full):
            return short | {name: name for name in clashes}
    return short


def _last(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[-2:] if parts[-1] in _VAGUE else parts[-1:])


def _clashing(short: Mapping[str, str]) -> list[str]:
    counts: dict[str, int] = {}
    for ending in short.values():
        counts[ending] = counts.get(ending, 0) + 1
    return [name for name, ending in short.items() if counts[ending] > 1]
