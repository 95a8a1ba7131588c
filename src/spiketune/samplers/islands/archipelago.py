"""All islands, as the trials of a study make them: a fold over asks and ends.

Every trial notes how many had ended when it was asked for (`told`). So the order in which asks
and ends alternated can be told from the trials alone, and whoever reads them comes to the same
islands. What was taken in stays; only if something turns up before what was taken in last
(another writer, a clock that was set back) all is read anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, final

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from spiketune.samplers.islands.genome import Genome
from spiketune.samplers.islands.individual import Individual, Standing, individual, ranked
from spiketune.samplers.islands.migration import moves_from
from spiketune.samplers.islands.options import Options
from spiketune.samplers.islands.propagator import Propagator, Surroundings
from spiketune.samplers.paused import PROVISIONAL

ASKED: Final = "islands:asked"  # system attribute: how a trial was asked for


@dataclass(slots=True)
class Island:
    """One population and what breeds it.

    Attributes:
        propagator: Proposes its next individual.
        members: The best first.
        n_asked: How many were asked for.
    """

    propagator: Propagator
    members: list[Individual] = field(default_factory=list)
    n_asked: int = 0


@final
class Archipelago:
    """The islands of a study.

    Args:
        genome: The axes.
        directions: Of the objectives.
        options: Settings of the search.
    """

    def __init__(
        self, genome: Genome, directions: Sequence[StudyDirection], options: Options
    ) -> None:
        self.genome = genome
        self._directions, self._options = tuple(directions), options
        self._clear()

    def _clear(self) -> None:
        options = self._options
        has_numbers = len(self.genome.numbers) > 0
        self.islands = [
            Island(options.propagator(i, has_numbers=has_numbers)) for i in range(options.n_islands)
        ]
        self.scales: dict[str, float] = {}
        self.known: set[Any] = set()
        self.n_told = 0
        self._n_seen = 0
        self._open: dict[int, bool] = {}  # trials that run, and whether their ask was taken in
        self._individuals: dict[int, Individual] = {}
        self._provisional: dict[int, datetime | None] = {}  # ended at a rung, and may go on
        self._last_end: tuple[datetime, int] | None = None
        self._last_ask = (-1, -1)

    def take_in(self, trials: Sequence[FrozenTrial]) -> None:
        """Bring the islands up to date.

        Args:
            trials: All trials of the study, by number.
        """
        if not self._take_in_new(trials):
            self._clear()
            self._take_in_new(trials)

    def next_island(self) -> int:
        """The island whose turn it is."""
        return min(range(len(self.islands)), key=lambda i: (self.islands[i].n_asked, i))

    def surroundings(self, island: int) -> Surroundings:
        """What the propagator of an island sees."""
        members = self.islands[island].members
        return Surroundings(self.genome, members, self._options.population, self.scales)

    def moves(self, island: int, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
        """Who leaves an island with this ask."""
        options = self._options
        members = self.islands[island].members
        wanted = options.matrix[island]
        chance = rng.random()
        if not members or not any(wanted):
            return []
        if chance >= options.migration.probability / options.population:
            return []
        return moves_from(
            island,
            [one.members for one in self.islands],
            wanted,
            options.population,
            options.migration,
            pollination=options.pollination,
            rng=rng,
        )

    # The fold.

    def _take_in_new(self, trials: Sequence[FrozenTrial]) -> bool:
        """Take in what is new; false if it belongs before what was taken in last."""
        asks: list[tuple[int, int, Mapping[str, Any]]] = []
        ends: list[tuple[datetime, int]] = []
        still_open: dict[int, bool] = {}
        if any(trials[n].datetime_complete != at for n, at in self._provisional.items()):
            return False
        for number in [*self._open, *range(self._n_seen, len(trials))]:
            trial = trials[number]
            is_asked = self._open.get(number, False)
            if not is_asked and (tag := _tag(trial)) is not None:
                asks.append((int(tag.get("told", 0)), number, tag))
                is_asked = True
            if trial.state.is_finished():
                ends.append((trial.datetime_complete or datetime.min, number))
            else:
                still_open[number] = is_asked
        asks.sort(key=lambda ask: ask[:2])
        ends.sort()
        if asks and (asks[0][0] < self.n_told or asks[0][:2] < self._last_ask):
            return False
        if ends and self._last_end is not None and ends[0] < self._last_end:
            return False
        self._open, self._n_seen = still_open, len(trials)
        self._apply(trials, asks, ends)
        return True

    def _apply(
        self,
        trials: Sequence[FrozenTrial],
        asks: list[tuple[int, int, Mapping[str, Any]]],
        ends: list[tuple[datetime, int]],
    ) -> None:
        remaining = iter(ends)
        for told, number, tag in asks:
            while self.n_told < told and (end := next(remaining, None)) is not None:
                self._end(trials[end[1]], end)
            self._ask(number, trials[number], tag)
            self._last_ask = (told, number)
        for end in remaining:
            self._end(trials[end[1]], end)

    def _ask(self, number: int, trial: FrozenTrial, tag: Mapping[str, Any]) -> None:
        self.known.add(self.genome.key(trial.params))
        index = _island_of(number, tag, len(self.islands))
        island = self.islands[index]
        island.n_asked += 1
        island.propagator.was_asked(number, tag)
        for move in tag.get("moves", ()):
            self._move(*move)

    def _move(self, number: int, source: int, target: int, replaced: int) -> None:
        member = self._individuals.get(number)
        n = len(self.islands)
        if member is None or not (0 <= source < n and 0 <= target < n):
            return  # of a search with other options
        there = self.islands[target]
        if all(one.number != number for one in there.members):
            there.members = [one for one in there.members if one.number != replaced]
            self._settle(target, member)
            there.propagator.told(replace(member, tag={}), self.surroundings(target))
        if not self._options.pollination:
            home = self.islands[source]
            home.members = [one for one in home.members if one.number != number]

    def _end(self, trial: FrozenTrial, end: tuple[datetime, int]) -> None:
        self.n_told += 1
        self._last_end = end
        if trial.user_attrs.get(PROVISIONAL):
            self._provisional[trial.number] = trial.datetime_complete
        if not trial.params:
            return
        self.known.add(self.genome.key(trial.params))
        tag = _tag(trial) or {}
        member = individual(trial, self.genome.row(trial.params), self._directions, tag)
        for name, value in member.excess.items():
            if np.isfinite(value):
                self.scales[name] = max(value, self.scales.get(name, 0.0))
        index = _island_of(trial.number, tag, len(self.islands))
        if member.standing != Standing.FAILED:
            self._individuals[trial.number] = member
            self._settle(index, member)
        self.islands[index].propagator.told(member, self.surroundings(index))

    def _settle(self, index: int, member: Individual) -> None:
        """Let a member in, and the worst one out if the island is too full."""
        island = self.islands[index]
        order = ranked([*island.members, member], self.scales)
        island.members = order[: self._options.population]


def _tag(trial: FrozenTrial) -> Mapping[str, Any] | None:
    tag = trial.system_attrs.get(ASKED)
    return tag if isinstance(tag, Mapping) else None


def _island_of(number: int, tag: Mapping[str, Any], n_islands: int) -> int:
    index = tag.get("island", number)
    return int(index) % n_islands
