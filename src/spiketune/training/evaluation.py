"""Measuring a network on a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from spiketune.config.training import TrainingTrial
from spiketune.metrics.activity import n_silent
from spiketune.metrics.energy import activation_sparsity, effective_operations
from spiketune.seeding import child_seed
from spiketune.snn.networks import Activity, SpikingNetwork
from spiketune.training.batches import Samples
from spiketune.training.losses import build_loss

# Constant, so that every trial of a study draws the same validation spikes; large enough to
# hide the cost of a call, small enough that a layer's activity stays in the processor's cache.
BATCH_SIZE: Final = 256


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured on a split.

    Attributes:
        metrics: By name, without the name of the split: `accuracy`, `loss`,
            `spikes_per_sample`, `silent_share`, `effective_acs_per_sample`,
            `effective_macs_per_sample`, `activation_sparsity`.
        firing_rates: Spikes per neuron and step, by layer.
        predictions: Class of each sample, (n,).
    """

    metrics: Mapping[str, float]
    firing_rates: Mapping[str, float]
    predictions: NDArray[np.int64]


@dataclass(slots=True)
class _Tally:
    loss: float = 0.0
    correct: int = 0
    silent: int = 0
    predictions: list[Tensor] = field(default_factory=list)
    input_counts: list[Tensor] = field(default_factory=list)
    output_count: int = 0

    def add(self, inputs: Tensor, activity: Activity) -> None:
        counts = [inputs.count_nonzero(dim=(0, 1))]
        counts += [spikes.sum(dim=(0, 1)).long() for spikes in activity.spikes]
        self.output_count += int(counts.pop().sum())
        if self.input_counts:
            counts = [old + new for old, new in zip(self.input_counts, counts, strict=True)]
        self.input_counts = counts


@torch.inference_mode()
def evaluate(
    network: SpikingNetwork,
    data: Samples,
    config: TrainingTrial,
    *,
    study_seed: int,
    split: str = "validation",
) -> Evaluation:
    """Measure a network on a split, without dropout.

    Args:
        network: On the device of the data.
        data: The samples.
        config: The trial section: loss, and when a sample counts as silent.
        study_seed: Draws the spikes of an encoding, the same for all trials of a study.
        split: Name of the split, which draws of its own.
    """
    loss_function = build_loss(config.training.loss)
    min_spikes = 1 if config.silence is None else config.silence.min_spikes
    tally = _Tally()
    for first in range(0, len(data), BATCH_SIZE):
        generator = Generator(data.labels.device).manual_seed(
            child_seed(study_seed, "encoding", split, first // BATCH_SIZE)
        )
        inputs, labels = data.batch(slice(first, first + BATCH_SIZE), generator)
        activity = network(inputs, data.steps)
        counts = activity.output.sum(dim=0)
        predictions = counts.argmax(dim=1)
        tally.loss += float(loss_function(activity.output, labels)) * len(labels)
        tally.correct += int((predictions == labels).sum())
        tally.silent += int(n_silent(counts, min_spikes))
        tally.predictions.append(predictions)
        tally.add(inputs, activity)
    return _evaluation(tally, network, data)


def _evaluation(tally: _Tally, network: SpikingNetwork, data: Samples) -> Evaluation:
    n, steps, analogue = len(data), data.steps, data.analogue
    weights = [layer.weight for layer in network.layers]
    first, *hidden = tally.input_counts
    # A constant input is stored once and counts at every step.
    from_input = effective_operations(first * (steps if data.constant else 1), weights[0])
    from_spikes = sum(map(effective_operations, hidden, weights[1:]))
    n_spikes = [*(int(counts.sum()) for counts in hidden), tally.output_count]
    n_neurons = [len(weight) for weight in weights]
    metrics = {
        "accuracy": tally.correct / n,
        "loss": tally.loss / n,
        "spikes_per_sample": sum(n_spikes) / n,
        "silent_share": tally.silent / n,
        "effective_acs_per_sample": (from_spikes + (0 if analogue else from_input)) / n,
        "effective_macs_per_sample": (from_input if analogue else 0) / n,
        "activation_sparsity": activation_sparsity(sum(n_spikes), sum(n_neurons) * steps * n),
    }
    rates = {
        name: spikes / (neurons * steps * n)
        for name, spikes, neurons in zip(network.names, n_spikes, n_neurons, strict=True)
    }
    return Evaluation(metrics, rates, torch.cat(tally.predictions).cpu().numpy())
