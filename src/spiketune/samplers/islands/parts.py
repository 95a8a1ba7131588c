"""The parts that an evolutionary propagator is composed of: selection, crossover, mutation.

Each part takes a list of parents and gives a list of them; the last one's first is the child.

d  axes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from spiketune.option_checks import check_choice, check_count, check_share
from spiketune.samplers.arrays import Array
from spiketune.samplers.islands.genome import Genome

Axes: TypeAlias = npt.NDArray[np.intp]
_LEAST_CELLS: Final = (
    0.75  # standard deviation of an interval mutation, in values of a whole number
)


@dataclass(frozen=True, slots=True)
class Parent:
    """A place, and the rank of the member it belongs to: 0 for the best, 1 for the worst.

    Attributes:
        row: (d,), NaN where inactive.
        rank: In [0, 1].
    """

    row: Array
    rank: float


Parents: TypeAlias = Sequence[Parent]


@dataclass(frozen=True, slots=True)
class Select:
    """Some of the parents, which come the best first.

    Attributes:
        select: `best`, `worst` or `uniform` (by chance, without repeats).
        n: How many; None takes as many as the island has members.
    """

    select: str
    n: int | None = None

    def __post_init__(self) -> None:
        check_choice("select", self.select, ("best", "worst", "uniform"))
        if self.n is not None:
            check_count("n", self.n)

    def __call__(self, parents: Parents, genome: Genome, rng: np.random.Generator) -> Parents:
        """The chosen ones."""
        n = len(parents) if self.n is None else min(self.n, len(parents))
        if self.select == "best":
            return parents[:n]
        if self.select == "worst":
            return parents[len(parents) - n :]
        return [parents[i] for i in rng.choice(len(parents), size=n, replace=False)]


@dataclass(frozen=True, slots=True)
class Crossover:
    """A child with genes of several parents.

    Attributes:
        crossover: `uniform` (each gene of the second parent with probability `share`),
            `multiple` (each gene of any parent), or `sigmoid` (of two parents, the better one's
            gene with the Boltzmann probability of their difference in rank).
        probability: With which it happens; otherwise the first parent is passed on.
        share: Contribution of the second parent.
        temperature: Of `sigmoid`, in ranks from 0 for the best to 1 for the worst member.
    """

    crossover: str
    probability: float = 0.7
    share: float = 0.5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_choice("crossover", self.crossover, ("uniform", "multiple", "sigmoid"))
        check_share("probability", self.probability)
        check_share("share", self.share)
        if not self.temperature > 0:
            raise ValueError(f"temperature must be > 0, got {self.temperature!r}")

    def __call__(self, parents: Parents, genome: Genome, rng: np.random.Generator) -> Parents:
        """The child."""
        first = parents[0]
        if len(parents) < 2 or rng.random() >= self.probability:
            return [first]
        if self.crossover == "multiple":
            rows = np.array([parent.row for parent in parents])
            which = rng.integers(len(parents), size=genome.d)
            row = rows[which, np.arange(genome.d)]
        else:
            second = parents[1]
            share = self.share
            if self.crossover == "sigmoid":
                lead = (second.rank - first.rank) / self.temperature
                share = float(expit(-lead))
            row = np.where(rng.random(genome.d) < share, second.row, first.row)
        for parent in parents:  # a gene that the chosen parent lacks comes from another
            row = np.where(np.isnan(row), parent.row, row)
        return [Parent(row, first.rank)]


@dataclass(frozen=True, slots=True)
class Mutation:
    """Changed genes.

    Attributes:
        mutation: `point` (some genes are drawn anew), `interval` (a number moves by a normal
            step, reflected at the bounds), or `gaussian` (all numbers do).
        probability: With which it happens; None takes 0.4 for `point`, 1 for the others.
        points: How many genes; None takes 1.
        most: If given, `points` to `most` genes, by chance.
        sigma: Standard deviation of a step, as a share of the range.
    """

    mutation: str
    probability: float | None = None
    points: int | None = None
    most: int | None = None
    sigma: float = 0.05

    def __post_init__(self) -> None:
        check_choice("mutation", self.mutation, ("point", "interval", "gaussian"))
        if self.probability is not None:
            check_share("probability", self.probability)
        for name, value in (("points", self.points), ("most", self.most)):
            if value is not None:
                check_count(name, value)
        if self.most is not None and self.most < (self.points or 1):
            raise ValueError(f"most must be at least points, got {self.most}")
        check_share("sigma", self.sigma)

    def __call__(self, parents: Parents, genome: Genome, rng: np.random.Generator) -> Parents:
        """The first parent, changed."""
        default = 0.4 if self.mutation == "point" else 1.0
        probability = default if self.probability is None else self.probability
        if rng.random() >= probability:
            return parents[:1]
        row = genome.filled(parents[0].row, rng).copy()
        if self.mutation == "point":
            for axis in self._axes(np.arange(genome.d), rng):
                row[axis] = genome.gene(int(axis), rng)
        elif len(genome.numbers):
            is_one = self.mutation == "interval"
            axes = self._axes(genome.numbers, rng) if is_one else genome.numbers
            step = np.maximum(self.sigma, _LEAST_CELLS * genome.cells[axes])
            row[axes] += step * rng.standard_normal(len(axes))
            row = genome.inside(row)
        return [Parent(row, parents[0].rank)]

    def _axes(self, axes: Axes, rng: np.random.Generator) -> Axes:
        least = self.points or 1
        n = least if self.most is None else int(rng.integers(least, self.most + 1))
        return rng.choice(axes, size=min(n, len(axes)), replace=False)


@dataclass(frozen=True, slots=True)
class Immigrant:
    """Now and then someone from nowhere in place of the child.

    Attributes:
        immigrant: `uniform`.
        probability: With which it happens.
    """

    immigrant: str = "uniform"
    probability: float = 0.1

    def __post_init__(self) -> None:
        check_choice("immigrant", self.immigrant, ("uniform",))
        check_share("probability", self.probability)

    def __call__(self, parents: Parents, genome: Genome, rng: np.random.Generator) -> Parents:
        """The parents, or the immigrant."""
        if rng.random() >= self.probability:
            return parents
        return [Parent(genome.uniform(rng), 1.0)]


Part: TypeAlias = Callable[[Parents, Genome, np.random.Generator], Parents]
PARTS: Final[Mapping[str, type[Select | Crossover | Mutation | Immigrant]]] = {
    "select": Select,
    "crossover": Crossover,
    "mutation": Mutation,
    "immigrant": Immigrant,
}
