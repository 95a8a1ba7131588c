"""The unit cube that the models see, with choices, and what is active in it.

n  points
d  axes: parameters with more than one value
D  features: one per number, one per option of a choice
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from spiketune.samplers.arrays import Array, Bools, Ints
from spiketune.space import Space
from spiketune.space.distributions import from_stored, mirrored

_OPTION: Final = math.sqrt(0.5)  # two options lie one unit apart
_MIDDLE: Final = 0.5  # an inactive number: as near as can be to every value


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter as a coordinate: a number's place in [0, 1], or an option's index.

    Attributes:
        name: Of the parameter.
        distribution: Its range.
        n_options: Of a choice; 0 for a number.
    """

    name: str
    distribution: BaseDistribution
    n_options: int = 0

    def coordinate(self, value: Any) -> float:
        """Place of a value."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return float(d.to_internal_repr(value))
        low, high, step, log = _numbers(d)
        if log:
            place = math.log(float(value) / low) / math.log(high / low)
        elif step is None:
            place = (float(value) - low) / (high - low)
        else:
            place = (round((float(value) - d.low) / step) + 0.5) / _cells(d)  # type: ignore[attr-defined]
        return min(1.0, max(0.0, place))

    def values(self, coordinates: Array) -> list[Any]:
        """Values at coordinates."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return [d.choices[int(c)] for c in coordinates]
        low, high, step, log = _numbers(d)
        if log:
            reals = low * np.exp(coordinates * math.log(high / low))
        elif step is None:
            reals = low + coordinates * (high - low)
        else:
            cells = np.clip(np.floor(coordinates * _cells(d)), 0, _cells(d) - 1)
            reals = d.low + cells * step  # type: ignore[attr-defined]
        if isinstance(d, IntDistribution):
            return [int(v) for v in np.clip(np.rint(reals), d.low, d.high)]
        return [float(v) for v in np.clip(reals, d.low, d.high)]  # type: ignore[attr-defined]

    def snap(self, coordinates: Array) -> Array:
        """Coordinates of the values that will be asked, for a range with gaps."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return np.floor(coordinates)
        low, high, step, log = _numbers(d)
        if log and isinstance(d, IntDistribution):
            reals = np.rint(low * np.exp(coordinates * math.log(high / low)))
            reals = np.clip(reals, d.low, d.high)
            return np.asarray(np.log(reals / low) / math.log(high / low))
        if step is None:
            return coordinates
        n = _cells(d)
        return np.asarray((np.clip(np.floor(coordinates * n), 0, n - 1) + 0.5) / n)


@final
class Domain:
    """All axes of a search.

    Args:
        distributions: Range by name, as samplers see them.
        space: The search space, where known: tells which parameters are active, and what a
            configuration must meet.
    """

    def __init__(
        self, distributions: Mapping[str, BaseDistribution], space: Space | None = None
    ) -> None:
        self.axes = tuple(
            Axis(name, d, len(d.choices) if isinstance(d, CategoricalDistribution) else 0)
            for name, d in distributions.items()
            if not d.single()
        )
        self._space = space
        self.is_choice = np.array([axis.n_options > 0 for axis in self.axes], dtype=bool)
        self.group: Ints = np.repeat(
            np.arange(len(self.axes)), [max(1, axis.n_options) for axis in self.axes]
        )
        self._first = np.searchsorted(self.group, np.arange(len(self.axes)))
        self._index = {axis.name: i for i, axis in enumerate(self.axes)}
        self._has_gaps = [
            i
            for i, axis in enumerate(self.axes)
            if axis.n_options or _numbers(axis.distribution)[2] is not None
        ]

    @property
    def d(self) -> int:
        """Number of axes."""
        return len(self.axes)

    def index(self, name: str) -> int | None:
        """Number of the axis of that name."""
        return self._index.get(name)

    def row(self, params: Mapping[str, Any]) -> Array:
        """Coordinates of a trial's parameters, (d,); NaN where one is inactive or unknown."""
        out = np.full(self.d, np.nan)
        for i, axis in enumerate(self.axes):
            if axis.name in params:
                try:
                    out[i] = axis.coordinate(params[axis.name])
                except (TypeError, ValueError):  # of another range, long ago
                    continue
        return out

    def features(self, rows: Array) -> Array:
        """What the kernel sees: (n, d) to (n, D)."""
        out = np.zeros((len(rows), len(self.group)))
        numbers = ~self.is_choice
        plain = rows[:, numbers]
        out[:, self._first[numbers]] = np.where(np.isnan(plain), _MIDDLE, plain)
        for i in np.flatnonzero(self.is_choice):
            known = np.flatnonzero(~np.isnan(rows[:, i]))
            out[known, self._first[i] + rows[known, i].astype(int)] = _OPTION
        return out

    def uniform(self, n: int, rng: np.random.Generator) -> Array:
        """Points spread over the domain, each axis stratified, (n, d)."""
        strata = rng.permuted(np.tile(np.arange(n), (self.d, 1)), axis=1).T
        return self.snap(self.spread((strata + rng.random((n, self.d))) / n))

    def spread(self, unit: Array) -> Array:
        """Options from the unit interval; numbers stay, (n, d)."""
        out = unit.copy()
        for i in np.flatnonzero(self.is_choice):
            n = self.axes[i].n_options
            out[:, i] = np.minimum(np.floor(unit[:, i] * n), n - 1)
        return out

    def snap(self, rows: Array) -> Array:
        """Move to points that can be asked, (n, d)."""
        out = rows.copy()
        for i in self._has_gaps:
            out[:, i] = self.axes[i].snap(rows[:, i])
        return out

    def admitted(self, rows: Array) -> tuple[Array, Bools]:
        """Blank what is inactive, and tell which points meet the requirements.

        Returns:
            The rows with NaN where inactive, (n, d), and which meet what is required, (n,).
        """
        space, out = self._space, rows
        if space is None:
            return out, np.ones(len(rows), dtype=bool)
        values = _Columns(self, rows, space)
        conditional = [axis.name for axis in self.axes if space.is_conditional(axis.name)]
        if conditional:
            out = rows.copy()
            for name in conditional:
                active = values.each(space.deciders(name), partial(_is_active, space, name))
                out[~active, self._index[name]] = np.nan
        names = tuple(dict.fromkeys(n for rule in space.require for n in rule.names))
        if not names:
            return out, np.ones(len(rows), dtype=bool)
        deciders = dict.fromkeys(d for n in names for d in (*space.deciders(n), n))
        return out, values.each(tuple(deciders), partial(_meets, space))

    def params(self, row: Array) -> dict[str, Any]:
        """Values of a point's active parameters, as samplers see them."""
        return {
            axis.name: axis.values(row[i : i + 1])[0]
            for i, axis in enumerate(self.axes)
            if not math.isnan(row[i])
        }


@final
class _Columns:
    """Natural values of some axes, to evaluate conditions on each distinct combination once."""

    def __init__(self, domain: Domain, rows: Array, space: Space) -> None:
        self._domain, self._rows, self._space = domain, rows, space

    def each(self, names: tuple[str, ...], rule: Callable[[dict[str, Any]], bool]) -> Bools:
        """The rule's answer for every row, (n,)."""
        varying = [name for name in names if self._domain.index(name) is not None]
        columns = [self._domain.index(name) or 0 for name in varying]
        fixed = {name: self._space[name].from_unit(0.5) for name in names if name not in varying}
        distinct, which = np.unique(self._rows[:, columns], axis=0, return_inverse=True)
        stored = [self._domain.axes[c].values(distinct[:, k]) for k, c in enumerate(columns)]
        answers = []
        for k in range(len(distinct)):
            values = dict(fixed)
            for name, column in zip(varying, stored, strict=True):
                parameter = self._space[name]
                values[name] = from_stored(parameter, mirrored(parameter, column[k]))
            answers.append(rule(values))
        return np.array(answers, dtype=bool)[which.reshape(-1)]


def _active_values(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    active: dict[str, Any] = {}
    for name in space.order:
        if name in values and space.is_active(name, active):
            active[name] = values[name]
    return active


def _is_active(space: Space, name: str, values: Mapping[str, Any]) -> bool:
    return space.is_active(name, _active_values(space, values))


def _meets(space: Space, values: Mapping[str, Any]) -> bool:
    return space.meets(_active_values(space, values))


def _numbers(d: BaseDistribution) -> tuple[float, float, float | None, bool]:
    """Ends of the coordinate, step (None if continuous or logarithmic), whether logarithmic.

    Every whole number owns a cell of its own, so that both ends are as likely as the others.
    """
    if isinstance(d, IntDistribution):
        if d.log:
            return d.low - 0.5, d.high + 0.5, 1.0, True
        return d.low - 0.5 * d.step, d.high + 0.5 * d.step, float(d.step), False
    if isinstance(d, FloatDistribution):
        return d.low, d.high, d.step, d.log
    raise TypeError(f"no numbers in {d}")


def _cells(d: BaseDistribution) -> int:
    return int(round((d.high - d.low) / d.step)) + 1  # type: ignore[attr-defined]  # noqa: RUF046
