"""Training a network of first spike times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, final

import torch
from torch import Generator, Tensor

from spiketune.config.first_spike import FirstSpike, is_plain
from spiketune.data.splits import Splits
from spiketune.errors import TrialError
from spiketune.snn.first_spike import FirstSpikeNetwork
from spiketune.training import checkpoint as checkpoints
from spiketune.training.batches import on_device
from spiketune.training.epochs import EpochTraining, TrainedEpoch
from spiketune.training.evaluation import Evaluation
from spiketune.training.first_spike_epochs import train_epoch
from spiketune.training.first_spike_evaluation import evaluate_pack, evaluate_timed
from spiketune.training.first_spike_raising import WeightRaising
from spiketune.training.first_spike_rates import build_scaled
from spiketune.training.first_spike_samples import TimedSamples
from spiketune.training.first_spike_steps import PackSteps, Steps, TapeSteps

CPU: Final = torch.device("cpu")


@final
class FirstSpikeTrainer(EpochTraining):
    """One training by exact gradients of spike times; see `EpochTraining`.

    A batch in which a layer misses too many spikes is no step of the optimiser: the weights to
    that layer are raised instead.

    Attributes:
        optimizer: Of the network's parameters.
        raising: Of the network.
        train_samples: Of the training split.
        validation_samples: Of the validation split.
    """

    network: FirstSpikeNetwork

    def _build(self, splits: Splits) -> None:
        config = self._config
        if not isinstance(config.network, FirstSpike):
            raise ValueError(f"a network of `kind: {config.network.kind}` is not for this trainer")
        self.device, rule = CPU, config.network
        self.train_samples = TimedSamples(on_device(splits.train, CPU, config.dataset), rule)
        held_out = on_device(splits.validation, CPU, config.dataset)
        self.validation_samples = TimedSamples(held_out, rule)
        n_inputs = self.train_samples.n_inputs
        self.network = FirstSpikeNetwork(rule, n_inputs, splits.n_classes, self._seed)
        self.optimizer = build_scaled(config.training, [self.network])
        self.raising = WeightRaising(self.network)
        kind = PackSteps if is_plain(rule) else TapeSteps
        self._steps: Steps = kind(
            [self.network], [self.raising], self.train_samples, self.optimizer, self.min_spikes
        )
        self.paths = {"gradients": "plain" if is_plain(rule) else "autograd"}

    @property
    def step_log(self) -> tuple[int, ...]:
        """What every step did: -2 trained, -1 raised the output's weights, else which layer's."""
        return tuple(self.raising.log)

    def _train_epoch(self, epoch: int) -> TrainedEpoch | None:
        so_far = [self._progress.patience]
        ends = train_epoch(
            self._steps, self._config, epoch, [self._seed], so_far, self._should_stop
        )
        if ends is None:
            return None
        if isinstance(ends[0], TrialError):
            raise ends[0]
        return ends[0]

    def _train_batch(self, which: Tensor, noise: Generator) -> tuple[float, int, int]:
        """One step; mean loss, correct and silent samples."""
        told = self._steps(which.unsqueeze(0), [noise], [True])[0]
        if not math.isfinite(told.loss):
            raise TrialError("nan", f"the loss became {told.loss}")
        return told.loss, told.correct, told.silent

    def _validate(self) -> Evaluation:
        if isinstance(self._steps, PackSteps):
            gradients, data = self._steps.gradients, self.validation_samples
            return evaluate_pack([self.network], gradients, data, self._config)[0]
        return evaluate_timed(self.network, self.validation_samples, self._config, self._study_seed)

    def _tensors(self) -> dict[str, Tensor]:
        return {**checkpoints.tensors_of(self.network, self.optimizer), **self.raising.tensors()}

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.raising.restore(tensors)
        rest = {name: v for name, v in tensors.items() if name not in self.raising.tensors()}
        checkpoints.restore(rest, self.network, self.optimizer)
