"""Samples that went through a model and how many of them stayed silent, counted on the device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spiketune.errors import InputError


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch whose time steps may still be going on.

    Attributes:
        counts: Spikes of each sample so far by output layer, (B,) each.
        steps: Time steps so far by output layer.
        size: Samples B.
    """

    counts: dict[str, Tensor]
    steps: dict[str, int]
    size: int

    def after(self, layer: str, counts: Tensor, n_steps: int) -> OpenBatch:
        """The batch after more steps of a layer.

        Raises:
            InputError: If two layers disagree on the number of samples.
        """
        if len(counts) != self.size:
            raise InputError(
                f"monitor: '{layer}' gave {len(counts)} samples where "
                f"'{next(iter(self.counts))}' gave {self.size}; name one of them as output="
            )
        before = self.counts.get(layer)
        total = counts if before is None else before + counts
        steps = self.steps.get(layer, 0) + n_steps
        return replace(
            self, counts={**self.counts, layer: total}, steps={**self.steps, layer: steps}
        )

    def ended_by(self, layer: str, size: int, *, starts: bool) -> bool:
        """Whether a call of a layer belongs to the next batch."""
        return layer in self.counts and (starts or size != self.size)

    def n_silent(self, min_spikes: int) -> Tensor:
        """Samples with fewer spikes than that over all output layers, scalar."""
        first, *others = self.counts.values()
        total = sum((counts.to(first.device) for counts in others), start=first)
        return (total < min_spikes).sum()


@dataclass(frozen=True, slots=True)
class SampleCount:
    """Samples of a phase; an update returns a new value.

    Attributes:
        min_spikes: Spikes below which a sample counts as silent.
        open: The batch that goes on.
        n_closed: Samples of the batches before.
        silent_closed: How many of them were silent, scalar.
    """

    min_spikes: int
    open: OpenBatch | None = None
    n_closed: int = 0
    silent_closed: Tensor | None = None

    def adding(self, layer: str, counts: Tensor, n_steps: int, *, starts: bool) -> SampleCount:
        """The count after a call of an output layer.

        Args:
            layer: Its name.
            counts: Spikes of each sample in this call, (B,).
            n_steps: Time steps of this call.
            starts: Whether the call is the first of a batch for this layer.
        """
        current = self.open
        if current is None or current.ended_by(layer, len(counts), starts=starts):
            fresh = OpenBatch({}, {}, len(counts))
            return replace(self.closed(), open=fresh.after(layer, counts, n_steps))
        return replace(self, open=current.after(layer, counts, n_steps))

    def closed(self) -> SampleCount:
        """The count with the open batch taken as whole."""
        if self.open is None:
            return self
        silent = self.open.n_silent(self.min_spikes)
        if self.silent_closed is not None:
            silent = self.silent_closed.to(silent.device) + silent
        return SampleCount(self.min_spikes, None, self.n_closed + self.open.size, silent)

    @property
    def n(self) -> int:
        """Samples, those of the open batch included."""
        return self.n_closed + (0 if self.open is None else self.open.size)

    @property
    def n_silent(self) -> Tensor:
        """Silent samples, those of the open batch included; scalar."""
        found = self.closed().silent_closed
        return torch.zeros((), dtype=torch.long) if found is None else found

    def steps_of(self, layer: str) -> int:
        """Time steps of the open batch that a layer made."""
        return 0 if self.open is None else self.open.steps.get(layer, 0)

    def keeping(self, layers: frozenset[str]) -> SampleCount:
        """The open batch as those layers alone saw it; nothing may be closed yet."""
        if self.open is None:
            return self
        counts = {name: value for name, value in self.open.counts.items() if name in layers}
        return replace(self, open=replace(self.open, counts=counts) if counts else None)


@dataclass(frozen=True, slots=True)
class EpochCount:
    """Silent samples of the running epoch, and the rule that they are held to.

    Attributes:
        n_train: Samples of an epoch.
        share: Share of them that may be silent; no rule if None.
        samples: The count of this epoch.
        exceeded: Whether an epoch before broke the rule, scalar.

    Source: Firmin et al. (2024), "Parallel Hyperparameter Optimization Of Spiking Neural
    Networks", arXiv:2403.00450.
    """

    n_train: int
    share: float
    samples: SampleCount
    exceeded: Tensor | None = None

    def adding(self, layer: str, counts: Tensor, n_steps: int, *, starts: bool) -> EpochCount:
        """The count after a call; a batch that no longer fits the epoch opens the next one."""
        current = self.samples.open
        new_batch = current is None or current.ended_by(layer, len(counts), starts=starts)
        if new_batch and self.samples.n > 0 and self.samples.n + len(counts) > self.n_train:
            fresh = SampleCount(self.samples.min_spikes)
            return replace(
                self,
                samples=fresh.adding(layer, counts, n_steps, starts=True),
                exceeded=self._exceeded(),
            )
        return replace(self, samples=self.samples.adding(layer, counts, n_steps, starts=starts))

    def keeping(self, layers: frozenset[str]) -> EpochCount:
        """See `SampleCount.keeping`."""
        return replace(self, samples=self.samples.keeping(layers))

    def stops(self) -> bool:
        """Whether more than the allowed share of an epoch was silent. Waits for the device."""
        return self.samples.n > 0 and bool(self._exceeded())

    def constraint(self) -> float:
        """1 - speaking / n_train - share: samples not yet processed count as silent."""
        speaking = self.samples.n - int(self.samples.n_silent)
        return 1.0 - speaking / self.n_train - self.share

    def _exceeded(self) -> Tensor:
        now = self.samples.n_silent / self.n_train > self.share
        return now if self.exceeded is None else torch.logical_or(self.exceeded.to(now.device), now)
