"""Asynchronous evolution on islands, as an Optuna sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial

from spiketune.samplers.arrays import Array
from spiketune.samplers.domain import Domain
from spiketune.samplers.islands.archipelago import ASKED, Archipelago
from spiketune.samplers.islands.genome import Genome
from spiketune.samplers.islands.options import POPULATION, read
from spiketune.samplers.jointly import JointSampler
from spiketune.space import Space

_TRIES: Final = 10  # to avoid a configuration that was asked before


@final
class IslandsSampler(JointSampler):
    """Steady-state evolution on islands that exchange members; no generation is waited for.

    All it knows comes from the study's trials. How a trial was asked for stands in its system
    attribute `islands:asked`; what the sampler keeps between asks would be the same if it were
    made anew.

    Args:
        seed: Of its random numbers.
        space: The search space, where known. In a plain Optuna study the parameters seen so
            far are the space.
        propagator: What breeds: `default`, `pso`, `cma-es`, `nelder-mead`; one of them with
            options (`{name: pso, particles: 8}`); or a list of parts.
        islands: How many islands; or one propagator for each.
        population: Members of a full island.
        migration: See `MigrationOptions`.
        pollination: Whether migrants stay at home as well.

    Raises:
        ConfigError: If an option makes no sense.

    Source: Taubert et al. (2023), "Massively Parallel Genetic Optimization through Asynchronous
    Propagation of Populations".

    Example:
        >>> study = optuna.create_study(sampler=IslandsSampler(seed=0))
    """

    def __init__(
        self,
        seed: int | None = None,
        space: Space | None = None,
        *,
        propagator: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] = "default",
        islands: int | Sequence[str | Mapping[str, Any]] = 2,
        population: int = POPULATION,
        migration: Mapping[str, Any] | None = None,
        pollination: bool = True,
    ) -> None:
        super().__init__(seed, space)
        self._options = read(propagator, islands, population, migration, pollination)
        self._archipelago: Archipelago | None = None

    def _forget(self) -> None:
        self._archipelago = None

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next configuration."""
        if not search_space:
            return {}
        if self._archipelago is None:
            genome = Genome(Domain(search_space, self._space), self._space)
            self._archipelago = Archipelago(genome, study.directions, self._options)
        world = self._archipelago
        world.take_in(study._storage.get_all_trials(study._study_id, deepcopy=False))
        index = world.next_island()
        moves = world.moves(index, self._rng)
        row, note = world.islands[index].propagator.propose(world.surroundings(index), self._rng)
        params = self._unlike(world, row)
        tag = {"island": index, "told": world.n_told, **note}
        if moves:
            tag["moves"] = [list(move) for move in moves]
        study._storage.set_trial_system_attr(trial._trial_id, ASKED, tag)
        return params

    def _unlike(self, world: Archipelago, row: Array) -> dict[str, Any]:
        """The values at a place; some genes are drawn anew while they were asked before."""
        genome, rng = world.genome, self._rng
        params = genome.params(row)
        for _ in range(_TRIES):
            if genome.key(genome.active(params)) not in world.known:
                break
            axis = int(rng.integers(genome.d))
            row = row.copy()
            row[axis] = genome.gene(axis, rng)
            params = genome.params(row)
        return params
