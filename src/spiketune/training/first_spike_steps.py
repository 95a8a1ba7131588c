"""One step of the training of networks of first spike times: alone by a tape, or in a pack.

Letters: `G` networks, `B` batch, `M` neurons, `n` inputs, `K` classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from spiketune.config.first_spike import FirstSpike
from spiketune.snn.first_spike import FirstSpikeNetwork, noisy_input
from spiketune.training.first_spike_gradients import PackGradients
from spiketune.training.first_spike_losses import (
    classes,
    delay_penalty,
    losses_and_gradients,
    time_losses,
)
from spiketune.training.first_spike_raising import WeightRaising
from spiketune.training.first_spike_samples import TimedSamples


@dataclass(frozen=True, slots=True)
class Told:
    """What a step says of its batch: the mean loss, correct and silent samples."""

    loss: float
    correct: int
    silent: int


class Steps(ABC):
    """Steps of the networks of a pack, each with the weights raised where spikes are missing.

    Args:
        networks: Of one configuration.
        raising: Of each network.
        data: The training samples.
        optimizer: Of all parameters of all networks.
        min_spikes: Spikes of the output below which a sample counts as silent.
    """

    def __init__(
        self,
        networks: Sequence[FirstSpikeNetwork],
        raising: Sequence[WeightRaising],
        data: TimedSamples,
        optimizer: torch.optim.Optimizer,
        min_spikes: int,
    ) -> None:
        self.networks, self.raising, self.data = networks, raising, data
        self.optimizer, self._min_spikes = optimizer, min_spikes
        self._rule: FirstSpike = networks[0].config
        self._prepare()

    @abstractmethod
    def _prepare(self) -> None:
        """Make whatever the steps need."""

    @abstractmethod
    def __call__(
        self, which: Tensor, noise: Sequence[Generator], learning: Sequence[bool]
    ) -> list[Told]:
        """Take a step.

        Args:
            which: Indices of the samples of each network, (G, B).
            noise: Draws the noise of each network.
            learning: Networks that take part; the others stay as they are.
        """

    @final
    def _times(self, which: Tensor, noise: Sequence[Generator]) -> tuple[Tensor, Tensor]:
        """Input times, (G, B, n), and labels, (G, B)."""
        times, labels = self.data.batch(which.flatten())
        times = times.view(*which.shape, -1)
        if (rule := self._rule.input_noise) is not None:
            drawn = zip(times, noise, strict=True)
            times = torch.stack([noisy_input(own, rule, source) for own, source in drawn])
        return times, labels.view(which.shape)

    @final
    def _told(self, losses: NDArray[np.float64], output: Tensor, labels: Tensor) -> list[Told]:
        """For the mean loss of each network, (G,), spikes, (G, B, K), and labels, (G, B)."""
        G, B, K = output.shape
        found = classes(output.view(G * B, K), self._rule.loss).view(G, B)
        correct = (found == labels).sum(dim=1).tolist()
        silent = (output.isfinite().sum(dim=2) < self._min_spikes).sum(dim=1).tolist()
        return [Told(*told) for told in zip(losses.tolist(), correct, silent, strict=True)]


@final
class PackSteps(Steps):
    """Steps of plain networks, with one call for all of them wherever there can be one."""

    def _prepare(self) -> None:
        self.gradients = PackGradients(self.networks)
        delays = [layer.delay for layer in self._rule.layers if layer.delay is not None]
        bounded = any(delay.positivity != "sigmoid" for delay in delays)
        self._settles = bounded or self._rule.weights.clip is not None

    @torch.no_grad()
    def __call__(
        self, which: Tensor, noise: Sequence[Generator], learning: Sequence[bool]
    ) -> list[Told]:
        """See `Steps`."""
        times, labels = self._times(which, noise)
        found = self.gradients.forward(times.numpy())
        layers = [torch.from_numpy(values) for values in found]
        (G, B), output = which.shape, layers[-1]
        losses, gradients = losses_and_gradients(
            output.view(G * B, -1), labels.view(-1), self._rule.loss
        )
        missing = np.stack([np.isinf(values).sum(axis=(1, 2)) for values in found], axis=1).tolist()
        steps = [
            learning[g] and not own.raised([values[g] for values in layers], missing[g])
            for g, own in enumerate(self.raising)
        ]
        if any(steps):
            self.gradients.backward(gradients.view(output.shape).numpy() / B, steps)
            self.optimizer.step()
            if self._settles:
                for network, stepped in zip(self.networks, steps, strict=True):
                    if stepped:
                        network.settle()
        return self._told(losses.view(G, B).numpy().mean(axis=1), output, labels)


@final
class TapeSteps(Steps):
    """Steps of any networks by automatic differentiation, one after the other."""

    def _prepare(self) -> None:
        pass

    def __call__(
        self, which: Tensor, noise: Sequence[Generator], learning: Sequence[bool]
    ) -> list[Told]:
        """See `Steps`."""
        times, labels = self._times(which, noise)
        self.optimizer.zero_grad(set_to_none=True)
        means, outputs = [], []
        for g, network in enumerate(self.networks):
            layers = network(times[g], noise[g])
            loss = time_losses(layers[-1], labels[g], self._rule.loss).mean()
            means.append(float(loss.detach()))
            outputs.append(layers[-1].detach())
            missing = [int(values.isinf().sum()) for values in layers]
            if not learning[g] or self.raising[g].raised(layers, missing):
                continue
            if self._rule.loss.delay_l2 > 0.0:
                loss = loss + delay_penalty(network)
            if loss.requires_grad:  # not so where no layer is trained
                loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        for network in self.networks:
            network.settle()
        return self._told(np.array(means), torch.stack(outputs), labels)
