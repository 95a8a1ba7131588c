"""Training a network of layers by gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Generator, Tensor

from spiketune.config.architecture import plan_layers
from spiketune.data.splits import Splits
from spiketune.errors import TrialError
from spiketune.metrics.activity import n_silent
from spiketune.seeding import child_seed
from spiketune.snn.networks import SpikingNetwork, n_parameters
from spiketune.training import checkpoint as checkpoints
from spiketune.training.batches import Samples, SomeSamples, SparseSamples, on_device
from spiketune.training.devices import resolve_device
from spiketune.training.epochs import EpochTraining, TrainedEpoch
from spiketune.training.evaluation import BATCH_SIZE, Evaluation, evaluate
from spiketune.training.fused import FusedGradients
from spiketune.training.losses import build_loss
from spiketune.training.optimizers import build_optimizer, learning_rate, set_learning_rate
from spiketune.training.paths import choose_paths
from spiketune.training.progress import EpochTally, Metrics
from spiketune.training.stopping import SilenceCount


@final
class Trainer(EpochTraining):
    """One training of one network of layers; see `EpochTraining`.

    The learning rate is a function of the epoch, so weights, optimiser state and a few counts
    are all that a checkpoint holds.

    Raises:
        DeviceError: If the device asked for is not there.
        ConfigError: If the network cannot be built.
    """

    network: SpikingNetwork

    def _build(self, splits: Splits) -> None:
        config = self._config
        self.device = resolve_device(config.device)
        self._train: Samples = on_device(splits.train, self.device, config.dataset)
        self._validation: Samples = on_device(splits.validation, self.device, config.dataset)
        plans = plan_layers(
            config.layered, self._train.input_shape, splits.n_classes, config.dataset.dt_ms
        )
        self.network = SpikingNetwork(plans, self._seed).to(self.device)
        paths = choose_paths(self.network, self._train, config.training)
        self.paths = paths.to_note()
        if paths.input == "events":
            self._train = SparseSamples(self._train)
            self._validation = SparseSamples(self._validation)
        self._fused: FusedGradients | None = None
        if paths.step == "fused":
            self._fused = FusedGradients(self.network, config.training, self._train.steps)
        self._optimizer = build_optimizer(config.training.optimizer, self.network)
        self._loss = build_loss(config.training)

    def _train_epoch(self, epoch: int) -> TrainedEpoch | None:
        set_learning_rate(self._optimizer, learning_rate(self._config.training, epoch))
        self.network.anneal(epoch / self._config.training.epochs)
        order = torch.randperm(
            len(self._train),
            generator=Generator().manual_seed(child_seed(self._seed, "order", epoch)),
        ).to(self.device)
        encoding, dropout = self._generator("encoding", epoch), self._generator("dropout", epoch)
        tally = EpochTally(SilenceCount(len(self._train)), self._progress.patience)
        for which in torch.split(order, self._config.training.batch_size):
            if self._should_stop():
                return None
            loss, correct, silent = self._train_batch(which, encoding, dropout).tolist()
            if not math.isfinite(loss):
                raise TrialError("nan", f"the loss became {loss} in epoch {epoch + 1}")
            tally = tally.after(
                self._config,
                epoch,
                len(which),
                loss=loss,
                correct=int(correct),
                silent=int(silent),
            )
            if tally.stopped_by is not None:
                break
        self._check_weights(epoch)
        return TrainedEpoch(tally.metrics, tally.silence, tally.stopped_by, tally.patience)

    def _train_batch(self, which: Tensor, encoding: Generator, dropout: Generator) -> Tensor:
        """One step of the optimiser; mean loss, correct and silent samples, (3,)."""
        inputs, labels = self._train.given(which, encoding)
        if self._fused is not None:
            told = self._fused(inputs, labels)
            self._optimizer.step()
            return told.summary(labels, self.min_spikes)
        activity = self.network(inputs, self._train.steps, dropout)
        loss = self._loss(activity, labels)
        self._optimizer.zero_grad(set_to_none=True)
        loss.minimised.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        with torch.no_grad():
            correct = (self._loss.scores(activity).argmax(dim=1) == labels).sum()
            return torch.stack([loss.mean, correct, n_silent(activity.counts, self.min_spikes)])

    def _check_weights(self, epoch: int) -> None:
        # Weights that are no numbers make no spikes, and a finite loss: they need a look.
        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):
            raise TrialError("nan", f"weights became infinite or no numbers in epoch {epoch + 1}")

    def probe(self) -> Metrics | None:
        """What the untrained network measures, if all samples looked at are silent.

        One batch of the training data, and if that is silent one of the validation data.

        Returns:
            The metrics of an epoch without training; None if any sample is not silent.
        """
        measured = {}
        for split, samples in (("train", self._train), ("validation", self._validation)):
            some = SomeSamples(samples, BATCH_SIZE)
            found = evaluate(
                self.network, some, self._config, study_seed=self._study_seed, split=split
            ).metrics
            if found["silent_share"] < 1.0:
                return None
            measured[split] = found
        train, validation = measured["train"], measured["validation"]
        named = {"accuracy": "validation_accuracy", "loss": "validation_loss"}
        return {
            **{named.get(name, name): value for name, value in validation.items()},
            "train_accuracy": train["accuracy"],
            "train_loss": train["loss"],
            "n_parameters": n_parameters(self.network),
        }

    def _validate(self) -> Evaluation:
        return evaluate(self.network, self._validation, self._config, study_seed=self._study_seed)

    def _tensors(self) -> dict[str, Tensor]:
        return checkpoints.tensors_of(self.network, self._optimizer)

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        checkpoints.restore(tensors, self.network, self._optimizer)
