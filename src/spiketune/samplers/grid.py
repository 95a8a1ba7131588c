"""Every combination of a finite space, once, as listed or in a reproducible random order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final, final

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from spiketune.errors import SpiketuneError
from spiketune.samplers.combinations import Combinations, listed
from spiketune.samplers.shuffle import Shuffle
from spiketune.space import Space
from spiketune.space.distributions import mirrored, to_stored

GRID_KEY: Final = "spiketune:grid"
_SKIPPED: Final = 10_000  # combinations passed over in one draw: an ask must end


class GridExhaustedError(SpiketuneError):
    """Every combination was asked."""

    def __init__(self) -> None:
        super().__init__("every combination of the grid was asked")


@final
class GridSampler(BaseSampler):
    """All combinations that meet the requirements, once each; conditionals expand where active.

    The combination's number is kept with the trial, so the order survives a restart.

    Args:
        space: The search space.
        seed: Decides on a random order.
        order: `listed` (the last parameter fastest) or `random` (without repeats).
        levels: Into how many values, both ends among them, a continuum is divided on its scale.

    Raises:
        ConfigError: If a parameter has no finite number of values, and there are no levels.
        ValueError: If an option makes no sense.
    """

    def __init__(
        self, space: Space, seed: int = 0, *, order: str = "listed", levels: int | None = None
    ) -> None:
        if order not in ("listed", "random"):
            raise ValueError(f"order must be listed or random, got {order!r}")
        if levels is not None and (isinstance(levels, bool) or levels < 2):
            raise ValueError(f"levels must be a whole number of at least 2, got {levels!r}")
        self._space = space
        self._levels = levels
        self._points = listed(space, levels)
        self._known: list[dict[str, Any]] = []
        self._seed, self._is_random = seed, order == "random"
        self._shuffled: tuple[Combinations, Shuffle] | None = None
        self._n_ended, self._last_ended = 0, -1

    def prepare(self, seed: int, spent: float | None) -> None:
        """Nothing to take up: the order belongs to the study's seed."""

    def _point(self, number: int) -> Mapping[str, Any]:
        if self._is_random:
            return self._random_point(number)
        self._known.extend(itertools.islice(self._points, number + 1 - len(self._known)))
        if number >= len(self._known):
            raise GridExhaustedError
        return self._known[number]

    def _random_point(self, number: int) -> Mapping[str, Any]:
        if self._shuffled is None:
            combinations = Combinations(self._space, self._levels)
            self._shuffled = combinations, Shuffle(combinations.n, self._seed)
        combinations, shuffle = self._shuffled
        if number >= combinations.n:
            raise GridExhaustedError
        return combinations[shuffle[number]]

    def _last(self, study: Study) -> int:
        """The largest number that a trial has; -1 if none has one.

        Trials that ended no longer change, so those before the first that has not are read once.
        """
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        while self._n_ended < len(trials) and trials[self._n_ended].state.is_finished():
            self._last_ended = max(self._last_ended, _number(trials[self._n_ended]))
            self._n_ended += 1
        return max([self._last_ended, *map(_number, trials[self._n_ended :])])

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Empty: a combination is handed out value by value."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next combination, as samplers see it.

        Raises:
            GridExhaustedError: If there is none left.
        """
        first = 1 + max(self._last(study), trial.system_attrs.get(GRID_KEY, -1))
        for number in range(first, first + _SKIPPED):
            point = self._point(number)
            if self._space.meets(point):
                break
        study._storage.set_trial_system_attr(trial._trial_id, GRID_KEY, number)
        return {
            name: mirrored(self._space[name], to_stored(self._space[name], value))
            for name, value in point.items()
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Never needed: a combination holds every active parameter."""
        raise RuntimeError(f"'{param_name}' is not part of the grid")


def _number(trial: FrozenTrial) -> int:
    return int(trial.system_attrs.get(GRID_KEY, -1))
