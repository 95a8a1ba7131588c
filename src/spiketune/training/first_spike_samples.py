"""The samples of a split as spike times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from torch import Generator, Tensor

from spiketune.config.first_spike import NEEDS_VALUES, FirstSpike
from spiketune.errors import ConfigError
from spiketune.snn.first_spike import input_times
from spiketune.training.batches import Samples

# Spike times of a whole split are kept up to here, else made batch by batch.
KEPT_BYTES: Final = 1 << 26


@final
class TimedSamples:
    """The samples of a split as spike times.

    Args:
        data: The samples.
        rule: How values become times.

    Raises:
        ConfigError: If the samples are spikes over time already.
    """

    def __init__(self, data: Samples, rule: FirstSpike) -> None:
        if not data.constant:
            raise ConfigError("trial.dataset", f"changes from step to step; {NEEDS_VALUES}")
        self._data, self._rule = data, rule
        self.labels, self.n_inputs = data.labels, data.n_inputs
        self._kept: Tensor | None = None
        if 8 * len(data) * data.n_inputs <= KEPT_BYTES:
            self._kept = self._make(slice(None))

    def __len__(self) -> int:
        return len(self._data)

    def batch(self, which: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Spike times, (B, n), and labels, (B,), of some samples."""
        if self._kept is None:
            return self._make(which), self.labels[which]
        if isinstance(which, slice):
            return self._kept[which], self.labels[which]
        # Several times faster than indexing.
        return self._kept.index_select(0, which), self.labels.index_select(0, which)

    def in_order(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All samples, batch by batch."""
        for first in range(0, len(self), batch_size):
            yield self.batch(slice(first, first + batch_size))

    def _make(self, which: Tensor | slice) -> Tensor:
        values, _ = self._data.batch(which, Generator())
        return input_times(values[0], self._rule.input)
