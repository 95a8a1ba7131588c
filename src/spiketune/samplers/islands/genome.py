"""Rows of coordinates: drawing them, keeping them inside, knowing which were asked before.

d  axes
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, final

import numpy as np

from spiketune.samplers.arrays import Array
from spiketune.samplers.domain import Domain
from spiketune.samplers.islands.individual import Individual
from spiketune.space import Space
from spiketune.space.distributions import from_stored, mirrored

_CHOICE_MUTATION: Final = 0.1  # of a choice that is inherited


@final
class Genome:
    """The axes of a search, as propagators see them.

    Args:
        domain: The axes.
        space: The search space, where known: tells which parameters are active.

    Attributes:
        d: Number of axes.
        numbers: Indices of the axes that are numbers.
        choices: Indices of the axes that are choices.
        cells: Width of one value on each axis that has gaps, 0 for a continuum, (d,).
    """

    def __init__(self, domain: Domain, space: Space | None) -> None:
        self._domain, self._space = domain, space
        self.d = domain.d
        self.numbers = np.flatnonzero(~domain.is_choice)
        self.choices = np.flatnonzero(domain.is_choice)
        self._n_options = [axis.n_options for axis in domain.axes]
        self._deciders = {
            decider for name in space or () for decider in (space.deciders(name) if space else ())
        }
        self.cells = np.array([_cell(axis.distribution) for axis in domain.axes])

    def row(self, params: Mapping[str, Any]) -> Array:
        """Coordinates of a trial's parameters, (d,); NaN where one is inactive or unknown."""
        return self._domain.row(params)

    def params(self, row: Array) -> dict[str, Any]:
        """Values at a place, as samplers see them."""
        return self._domain.params(row)

    def uniform(self, rng: np.random.Generator) -> Array:
        """A place by chance, (d,)."""
        row = rng.random(self.d)
        for axis in self.choices:
            row[axis] = rng.integers(self._n_options[axis])
        return row

    def numbers_of(self, row: Array) -> Array:
        """The coordinates that are numbers, the middle where inactive."""
        numbers = row[self.numbers]
        return np.where(np.isnan(numbers), 0.5, numbers)

    def gene(self, axis: int, rng: np.random.Generator) -> float:
        """A coordinate by chance."""
        n = self._n_options[axis]
        return float(rng.integers(n)) if n else float(rng.random())

    def filled(self, row: Array, rng: np.random.Generator) -> Array:
        """The row with chance values where a parameter was inactive or unknown, (d,)."""
        holes = np.isnan(row)
        return np.where(holes, self.uniform(rng), row) if holes.any() else row

    def inside(self, row: Array) -> Array:
        """The row with numbers outside [0, 1] reflected at the bound, (d,)."""
        out = row.copy()
        numbers = np.abs(row[self.numbers]) % 2.0
        out[self.numbers] = np.where(numbers > 1.0, 2.0 - numbers, numbers)
        return out

    def with_choices(
        self, row: Array, members: Sequence[Individual], rng: np.random.Generator
    ) -> Array:
        """The row with each option inherited from a random member, or drawn by chance, (d,).

        For propagators that move numbers alone.
        """
        for axis in self.choices:
            gene = np.nan
            if members and rng.random() >= _CHOICE_MUTATION:
                gene = members[int(rng.integers(len(members)))].row[axis]
            row[axis] = self.gene(int(axis), rng) if np.isnan(gene) else gene
        return row

    def key(self, params: Mapping[str, Any]) -> Hashable:
        """What is equal for equal configurations, of active values as samplers see them."""
        return tuple(params.get(axis.name) for axis in self._domain.axes)

    def active(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values that take part, of a place's values as samplers see them."""
        space = self._space
        if space is None or not self._deciders:
            return params
        natural: dict[str, Any] = {}
        active = dict(params)
        for name in space.order:
            if not space.is_active(name, natural):
                active.pop(name, None)
            elif name in self._deciders:
                parameter = space[name]
                if name in params:
                    natural[name] = from_stored(parameter, mirrored(parameter, params[name]))
                else:
                    natural[name] = parameter.from_unit(0.5)  # it has one value
        return active


def _cell(distribution: Any) -> float:
    """Largest share of the axis that one value takes."""
    low, high = getattr(distribution, "low", 0), getattr(distribution, "high", 0)
    step = getattr(distribution, "step", None)
    if step is None:
        return 0.0
    if getattr(distribution, "log", False):
        return float(np.log((low + 0.5) / (low - 0.5)) / np.log((high + 0.5) / (low - 0.5)))
    return float(step / (high - low + step))
