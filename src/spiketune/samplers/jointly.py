"""What samplers share that draw all parameters of a configuration together."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from spiketune.samplers.seen import SeenSpace
from spiketune.space import Space


class JointSampler(BaseSampler):
    """A sampler of all parameters at once; one that no trial had before is drawn by chance.

    Args:
        seed: Of its random numbers.
        space: The search space, where known. In a plain Optuna study the parameters seen so
            far are the space.
    """

    def __init__(self, seed: int | None, space: Space | None) -> None:
        self._space = space
        self._seen = SeenSpace(space)
        self._spent: float | None = None
        self._reseed(seed)

    def _reseed(self, seed: int | None) -> None:
        self._rng = np.random.default_rng(seed)
        self._independent: RandomSampler | None = None
        self._independent_seed = seed

    @abstractmethod
    def _forget(self) -> None:
        """Other axes: what was made of the earlier ones is of no use."""

    def prepare(self, seed: int, spent: float | None) -> None:
        """Say what the next ask is made with.

        Args:
            seed: Of its random numbers, whatever was drawn before.
            spent: Share of the budget that is spent, where known.
        """
        self._reseed(seed)
        self._spent = spent

    def reseed_rng(self) -> None:
        """Other random numbers, in a process of its own."""
        self._reseed(None)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters: those of the space, or of the trials so far, the newest range first."""
        if self._seen.update(study):
            self._forget()
        return self._seen.searched

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """By chance: a parameter that no trial had before."""
        if self._independent is None:  # made when needed: it takes longer than an ask
            self._independent = RandomSampler(self._independent_seed)
        return self._independent.sample_independent(study, trial, param_name, param_distribution)
