"""Every combination of a finite space, once, in a reproducible order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, final

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from spiketune.errors import ConfigError, SpiketuneError
from spiketune.space import Float, Space
from spiketune.space.distributions import mirrored, to_stored

GRID_KEY: Final = "spiketune:grid"


class GridExhaustedError(SpiketuneError):
    """Every combination was asked."""

    def __init__(self) -> None:
        super().__init__("every combination of the grid was asked")


def combinations(space: Space) -> Iterator[dict[str, Any]]:
    """Every combination of a finite space, the last parameter fastest.

    Parameters that are not active in a combination are left out of it.
    """
    return _from(space, {}, list(space.order))


def _from(space: Space, values: dict[str, Any], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    if not names:
        yield dict(values)
    elif not space.is_active(names[0], values):
        yield from _from(space, values, names[1:])
    else:
        parameter = space[names[0]]
        for index in range(parameter.n_values or 0):
            value = parameter.value_at(index)
            yield from _from(space, {**values, names[0]: value}, names[1:])


@final
class GridSampler(BaseSampler):
    """The product of all values, the last parameter fastest; conditionals expand where active.

    The combination's number is kept with the trial, so the order survives a restart.

    Raises:
        ConfigError: If a parameter has no finite number of values.
    """

    def __init__(self, space: Space) -> None:
        for name, parameter in space.items():
            if parameter.n_values is None:
                raise ConfigError(
                    name, f"the grid sampler needs a finite range; give {Float.__name__} a `step`"
                )
        self._space = space
        self._points: Iterator[dict[str, Any]] = combinations(space)
        self._known: list[dict[str, Any]] = []

    def _point(self, number: int) -> Mapping[str, Any]:
        self._known.extend(itertools.islice(self._points, number + 1 - len(self._known)))
        if number >= len(self._known):
            raise GridExhaustedError
        return self._known[number]

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
        number = 1 + max(
            (t.system_attrs.get(GRID_KEY, -1) for t in study.get_trials(deepcopy=False)), default=-1
        )
        number = max(number, trial.system_attrs.get(GRID_KEY, -1) + 1)
        point = self._point(number)
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
