"""Training the network of Diehl & Cook, which learns without labels, and measuring it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
import torch
from torch import Generator, Tensor

from spiketune.config.stdp import NEEDS_SPIKES, Stdp
from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Splits
from spiketune.errors import ConfigError, TrialError
from spiketune.metrics.energy import activation_sparsity, effective_operations
from spiketune.seeding import child_seed
from spiketune.snn.readouts import Integers, cross_entropy
from spiketune.snn.stdp import Response, StdpNetwork
from spiketune.training.batches import Samples, on_device
from spiketune.training.epochs import EpochTraining, TrainedEpoch
from spiketune.training.evaluation import Evaluation
from spiketune.training.stopping import SilenceCount

CPU: Final = torch.device("cpu")
# Samples encoded at once: enough to hide the cost of a call, few enough for the cache. Constant,
# so that every trial of a study draws the same validation spikes.
BLOCK: Final = 32


@final
class StdpTrainer(EpochTraining):
    """One training of one network by spike timing; see `EpochTraining`.

    An epoch presents the training samples in an order of its own, each once or, with a
    `batch_size` above its default of 1, so many side by side. Then the last of them are shown
    again, with nothing changing, to label the neurons; on these `train_accuracy` and
    `train_loss` are measured.

    Raises:
        ConfigError: If the input is no spikes.
    """

    network: StdpNetwork

    def _build(self, splits: Splits) -> None:
        config = self._config
        if not isinstance(config.network, Stdp):
            raise ValueError(f"a network of `kind: {config.network.kind}` is not for this trainer")
        self.device = CPU
        self._rule = config.network
        self._train = on_device(splits.train, CPU, config.dataset)
        self._validation = on_device(splits.validation, CPU, config.dataset)
        if self._train.analogue:
            raise ConfigError("trial.dataset.encoding", NEEDS_SPIKES)
        self._batch_size = batch_size(config)
        self.network = StdpNetwork(
            self._rule,
            self._train.n_inputs,
            splits.n_classes,
            config.dataset.dt_ms or 1.0,
            self._seed,
        )

    def _train_epoch(self, epoch: int) -> TrainedEpoch | None:
        order = torch.randperm(
            len(self._train),
            generator=Generator().manual_seed(child_seed(self._seed, "order", epoch)),
        )
        learned = self._learn(order, self._generator("encoding", epoch))
        if learned is None:
            return None
        if not bool(self.network.weights.isfinite().all()):
            raise TrialError("nan", f"weights became infinite or no numbers in epoch {epoch + 1}")
        silence, stopped = learned
        n_done = silence.silent + silence.speaking
        recent = order[max(0, n_done - self._rule.label_samples) : n_done]
        metrics = self._label(recent, self._generator("labelling", epoch))
        if metrics is None:
            return None
        return TrainedEpoch(metrics, silence, "silence" if stopped else None)

    def _learn(self, order: Tensor, encoding: Generator) -> tuple[SilenceCount, bool] | None:
        """Present samples; silent ones, and whether they were too many. None if interrupted."""
        silence, rule = SilenceCount(len(self._train)), self._config.silence
        at_once = self._batch_size * max(1, BLOCK // self._batch_size)
        for which in torch.split(order, at_once):
            if self._should_stop():
                return None
            inputs, _ = self._train.batch(which, encoding)
            for first in range(0, len(which), self._batch_size):
                together = slice(first, first + self._batch_size)
                response = self.network.learn(inputs, together)
                per_sample = response.counts.sum(axis=1)
                silent = int((per_sample < self.min_spikes).sum())
                silence = silence.after(silent=silent, batch=len(per_sample))
                if rule is not None and silence.exceeds(rule):
                    return silence, True
        return silence, False

    def _label(self, which: Tensor, encoding: Generator) -> dict[str, float] | None:
        """Give the neurons their classes; accuracy and loss there, or None if interrupted."""
        tally, seen = _Tally(), self._labels(which)
        for part in torch.split(which, BLOCK):
            if self._should_stop():
                return None
            inputs, _ = self._train.batch(part, encoding)
            tally.add(self.network, self.network(inputs))
        counts, pairs, of = tally.gathered()
        self.network.label(counts, pairs, of, seen)
        scores = self.network.scores(counts, pairs, of)
        return {
            "train_accuracy": float((scores.argmax(axis=1) == seen).mean()),
            "train_loss": float(cross_entropy(scores, seen).mean()),
        }

    def _labels(self, which: Tensor) -> Integers:
        return self._train.labels[which].numpy()

    def _validate(self) -> Evaluation:
        return evaluate(self.network, self._validation, self._config, study_seed=self._study_seed)

    def _tensors(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.network.state_dict().items()}

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.network.restore(tensors)


def batch_size(config: TrainingTrial) -> int:
    """Samples presented side by side: 1 unless the configuration says otherwise."""
    given = "batch_size" in config.training.model_fields_set
    return config.training.batch_size if given else 1


@dataclass(slots=True)
class _Tally:
    """Responses to samples, one block after the other."""

    counts: list[Integers] = field(default_factory=list)
    keys: list[Integers] = field(default_factory=list)
    samples: list[Integers] = field(default_factory=list)
    n_inhibitory: int = 0
    _n: int = 0

    def add(self, network: StdpNetwork, response: Response) -> None:
        samples, keys = network.pairs(response)
        self.counts.append(response.counts)
        self.keys.append(keys)
        self.samples.append(samples + self._n)
        self.n_inhibitory += int(response.inhibitory_counts.sum())
        self._n += len(response.inhibitory_counts)

    def gathered(self) -> tuple[Integers, Integers, Integers]:
        """Counts, keys of the pairs, and their samples, over all blocks."""
        return np.concatenate(self.counts), np.concatenate(self.keys), np.concatenate(self.samples)


@torch.inference_mode()
def evaluate(
    network: StdpNetwork,
    data: Samples,
    config: TrainingTrial,
    *,
    study_seed: int,
    split: str = "validation",
) -> Evaluation:
    """Measure a network on a split; nothing changes in it.

    The loss is the cross-entropy of the classes' shares in the readout's scores.

    Args:
        network: With its neurons labelled.
        data: The samples.
        config: The trial section: when a sample counts as silent.
        study_seed: Draws the spikes of an encoding, the same for all trials of a study.
        split: Name of the split, which draws of its own.
    """
    tally = _Tally()
    input_counts = torch.zeros(data.n_inputs, dtype=torch.int64)
    for inputs in _blocks(data, study_seed, split):
        input_counts += inputs.count_nonzero(dim=(0, 1))
        tally.add(network, network(inputs))
    counts, pairs, of = tally.gathered()
    scores, labels = network.scores(counts, pairs, of), data.labels.numpy()
    predictions = scores.argmax(axis=1)
    n, N, n_spikes = len(data), counts.shape[1], int(counts.sum())
    # One connection from a neuron to its partner, and N - 1 from there.
    accumulated = effective_operations(input_counts, network.weights.T)
    accumulated += n_spikes + tally.n_inhibitory * (N - 1)
    all_spikes, steps = n_spikes + tally.n_inhibitory, data.steps
    min_spikes = config.min_spikes
    metrics = {
        "accuracy": float((predictions == labels).mean()),
        "loss": float(cross_entropy(scores, labels).mean()),
        "spikes_per_sample": all_spikes / n,
        "silent_share": float((counts.sum(axis=1) < min_spikes).mean()),
        "effective_acs_per_sample": accumulated / n,
        "effective_macs_per_sample": 0.0,
        "activation_sparsity": activation_sparsity(all_spikes, 2 * N * steps * n),
    }
    spikes = dict(zip(network.names, (n_spikes, tally.n_inhibitory), strict=True))
    rates = {name: number / (N * steps * n) for name, number in spikes.items()}
    return Evaluation(metrics, rates, predictions.astype(np.int64))


def _blocks(data: Samples, study_seed: int, split: str) -> Iterator[Tensor]:
    for first in range(0, len(data), BLOCK):
        generator = Generator().manual_seed(
            child_seed(study_seed, "encoding", split, first // BLOCK)
        )
        yield data.batch(slice(first, first + BLOCK), generator)[0]
