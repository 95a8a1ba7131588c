"""Steady-state evolution: select, cross, mutate, one child at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from spiketune.option_checks import check_number, check_share
from spiketune.samplers.arrays import Array
from spiketune.samplers.islands.individual import Individual
from spiketune.samplers.islands.parts import (
    Crossover,
    Immigrant,
    Mutation,
    Parent,
    Parents,
    Part,
    Select,
)
from spiketune.samplers.islands.propagator import Surroundings

_LEAST_PARENTS: Final = 2


@dataclass(frozen=True, slots=True)
class EvolutionOptions:
    """Settings of the default propagator; its defaults are Propulate's.

    Attributes:
        crossover: Probability of a uniform crossover of two random members.
        mutation: Probability that a gene is drawn anew.
        immigrants: Probability of a child by chance.
        sigma: Standard deviation of the interval mutation, as a share of a number's range.
    """

    crossover: float = 0.7
    mutation: float = 0.4
    immigrants: float = 0.1
    sigma: float = 0.05

    def __post_init__(self) -> None:
        for name in ("crossover", "mutation", "immigrants"):
            check_share(name, getattr(self, name))
        check_number("sigma", self.sigma, 1e-6, 1.0)

    def parts(self) -> tuple[Part, ...]:
        """What it is composed of."""
        return (
            Select("best"),
            Select("uniform", 2),
            Crossover("uniform", self.crossover),
            Mutation("point", self.mutation),
            Mutation("interval", sigma=self.sigma),
            Immigrant("uniform", self.immigrants),
        )


@final
class Evolution:
    """Parts in a row, over an island that is filled by chance first.

    Args:
        parts: What the members, the best first, are passed through.

    Source: the default propagator of Propulate 1.2; Taubert et al. (2023), "Massively Parallel
    Genetic Optimization through Asynchronous Propagation of Populations".
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)

    def propose(
        self, around: Surroundings, rng: np.random.Generator
    ) -> tuple[Array, dict[str, Any]]:
        """A child of the island's members, or a place by chance while there are too few."""
        genome, members = around.genome, around.members
        if len(members) < max(_LEAST_PARENTS, around.population):
            return genome.uniform(rng), {}
        last = max(1, len(members) - 1)
        parents: Parents = [Parent(m.row, i / last) for i, m in enumerate(members)]
        for part in self._parts:
            parents = part(parents, genome, rng)
        return genome.filled(parents[0].row, rng), {}

    def was_asked(self, number: int, tag: Mapping[str, Any]) -> None:
        """Nothing to remember."""

    def told(self, member: Individual, around: Surroundings) -> None:
        """Nothing to remember: the members are all."""
