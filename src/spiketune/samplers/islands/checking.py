"""Options checked with messages that name the option, the rule and near matches."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from spiketune.errors import ConfigError, UnknownNameError

PATH = "study.sampler"
Made = TypeVar("Made")


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number of at least `least`.

    Raises:
        ValueError: Naming the option.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


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


def make(cls: type[Made], given: Mapping[str, Any], path: str) -> Made:
    """A dataclass of options from what the user wrote.

    Raises:
        ConfigError: Naming the option that does not exist or has a value that makes no sense.
    """
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise ConfigError(f"{path}.{name}", str(UnknownNameError("option", name, known)))
    try:
        return cls(**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(path, str(error)) from error
