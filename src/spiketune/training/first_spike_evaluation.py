"""Networks of first spike times measured on a split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np
import torch
from torch import Generator, Tensor

from spiketune.config.first_spike import SpikeLoss
from spiketune.config.training import TrainingTrial
from spiketune.metrics.energy import activation_sparsity, effective_operations
from spiketune.seeding import child_seed
from spiketune.snn.first_spike import FirstSpikeNetwork
from spiketune.training.batches import Samples
from spiketune.training.evaluation import Evaluation
from spiketune.training.first_spike_gradients import PackGradients
from spiketune.training.first_spike_losses import classes, losses_and_gradients
from spiketune.training.first_spike_samples import TimedSamples

BATCH_SIZE: Final = 256


@final
class _Tally:
    """Sums over the batches, of each network of a pack."""

    def __init__(self, config: TrainingTrial, rule: SpikeLoss) -> None:
        self._rule = rule
        self._min_spikes = config.min_spikes
        self._losses: list[Tensor] = []
        self._silent: list[Tensor] = []
        self._predictions: list[Tensor] = []
        # Spikes of every input, (n,), and of every neuron of each layer, (G, M).
        self._reaching: list[Tensor] = []
        self._emitted: list[list[Tensor]] = []

    def add(self, times: Tensor, layers: Sequence[Tensor], labels: Tensor) -> None:
        """Count a batch: input times, (B, n), of each layer, (G, B, M), and labels, (B,)."""
        G, B, K = layers[-1].shape
        flat = layers[-1].reshape(G * B, K)
        losses, _ = losses_and_gradients(flat, labels.repeat(G), self._rule)
        self._losses.append(losses.view(G, B).sum(dim=1))
        self._predictions.append(classes(flat, self._rule).view(G, B))
        spoken = layers[-1].isfinite().sum(dim=2)
        self._silent.append((spoken < self._min_spikes).sum(dim=1))
        self._reaching.append(times.isfinite().sum(dim=0))
        self._emitted.append([values.isfinite().sum(dim=1) for values in layers])

    def evaluations(
        self, networks: Sequence[FirstSpikeNetwork], labels: Tensor
    ) -> list[Evaluation]:
        """What was measured on the whole split."""
        told = torch.cat(self._predictions, dim=1)
        correct = (told == labels).sum(dim=1).tolist()
        loss, silent = _sum(self._losses).tolist(), _sum(self._silent).tolist()
        reaching = _sum(self._reaching)
        emitted = [_sum(column) for column in zip(*self._emitted, strict=True)]
        n, found = len(labels), []
        for g, network in enumerate(networks):
            own = [spikes[g] for spikes in emitted]
            acs = sum(
                effective_operations(layer.arriving(spikes, n), layer.weight.t())
                for spikes, layer in zip([reaching, *own[:-1]], network.layers, strict=True)
            )
            n_spikes = [int(spikes.sum()) for spikes in own]
            n_neurons = [len(spikes) for spikes in own]
            metrics: dict[str, Any] = {
                "accuracy": correct[g] / n,
                "loss": loss[g] / n,
                "spikes_per_sample": sum(n_spikes) / n,
                "silent_share": silent[g] / n,
                "effective_acs_per_sample": acs / n,
                "effective_macs_per_sample": 0.0,
                "activation_sparsity": activation_sparsity(sum(n_spikes), sum(n_neurons) * n),
            }
            counted = zip(network.names, n_spikes, n_neurons, strict=True)
            rates = {name: spikes / (neurons * n) for name, spikes, neurons in counted}
            found.append(Evaluation(metrics, rates, told[g].numpy()))
        return found


def _sum(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum(dim=0)


@torch.inference_mode()
def evaluate(
    network: FirstSpikeNetwork, data: Samples, config: TrainingTrial, *, noise_seed: int = 0
) -> Evaluation:
    """Measure a network on a split.

    Args:
        network: The network.
        data: The samples.
        config: The trial section: when a sample counts as silent.
        noise_seed: Draws thresholds and jitter, where the network has such noise.
    """
    return evaluate_timed(network, TimedSamples(data, network.config), config, noise_seed)


@torch.inference_mode()
def evaluate_timed(
    network: FirstSpikeNetwork, data: TimedSamples, config: TrainingTrial, noise_seed: int
) -> Evaluation:
    """The same for samples that are spike times already."""
    noise = None
    if network.is_noisy:
        noise = Generator().manual_seed(child_seed(noise_seed, "noise", "evaluation"))
    tally = _Tally(config, network.config.loss)
    for times, labels in data.in_order(BATCH_SIZE):
        tally.add(times, [values.unsqueeze(0) for values in network(times, noise)], labels)
    return tally.evaluations([network], data.labels)[0]


@torch.inference_mode()
def evaluate_pack(
    networks: Sequence[FirstSpikeNetwork],
    gradients: PackGradients,
    data: TimedSamples,
    config: TrainingTrial,
) -> list[Evaluation]:
    """Measure the networks of a pack, each as it would be alone."""
    tally = _Tally(config, networks[0].config.loss)
    for times, labels in data.in_order(BATCH_SIZE):
        given = np.repeat(times.numpy()[np.newaxis], len(networks), axis=0)
        found = gradients.forward(given, keep=False)
        tally.add(times, [torch.from_numpy(values) for values in found], labels)
    return tally.evaluations(networks, data.labels)
