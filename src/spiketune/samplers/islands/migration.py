"""Who goes where: topologies, migration, pollination.

N  islands
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from spiketune.option_checks import check_choice, check_count, check_share
from spiketune.samplers.islands.individual import Individual

Move: TypeAlias = tuple[int, int, int, int]  # trial, from, to, trial that gives way or -1
_TOPOLOGIES: Final = ("full", "ring", "star", "none")
_LEFT: Final = 2  # members that an island keeps at least


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """How islands exchange members.

    Attributes:
        topology: `full` (each island sends to every other), `ring` (to the next one), `star`
            (the first sends to all, all send to the first), `none`; or the numbers of migrants
            themselves, one row per island that sends, one column per island that receives.
        probability: With which an island sends once a round, which is as many asks as it has
            members.
        n: Migrants on each way; a topology of numbers has its own.
        emigrants: `best` or `uniform` (by chance).
        replaced: Who gives way on a full island: `worst` or `uniform`.
    """

    topology: str | Sequence[Sequence[int]] = "full"
    probability: float = 0.9
    n: int = 1
    emigrants: str = "best"
    replaced: str = "worst"

    def __post_init__(self) -> None:
        if isinstance(self.topology, str):
            check_choice("topology", self.topology, _TOPOLOGIES)
        check_share("probability", self.probability)
        check_count("n", self.n)
        check_choice("emigrants", self.emigrants, ("best", "uniform"))
        check_choice("replaced", self.replaced, ("worst", "uniform"))

    def matrix(self, n_islands: int) -> tuple[tuple[int, ...], ...]:
        """Migrants from each island (row) to each other, (N, N).

        Raises:
            ValueError: If a topology of numbers does not fit the islands.
        """
        if not isinstance(self.topology, str):
            return _checked(self.topology, n_islands)
        return tuple(
            tuple(
                self.n if i != j and self._leads(i, j, n_islands) else 0 for j in range(n_islands)
            )
            for i in range(n_islands)
        )

    def _leads(self, source: int, target: int, n_islands: int) -> bool:
        if self.topology == "ring":
            return target == (source + 1) % n_islands
        if self.topology == "star":
            return source == 0 or target == 0
        return self.topology == "full"


def moves_from(
    source: int,
    islands: Sequence[Sequence[Individual]],
    wanted: Sequence[int],
    population: int,
    options: MigrationOptions,
    *,
    pollination: bool,
    rng: np.random.Generator,
) -> list[Move]:
    """Who leaves an island now.

    Nobody goes where it is a member already, and nobody leaves for good an island that would
    then have fewer than two members.

    Args:
        source: The island that sends.
        islands: Members of each island, the best first, (N,).
        wanted: Migrants to each island, (N,).
        population: Members of a full island.
        options: How migrants are chosen.
        pollination: Whether migrants stay at home as well.
        rng: Source of chance.
    """
    home = list(islands[source])
    moves: list[Move] = []
    for target, n in enumerate(wanted):
        there = {member.number for member in islands[target]}
        room = population - len(islands[target])
        eligible = [member for member in home if member.number not in there]
        if options.emigrants == "uniform":
            eligible = [eligible[i] for i in rng.permutation(len(eligible))]
        givers = list(reversed(islands[target]))
        if options.replaced == "uniform":
            givers = [givers[i] for i in rng.permutation(len(givers))]
        for member in eligible[:n]:
            if not pollination and len(home) <= _LEFT:
                break
            replaced = -1
            if room > 0:
                room -= 1
            elif givers:
                replaced = givers.pop(0).number
            moves.append((member.number, source, target, replaced))
            if not pollination:
                home.remove(member)
    return moves


def _checked(topology: Sequence[Sequence[int]], n_islands: int) -> tuple[tuple[int, ...], ...]:
    rows = list(topology) if isinstance(topology, Sequence) else []
    if len(rows) != n_islands or any(
        not isinstance(row, Sequence) or len(row) != n_islands for row in rows
    ):
        raise ValueError(
            f"topology must have {n_islands} rows of {n_islands} numbers, one for each island, "
            f"got {topology!r}"
        )
    for i, row in enumerate(rows):
        for j, n in enumerate(row):
            check_count(f"topology[{i}][{j}]", n, least=0)
        if row[i]:
            raise ValueError(f"topology[{i}][{i}] must be 0: no island sends to itself")
    return tuple(tuple(row) for row in rows)
