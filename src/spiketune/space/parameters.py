"""What one searched leaf may be: a float, an int or a choice, each with its scale."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, TypeGuard

from spiketune.errors import ConfigError

Scale: TypeAlias = Literal["linear", "log", "reverse-log"]
SCALES: Final[tuple[Scale, ...]] = ("linear", "log", "reverse-log")
_LARGEST_INT: Final = 2**53  # samplers work on floats, which are exact up to here


@dataclass(frozen=True, slots=True)
class Float:
    """A real number in [low, high].

    `log` spreads the search evenly over orders of magnitude from `low` up; `reverse-log` does
    so from `high` down (mass near `high`: decays, momenta). `step` goes with `linear` only.

    Raises:
        ConfigError: If the range is upside down, or breaks a rule of its scale.
    """

    low: float
    high: float
    scale: Scale = "linear"
    step: float | None = None
    when: str | None = None

    def __post_init__(self) -> None:
        for value in (self.low, self.high):
            if not _is_number(value):
                raise ConfigError("", f"a float range takes two numbers, got {value!r}")
        if self.step is not None and not (_is_number(self.step) and _is_finite(self.step)):
            raise ConfigError("", f"step must be a finite number, got {self.step!r}")
        if not (_is_finite(self.low) and _is_finite(self.high)):
            raise ConfigError("", f"low and high must be finite, got [{self.low}, {self.high}]")
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if not math.isfinite(self.high - self.low):
            raise ConfigError("", f"[{self.low}, {self.high}] is too wide for a float")
        _check_range(self.low, self.high, self.scale, self.step)

    def __contains__(self, value: object) -> bool:
        return _is_number(value) and self.low <= value <= self.high

    @property
    def n_values(self) -> int | None:
        """How many values there are; None for a continuum."""
        if self.low == self.high:
            return 1
        return (
            None if self.step is None else math.floor((self.high - self.low) / self.step + 1e-8) + 1
        )

    def value_at(self, index: int) -> float:
        """The value number `index` of a stepped range."""
        exact = Decimal(str(self.low)) + index * Decimal(str(self.step or 0.0))  # as Optuna counts
        return min(self.high, float(exact))

    def to_unit(self, value: float) -> float:
        """Place of `value` in [0, 1] on this scale."""
        if (n := self.n_values) is not None:
            index = round((value - self.low) / self.step) if self.step else 0
            return (min(index, n - 1) + 0.5) / n
        return _to_unit(value, self.low, self.high, self.scale)

    def from_unit(self, unit: float) -> float:
        """The value at `unit`; 0 and 1 give exactly the ends."""
        if (n := self.n_values) is not None:
            return self.value_at(_cell(unit, n))
        return _from_unit(unit, self.low, self.high, self.scale)


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number in [low, high], both ends reachable and as likely as the others.

    Raises:
        ConfigError: If the range is upside down, or breaks a rule of its scale.
    """

    low: int
    high: int
    scale: Scale = "linear"
    step: int = 1
    when: str | None = None

    def __post_init__(self) -> None:
        for value in (self.low, self.high, self.step):
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigError("", f"an int range takes whole numbers, got {value!r}")
            if abs(value) > _LARGEST_INT:
                raise ConfigError("", "an int range lies within -2**53 .. 2**53; take a float")
        _check_range(self.low, self.high, self.scale, None if self.step == 1 else self.step)

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and (value - self.low) % self.step == 0
        )

    @property
    def n_values(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def value_at(self, index: int) -> int:
        """The value number `index`."""
        return self.low + index * self.step

    def to_unit(self, value: int) -> float:
        """Middle of the value's cell in [0, 1]: every value owns a cell of its own."""
        if self.scale == "linear":
            return ((value - self.low) // self.step + 0.5) / self.n_values
        return _to_unit(value, self.low - 0.5, self.high + 0.5, self.scale)

    def from_unit(self, unit: float) -> int:
        """The value whose cell holds `unit`."""
        if self.scale == "linear":
            return self.value_at(_cell(unit, self.n_values))
        real = _from_unit(unit, self.low - 0.5, self.high + 0.5, self.scale)
        return min(self.high, max(self.low, round(real)))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several options, of any JSON-able kind.

    Raises:
        ConfigError: If there is no option, or one is given twice.
    """

    options: tuple[Any, ...]
    when: str | None = None

    def __init__(self, options: Sequence[Any], when: str | None = None) -> None:
        if isinstance(options, str) or not isinstance(options, Sequence):
            raise ConfigError("", f"a choice takes a list of options, got {options!r}")
        if not options:
            raise ConfigError("", "a choice needs at least one option, got an empty list")
        try:
            json.dumps(list(options), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError("", f"an option is not JSON-able: {error}") from error
        object.__setattr__(self, "options", tuple(options))
        object.__setattr__(self, "when", when)
        if len(set(self.labels)) < len(self.options):
            raise ConfigError("", f"an option is given twice in {list(options)!r}")

    @property
    def labels(self) -> tuple[Any, ...]:
        """The options as stored: scalars as they are, others as JSON text."""
        if all(
            option is None or isinstance(option, bool | int | float | str)
            for option in self.options
        ):
            kinds = [(type(option).__name__, option) for option in self.options]
            if len(set(self.options)) == len(set(kinds)):
                return self.options
        return self._texts

    @property
    def _texts(self) -> tuple[str, ...]:
        return tuple(_as_text(option) for option in self.options)

    def __contains__(self, value: object) -> bool:
        return _as_text(value) in self._texts

    @property
    def n_values(self) -> int:
        """How many options there are."""
        return len(self.options)

    def value_at(self, index: int) -> Any:
        """Option number `index`."""
        return self.options[index]

    def index_of(self, value: object) -> int:
        """Number of the option equal to `value`.

        Raises:
            ValueError: If there is none.
        """
        text, texts = _as_text(value), self._texts
        return texts.index(text) if text in texts else self.options.index(value)

    def to_unit(self, value: Any) -> float:
        """Middle of the option's cell in [0, 1]."""
        return (self.index_of(value) + 0.5) / len(self.options)

    def from_unit(self, unit: float) -> Any:
        """The option whose cell holds `unit`."""
        return self.options[_cell(unit, len(self.options))]


Parameter: TypeAlias = Float | Int | Choice


def _as_text(option: object) -> str:
    """JSON keeps apart what Python calls equal: `[true]`, `[1]`, `[1.0]`."""
    return json.dumps(option, sort_keys=True, default=repr)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def _check_range(low: float, high: float, scale: str, step: float | None) -> None:
    if low > high:
        raise ConfigError("", f"low must be <= high, got [{low}, {high}]; swap them")
    if scale not in SCALES:
        raise ConfigError("", f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if scale != "linear" and low <= 0:
        raise ConfigError("", f"low must be > 0 on a {scale} scale, got {low}")
    if step is not None and scale != "linear":
        raise ConfigError("", f"step goes with a linear scale only, got scale {scale}")
    if step is not None and not step > 0:
        raise ConfigError("", f"step must be > 0, got {step}")


def _cell(unit: float, n: int) -> int:
    return min(n - 1, max(0, math.floor(unit * n)))


def _to_unit(value: float, low: float, high: float, scale: Scale) -> float:
    if low == high:
        return 0.5
    if scale == "linear":
        unit = (value - low) / (high - low)
    elif scale == "log":
        unit = math.log(value / low) / math.log(high / low)
    else:
        unit = 1.0 - _to_unit(max(low, low + high - value), low, high, "log")
    return min(1.0, max(0.0, unit))  # rounding leaves the interval by an ulp


def _from_unit(unit: float, low: float, high: float, scale: Scale) -> float:
    if unit <= 0.0:
        return low
    if unit >= 1.0:
        return high
    if scale == "linear":
        value = low + unit * (high - low)
    elif scale == "log":
        value = low * math.exp(unit * math.log(high / low))
    else:
        value = low + high - _from_unit(1.0 - unit, low, high, "log")
    return min(high, max(low, value))
