"""What proposes the next individual of an island."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spiketune.samplers.arrays import Array
from spiketune.samplers.islands.genome import Genome
from spiketune.samplers.islands.individual import Individual


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a propagator sees when it is asked.

    Attributes:
        genome: The axes.
        members: Of its island, the best first.
        population: How many members the island has when it is full.
        scales: Largest excess seen of each constraint.
    """

    genome: Genome
    members: Sequence[Individual]
    population: int
    scales: Mapping[str, float]


class Propagator(Protocol):
    """Breeds one individual after the other, never waiting for one.

    All that it knows comes from `was_asked` and `told`, in their order, so the same trials give
    the same propagator.
    """

    def propose(
        self, around: Surroundings, rng: np.random.Generator
    ) -> tuple[Array, dict[str, Any]]:
        """The next place, (d,), and what to note with it (JSON-able); changes nothing."""

    def was_asked(self, number: int, tag: Mapping[str, Any]) -> None:
        """A place that it proposed is being tried; `tag` is what it noted."""

    def told(self, member: Individual, around: Surroundings) -> None:
        """A trial of the island ended, or an immigrant came, which has no tag of it."""
