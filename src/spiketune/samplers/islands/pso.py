"""Particle swarm optimisation, one particle at a time.

d  axes that are numbers
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from spiketune.option_checks import check_choice, check_count, check_number
from spiketune.samplers.arrays import Array
from spiketune.samplers.islands.individual import Individual, better
from spiketune.samplers.islands.propagator import Surroundings

_VARIANTS: Final = ("clamped", "basic", "constriction", "canonical")


@dataclass(frozen=True, slots=True)
class PsoOptions:
    """Settings of the swarm; its defaults are Propulate's.

    Attributes:
        variant: `basic`, `clamped` (velocities stay within `clamping`), `constriction`
            (velocities shrink by the factor that follows from `cognitive` + `social` > 4), or
            `canonical` (constriction and clamping at the whole range).
        particles: Size of the swarm of one island.
        inertia: Weight of a particle's velocity; 0 makes a swarm without memory of it. None
            takes 0.729.
        cognitive: Pull towards a particle's own best; None takes 1.49445, or 2.05 in the
            variants with constriction.
        social: Pull towards the island's best; None as `cognitive`.
        clamping: Largest velocity, as a share of the range.
    """

    variant: str = "clamped"
    particles: int = 8
    inertia: float | None = None
    cognitive: float | None = None
    social: float | None = None
    clamping: float = 0.6

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, _VARIANTS)
        check_count("particles", self.particles)
        for name in ("inertia", "cognitive", "social"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0.0, 10.0)
        check_number("clamping", self.clamping, 1e-6, 1.0)
        if self._constricts and not self._pulls[0] + self._pulls[1] > 4.0:
            raise ValueError(
                f"cognitive + social must be > 4 for the variant '{self.variant}', "
                f"got {self._pulls[0] + self._pulls[1]:g}"
            )

    @property
    def _constricts(self) -> bool:
        return self.variant in ("constriction", "canonical")

    @property
    def _pulls(self) -> tuple[float, float]:
        default = 2.05 if self._constricts else 1.49445
        cognitive = default if self.cognitive is None else self.cognitive
        return cognitive, default if self.social is None else self.social

    @property
    def weights(self) -> tuple[float, float, float]:
        """Weights of the velocity, of the own best, of the island's best.

        Source: Clerc and Kennedy (2002), "The particle swarm", eq. 4.
        """
        inertia = 0.729 if self.inertia is None else self.inertia
        cognitive, social = self._pulls
        if not self._constricts:
            return inertia, cognitive, social
        phi = cognitive + social
        chi = 2.0 / (phi - 2.0 + math.sqrt(phi * phi - 4.0 * phi))
        return chi, chi * cognitive, chi * social

    @property
    def fastest(self) -> float:
        """Largest velocity, as a share of the range."""
        return {"clamped": self.clamping, "canonical": 1.0}.get(self.variant, math.inf)


@dataclass(slots=True)
class Particle:
    """One particle of the swarm.

    Attributes:
        n_asked: How often it was moved.
        n_told: How many of its moves ended.
        here: Where it is.
        before: Where it was before.
        best: The best it has been at.
    """

    n_asked: int = 0
    n_told: int = 0
    here: Individual | None = None
    before: Individual | None = None
    best: Individual | None = None


@final
class Swarm:
    """Particles drawn to their own best and to the island's.

    A particle's velocity is what it moved by last, so one that ran into a bound stops there. A
    choice is inherited from what draws the particle.

    Source: Kennedy and Eberhart (1995), "Particle swarm optimization"; Shi and Eberhart (1998),
    "A modified particle swarm optimizer".
    """

    def __init__(self, options: PsoOptions) -> None:
        self._options = options
        self._particles = [Particle() for _ in range(options.particles)]

    def propose(
        self, around: Surroundings, rng: np.random.Generator
    ) -> tuple[Array, dict[str, Any]]:
        """The next place of the particle that waits longest."""
        index = min(range(len(self._particles)), key=self._turn)
        tag = {"particle": index}
        particle = self._particles[index]
        genome = around.genome
        here, best = particle.here, particle.best
        if here is None or best is None or not around.members:
            return genome.uniform(rng), tag
        leader = around.members[0]
        if len(leader.losses) > 1:  # one of the better half of a front
            leader = around.members[int(rng.integers(1 + len(around.members) // 2))]
        numbers = genome.numbers
        place = genome.filled(here.row, rng)
        velocity = np.zeros(genome.d)
        if particle.before is not None:
            velocity = _difference(place, particle.before.row)
        inertia, cognitive, social = self._options.weights
        own, common = rng.random((2, genome.d))
        velocity = (
            inertia * velocity
            + cognitive * own * _difference(best.row, place)
            + social * common * _difference(leader.row, place)
        )
        fastest = self._options.fastest
        moved = place.copy()
        moved[numbers] += np.clip(velocity[numbers], -fastest, fastest)
        moved[numbers] = np.clip(moved[numbers], 0.0, 1.0)
        return genome.with_choices(moved, (here, best, leader), rng), tag

    def was_asked(self, number: int, tag: Mapping[str, Any]) -> None:
        """A particle is on its way."""
        index = tag.get("particle")
        if isinstance(index, int) and index < len(self._particles):
            self._particles[index].n_asked += 1

    def told(self, member: Individual, around: Surroundings) -> None:
        """A particle arrived; others draw the swarm when they are the island's best."""
        index = member.tag.get("particle")
        if not isinstance(index, int) or index >= len(self._particles):
            return
        particle = self._particles[index]
        particle.n_told += 1
        particle.before, particle.here = particle.here, member
        if particle.best is None or better(member, particle.best, around.scales):
            particle.best = member

    def _turn(self, index: int) -> tuple[int, int, int]:
        particle = self._particles[index]
        return particle.n_asked - particle.n_told, particle.n_asked, index


def _difference(one: Array, other: Array) -> Array:
    """From the second to the first, 0 where either is inactive, (d,)."""
    return np.nan_to_num(one - other, nan=0.0)
