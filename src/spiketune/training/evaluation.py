"""Measuring a network on a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from spiketune.config.training import TrainingTrial
from spiketune.metrics.activity import n_silent
from spiketune.metrics.energy import activation_sparsity
from spiketune.seeding import child_seed
from spiketune.snn.networks import Activity, SpikingNetwork
from spiketune.snn.sparse import Input
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


Counts = Sequence[Tensor | None]


@dataclass(slots=True)
class _Tally:
    """Sums over the batches.

    `input_counts` tells how often each input of a layer was used, (*inputs) each: spikes that
    reached it before the last step, or values that are not zero where none are sent;
    `spike_counts` how often each neuron spiked, (*outputs) each, None of layers that never do.
    """

    loss: float = 0.0
    correct: int = 0
    silent: int = 0
    predictions: list[Tensor] = field(default_factory=list)
    input_counts: Counts = ()
    spike_counts: Counts = ()

    def add(self, network: SpikingNetwork, inputs: Input, activity: Activity, steps: int) -> None:
        emitted: list[Tensor | None] = []
        reaching = [_n_values(inputs, steps)]
        for layer, own, sent in zip(network.layers, activity.layers, activity.sent, strict=True):
            if own.spikes is None:
                emitted.append(None)
                reaching.append(_n_values(sent, steps))
            else:
                at_steps = own.spikes.count_nonzero(dim=1)
                emitted.append(at_steps.sum(dim=0))
                reaching.append(layer.n_arriving(at_steps))
        self.input_counts = _added(self.input_counts, reaching[:-1])
        self.spike_counts = _added(self.spike_counts, emitted)


def _n_values(values: Input, steps: int) -> Tensor:
    """How often each value is not zero; what is the same at every step is there once."""
    return values.count_nonzero(dim=(0, 1)) * (steps // len(values))


def _added(before: Counts, more: Counts) -> list[Tensor | None]:
    if not before:
        return list(more)
    pairs = zip(before, more, strict=True)
    return [None if a is None or b is None else a + b for a, b in pairs]


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
    loss_function = build_loss(config.training)
    min_spikes = config.min_spikes
    tally = _Tally()
    for first in range(0, len(data), BATCH_SIZE):
        generator = Generator(data.labels.device).manual_seed(
            child_seed(study_seed, "encoding", split, first // BATCH_SIZE)
        )
        inputs, labels = data.given(slice(first, first + BATCH_SIZE), generator)
        activity = network(inputs, data.steps)
        predictions = loss_function.scores(activity).argmax(dim=1)
        tally.loss += float(loss_function(activity, labels).mean) * len(labels)
        tally.correct += int((predictions == labels).sum())
        tally.silent += int(n_silent(activity.counts, min_spikes))
        tally.predictions.append(predictions)
        tally.add(network, inputs, activity, data.steps)
    return _evaluation(tally, network, data)


def _evaluation(tally: _Tally, network: SpikingNetwork, data: Samples) -> Evaluation:
    n, analogue, operations = len(data), data.analogue, {"acs": 0, "macs": 0}
    n_spikes: dict[str, int] = {}
    n_possible: dict[str, int] = {}
    for name, layer, reaching, emitted in zip(
        network.names, network.layers, tally.input_counts, tally.spike_counts, strict=True
    ):
        if reaching is not None:
            operations["macs" if analogue else "acs"] += layer.operations(reaching)
        if emitted is not None:
            n_spikes[name] = int(emitted.sum())
            n_possible[name] = emitted.numel() * data.steps * n
            operations["acs"] += layer.neurons.operations(emitted)
        analogue = emitted is None
    metrics = {
        "accuracy": tally.correct / n,
        "loss": tally.loss / n,
        "spikes_per_sample": sum(n_spikes.values()) / n,
        "silent_share": tally.silent / n,
        "effective_acs_per_sample": operations["acs"] / n,
        "effective_macs_per_sample": operations["macs"] / n,
        "activation_sparsity": activation_sparsity(
            sum(n_spikes.values()), sum(n_possible.values())
        ),
    }
    rates = {name: spikes / n_possible[name] for name, spikes in n_spikes.items()}
    return Evaluation(metrics, rates, torch.cat(tally.predictions).cpu().numpy())
