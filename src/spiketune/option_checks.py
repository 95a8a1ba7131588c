"""Options of rules and samplers checked, with messages that name the option and what it wants."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection

from spiketune.errors import UnknownNameError


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number of at least `least`.

    Raises:
        ValueError: Naming the option.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_least(name: str, value: object, least: float) -> None:
    """Refuse what is no finite number of at least `least`.

    Raises:
        ValueError: Naming the option.
    """
    if not least <= _finite(value):
        raise ValueError(f"{name} must be a number of at least {least:g}, got {value!r}")


def check_above(name: str, value: object, bound: float) -> None:
    """Refuse what is no finite number above `bound`.

    Raises:
        ValueError: Naming the option.
    """
    if not bound < _finite(value):
        raise ValueError(f"{name} must be a number > {bound:g}, got {value!r}")


def check_between(name: str, value: object, low: float, high: float) -> None:
    """Refuse what is no number between `low` and `high`, without these.

    Raises:
        ValueError: Naming the option.
    """
    if not low < _finite(value) < high:
        raise ValueError(f"{name} must be a number in ({low:g}, {high:g}), got {value!r}")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Refuse what is no number from `low` to `high`.

    Raises:
        ValueError: Naming the option.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")


def check_share(name: str, value: object) -> None:
    """Refuse what is no number from 0 to 1.

    Raises:
        ValueError: Naming the option.
    """
    check_number(name, value, 0.0, 1.0)


def check_choice(name: str, value: object, known: Collection[str]) -> None:
    """Refuse what is none of the known words.

    Raises:
        ValueError: With the near match.
    """
    if value not in known:
        raise ValueError(str(UnknownNameError(name, value, known)))


def _finite(value: object) -> float:
    """The number, NaN (which is beyond any bound) if it is none or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return value if abs(value) <= sys.float_info.max else math.nan
