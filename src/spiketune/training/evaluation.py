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

    `input_counts` tells how often what reaches each layer was not zero, (*inputs) each;
    `spike_counts` how often each neuron spiked, (*outputs) each, None of layers that never do.
    """

    loss: float = 0.0
    correct: int = 0
    silent: int = 0
    predictions: list[Tensor] = field(default_factory=list)
    input_counts: Counts = ()
    spike_counts: Counts = ()

    def add(self, inputs: Input, activity: Activity, steps: int) -> None:
        own = [layer.spikes for layer in activity.layers]
        emitted = [None if spikes is None else spikes.count_nonzero(dim=(0, 1)) for spikes in own]
        # What a layer sends is most often its spikes, which are counted already.
        sent = [
            counts
            if counts is not None and values is spikes
            # What is the same at every step is there once, and counts at every step.
            else values.count_nonzero(dim=(0, 1)) * (steps // len(values))
            for counts, values, spikes in zip(
                [None, *emitted[:-1]],
                [inputs, *activity.sent[:-1]],
                [None, *own[:-1]],
                strict=True,
            )
        ]
        self.input_counts = _added(self.input_counts, sent)
        self.spike_counts = _added(self.spike_counts, emitted)


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
        tally.loss += float(loss_function(activity, labels)) * len(labels)
        tally.correct += int((predictions == labels).sum())
        tally.silent += int(n_silent(activity.counts, min_spikes))
        tally.predictions.append(predictions)
        tally.add(inputs, activity, data.steps)
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
