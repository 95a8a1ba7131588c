"""Labelled samples, handed out in batches as the input of a network on the device."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Generator, Tensor

from spiketune.config.training import Dataset
from spiketune.data.binning import Binning, frames_of
from spiketune.data.events import Events
from spiketune.data.splits import Labelled
from spiketune.snn.encoding import MAX_RATE_HZ, encode
from spiketune.snn.sparse import Input, SparseFrames


class Samples(ABC):
    """The samples of a split.

    Attributes:
        labels: Class of each sample, (n,).
        input_shape: Shape of a sample at one time step: (N,), or (C, H, W) of pictures.
        steps: Time steps T.
        constant: Whether an input is the same at every step, and given once.
        analogue: Whether inputs are other numbers than zeros and ones.
    """

    labels: Tensor
    input_shape: tuple[int, ...]
    steps: int
    constant: bool
    analogue: bool

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_inputs(self) -> int:
        """Input neurons N."""
        return math.prod(self.input_shape)

    @abstractmethod
    def batch(self, which: Tensor | slice, generator: Generator) -> tuple[Tensor, Tensor]:
        """The input and the labels of some samples.

        Args:
            which: Indices of the samples, (B,).
            generator: Draws the spikes of an encoding; on the device.

        Returns:
            Input, (T, B, N), or (1, B, N) where it is constant; and labels, (B,).
        """

    def events(self, which: Tensor | slice, generator: Generator) -> tuple[SparseFrames, Tensor]:
        """The same as `batch`, with the input as lists of events; on the CPU."""
        inputs, labels = self.batch(which, generator)
        return SparseFrames.of(inputs), labels

    def given(self, which: Tensor | slice, generator: Generator) -> tuple[Input, Tensor]:
        """What a network gets: `batch`, or `events` where those are faster."""
        return self.batch(which, generator)


def on_device(data: Labelled, device: torch.device, config: Dataset) -> Samples:
    """The samples of a split, on their way to the device as their kind asks for."""
    if isinstance(data.inputs, Events):
        return RecordedSamples(data.inputs, data, device, config)
    return EncodedSamples(data, device, config)


@final
class EncodedSamples(Samples):
    """Values kept on the device in their stored type, scaled and encoded batch by batch.

    Args:
        data: The samples, (n, ...); each is flattened.
        device: Where they are kept.
        config: How values become input over time.
    """

    def __init__(self, data: Labelled, device: torch.device, config: Dataset) -> None:
        inputs = torch.as_tensor(data.inputs)
        if inputs.is_floating_point():
            inputs = inputs.to(torch.float32)
        self._inputs = inputs.flatten(1).to(device)
        self._full_scale, self._encoding = data.full_scale, config.encoding
        self._max_rate = (config.max_rate_hz or MAX_RATE_HZ) * (config.dt_ms or 1.0) / 1000
        self.labels = torch.as_tensor(data.labels).to(device)
        self.input_shape = data.input_shape
        self.steps = config.steps
        self.constant = self.analogue = config.encoding == "constant"

    def batch(self, which: Tensor | slice, generator: Generator) -> tuple[Tensor, Tensor]:
        """See `Samples`; values are taken to [0, 1] before they are encoded."""
        if isinstance(which, slice):
            inputs, labels = self._inputs[which], self.labels[which]
        else:  # several times faster than indexing
            inputs, labels = self._inputs.index_select(0, which), self.labels[which]
        values = inputs.to(torch.float32)
        if self._full_scale != 1.0:
            values = values / self._full_scale
        return encode(values, self._encoding, self.steps, generator, self._max_rate), labels


@final
class SparseSamples(Samples):
    """Samples that networks get as lists of events.

    Args:
        samples: The same samples, dense; on the CPU.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self.labels, self.input_shape = samples.labels, samples.input_shape
        self.steps, self.constant = samples.steps, samples.constant
        self.analogue = samples.analogue

    def batch(self, which: Tensor | slice, generator: Generator) -> tuple[Tensor, Tensor]:
        """See `Samples`."""
        return self._samples.batch(which, generator)

    def given(self, which: Tensor | slice, generator: Generator) -> tuple[Input, Tensor]:
        """See `Samples`: always events."""
        return self._samples.events(which, generator)


@final
class SomeSamples(Samples):
    """A few samples of a split, evenly spread over it.

    Args:
        samples: The split.
        n: How many at most.
    """

    def __init__(self, samples: Samples, n: int) -> None:
        self._samples = samples
        last, n = len(samples) - 1, min(n, len(samples))
        spread = torch.linspace(0, last, n, dtype=torch.float64).round().to(torch.int64)
        self._which = spread.to(samples.labels.device)
        self.labels, self.input_shape = samples.labels[self._which], samples.input_shape
        self.steps, self.constant = samples.steps, samples.constant
        self.analogue = samples.analogue

    def batch(self, which: Tensor | slice, generator: Generator) -> tuple[Tensor, Tensor]:
        """See `Samples`."""
        return self._samples.batch(self._which[which], generator)

    def given(self, which: Tensor | slice, generator: Generator) -> tuple[Input, Tensor]:
        """See `Samples`: as the split gives them."""
        return self._samples.given(self._which[which], generator)


@final
class RecordedSamples(Samples):
    """Recordings kept as memory-mapped events, made into frames batch by batch.

    Args:
        events: The recordings.
        data: Their labels.
        device: Where frames go.
        config: How events become frames.
    """

    def __init__(
        self, events: Events, data: Labelled, device: torch.device, config: Dataset
    ) -> None:
        self._events, self._device = events, device
        self._binning = Binning.configured(config, events)
        self.labels = torch.as_tensor(data.labels).to(device)
        self.input_shape = data.input_shape
        self.steps = self._binning.steps
        self.constant, self.analogue = False, self._binning.counted

    def batch(self, which: Tensor | slice, generator: Generator) -> tuple[Tensor, Tensor]:
        """See `Samples`; nothing is drawn."""
        chosen = which if isinstance(which, slice) else which.cpu().numpy()
        frames = torch.from_numpy(frames_of(self._events, chosen, self._binning))
        return frames.to(self._device), self.labels[which]
