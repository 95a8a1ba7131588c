"""When a training ends before its last epoch: silence and patience, as values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from spiketune.config.training import Patience, Silence


@dataclass(frozen=True, slots=True)
class SilenceCount:
    """Silent samples of one training epoch so far.

    Attributes:
        n_train: Samples of a whole epoch.
        silent: Samples whose output layer emitted fewer than `min_spikes` spikes.
        speaking: The other samples that were processed.

    Source: Firmin et al. (2024), "Parallel Hyperparameter Optimization Of Spiking Neural
    Networks", arXiv:2403.00450.
    """

    n_train: int
    silent: int = 0
    speaking: int = 0

    def after(self, *, silent: int, batch: int) -> SilenceCount:
        """The count after a batch of which `silent` samples were silent."""
        return replace(self, silent=self.silent + silent, speaking=self.speaking + batch - silent)

    def ended_by_another_rule(self) -> SilenceCount:
        """The count where samples that were not processed tell nothing of silence."""
        return replace(self, n_train=self.silent + self.speaking)

    def exceeds(self, config: Silence) -> bool:
        """Whether more than the allowed share of the epoch's samples is silent already."""
        return self.silent / self.n_train > config.share

    def constraint(self, config: Silence) -> float:
        """Constraint value, met when <= 0: unprocessed samples count as silent.

        The earlier an epoch is left, the larger: from -share to 1 - share.
        """
        return 1.0 - self.speaking / self.n_train - config.share


@dataclass(frozen=True, slots=True)
class PatienceCount:
    """Batches in a row that brought no improvement.

    Attributes:
        best: Lowest loss that counted as an improvement.
        without: Batches since then.
    """

    best: float = math.inf
    without: int = 0

    def after(self, loss: float, config: Patience) -> PatienceCount:
        """The count after a batch: an improvement is `loss < (1 - improvement) * best`."""
        if self.best == math.inf or loss < (1.0 - config.improvement) * self.best:
            return PatienceCount(loss, 0)
        return replace(self, without=self.without + 1)

    def exhausted(self, epoch: int, config: Patience) -> bool:
        """Whether to stop in this epoch, counted from 0; never in the first."""
        return epoch > 0 and self.without > config.batches
