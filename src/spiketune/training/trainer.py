"""Training a network epoch by epoch: resumable, and the same whether interrupted or not.

Every random number of an epoch comes from generators that are seeded for that epoch, and the
learning rate is a function of the epoch. So weights, optimiser state and a few counts are all
that a checkpoint holds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import torch
from torch import Generator, Tensor

from spiketune.config.architecture import plan_layers
from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Splits
from spiketune.errors import TrialError
from spiketune.metrics.activity import n_silent
from spiketune.seeding import child_seed
from spiketune.snn.networks import SpikingNetwork, n_parameters
from spiketune.training import checkpoint as checkpoints
from spiketune.training.batches import Samples, SparseSamples, on_device
from spiketune.training.checkpoint import Checkpoint
from spiketune.training.devices import resolve_device
from spiketune.training.evaluation import Evaluation, evaluate
from spiketune.training.fused import FusedGradients
from spiketune.training.losses import build_loss
from spiketune.training.optimizers import build_optimizer, learning_rate, set_learning_rate
from spiketune.training.paths import choose_paths
from spiketune.training.progress import EpochTally, Metrics, Progress
from spiketune.training.stopping import SilenceCount

# Writing takes milliseconds: at most about one in a hundred of the time is spent on it.
CHECKPOINT_EVERY_S: Final = 1.0

_log = logging.getLogger(__name__)

HowEnded: TypeAlias = Literal["finished", "silent", "interrupted"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a training.

    Attributes:
        ended: `interrupted` means that the checkpoint holds the epochs done, and no more.
        metrics: Of the last epoch, with `n_parameters` and `cost_s`; empty before the first.
        progress: Where the training stands.
    """

    ended: HowEnded
    metrics: Metrics
    progress: Progress


class Trainer:
    """One training of one network.

    Args:
        config: The trial section.
        splits: Training and validation data.
        seed: Of this trial: weights, order, encodings of the training data, dropout.
        study_seed: Shared by all trials: encodings of the validation data.
        checkpoint: File to resume from and to write; None for no checkpoints.
        on_epoch: Called with the number of epochs done and the metrics after each of them.
        should_stop: Polled before each batch; true ends the training as `interrupted`.

    Attributes:
        network: The network being trained.
        paths: The ways through the code that were chosen for it.

    Raises:
        DeviceError: If the device asked for is not there.
        ConfigError: If the network cannot be built.
    """

    def __init__(
        self,
        config: TrainingTrial,
        splits: Splits,
        *,
        seed: int,
        study_seed: int,
        checkpoint: Path | None = None,
        on_epoch: Callable[[int, Metrics], None] = lambda epoch, metrics: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config, self._seed, self._study_seed = config, seed, study_seed
        self._path, self._on_epoch, self._should_stop = checkpoint, on_epoch, should_stop
        self.device = resolve_device(config.device)
        self._train: Samples = on_device(splits.train, self.device, config.dataset)
        self._validation: Samples = on_device(splits.validation, self.device, config.dataset)
        plans = plan_layers(
            config.network, self._train.input_shape, splits.n_classes, config.dataset.dt_ms
        )
        self.network = SpikingNetwork(plans, seed).to(self.device)
        self.paths = choose_paths(self.network, self._train, config.training)
        if self.paths.input == "events":
            self._train = SparseSamples(self._train)
            self._validation = SparseSamples(self._validation)
        self._fused: FusedGradients | None = None
        if self.paths.step == "fused":
            self._fused = FusedGradients(self.network, config.training, self._train.steps)
        self._optimizer = build_optimizer(config.training.optimizer, self.network)
        self._loss = build_loss(config.training)
        self._min_spikes = 1 if config.silence is None else config.silence.min_spikes
        self._progress = Progress()
        self._written_s = 0.0

    def resume(self) -> int:
        """Take up the checkpoint, if there is one of this very training.

        Returns:
            Number of epochs done, 0 for a fresh start.
        """
        if self._path is None or not self._path.exists():
            return 0
        try:
            found = checkpoints.load(self._path)
            if found.facts.get("training") != self._facts()["training"]:
                raise ValueError(f"{self._path} is of another training")
            progress = Progress.from_facts(found.facts["progress"])
            checkpoints.restore(found.tensors, self.network, self._optimizer)
        except (ValueError, KeyError, OSError) as error:
            _log.warning("starting from the beginning: %s", error)
            return 0
        self._progress, self._written_s = progress, progress.cost_s
        return progress.epochs_done

    def run(self) -> Outcome:
        """Train to the end, from where `resume` left off.

        Raises:
            TrialError: If the loss or a weight is not finite (kind `nan`).
        """
        kept = self._take_checkpoint()
        while not self._over:
            started_s = time.perf_counter()
            tally = self._train_epoch(self._progress.epochs_done)
            trained_s = time.perf_counter() - started_s
            if tally is None:
                self._progress = self._progress.losing(trained_s)
                self._write(replace(kept, facts=self._facts()) if kept else None)
                return self._outcome("interrupted")
            self._close_epoch(tally, trained_s)
            kept = self._take_checkpoint()
            if self._over or self._progress.cost_s - self._written_s >= CHECKPOINT_EVERY_S:
                self._write(kept)
        return self._outcome("silent" if self._progress.stopped_by == "silence" else "finished")

    @property
    def _over(self) -> bool:
        done = self._progress.epochs_done >= self._config.training.epochs
        return done or self._progress.stopped_by is not None

    def _train_epoch(self, epoch: int) -> EpochTally | None:
        """Train for one epoch; None if asked to stop in the middle of it."""
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
        return tally

    def _train_batch(self, which: Tensor, encoding: Generator, dropout: Generator) -> Tensor:
        """One step of the optimiser; mean loss, correct and silent samples, (3,)."""
        inputs, labels = self._train.batch(which, encoding)
        if self._fused is not None:
            told = self._fused(inputs, labels)
            self._optimizer.step()
            return told.summary(labels, self._min_spikes)
        activity = self.network(inputs, self._train.steps, dropout)
        loss = self._loss(activity, labels)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        with torch.no_grad():
            correct = (self._loss.scores(activity).argmax(dim=1) == labels).sum()
            return torch.stack([loss, correct, n_silent(activity.counts, self._min_spikes)])

    def _check_weights(self, epoch: int) -> None:
        # Weights that are no numbers make no spikes, and a finite loss: they need a look.
        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):
            raise TrialError("nan", f"weights became infinite or no numbers in epoch {epoch + 1}")

    def _close_epoch(self, tally: EpochTally, trained_s: float) -> None:
        """Validate, note what was measured, and tell the caller."""
        started_s = time.perf_counter()
        found = evaluate(self.network, self._validation, self._config, study_seed=self._study_seed)
        validated_s = time.perf_counter() - started_s
        before, silence = self._progress, self._config.silence
        metrics = {**_validation_metrics(found), **tally.metrics}
        self._progress = replace(
            before,
            epochs_done=before.epochs_done + 1,
            history=(*before.history, metrics),
            firing_rates=found.firing_rates,
            patience=tally.patience,
            silence=None if silence is None else tally.silence.constraint(silence),
            stopped_by=tally.stopped_by,
            train_s=before.train_s + trained_s,
            validation_s=before.validation_s + validated_s,
        )
        self._on_epoch(self._progress.epochs_done, metrics)

    def _outcome(self, ended: HowEnded) -> Outcome:
        metrics: dict[str, float] = {}
        if self._progress.history:
            metrics.update(self._progress.history[-1])
            metrics["n_parameters"] = n_parameters(self.network)
            metrics["cost_s"] = self._progress.cost_s
        return Outcome(ended, metrics, self._progress)

    def _generator(self, purpose: str, epoch: int) -> Generator:
        return Generator(self.device).manual_seed(child_seed(self._seed, purpose, epoch))

    def _facts(self) -> dict[str, Any]:
        fingerprint = training_fingerprint(self._config, self._seed, self._study_seed)
        return {"training": fingerprint, "progress": self._progress.to_facts()}

    def _take_checkpoint(self) -> Checkpoint | None:
        if self._path is None:
            return None
        return Checkpoint(checkpoints.tensors_of(self.network, self._optimizer), self._facts())

    def _write(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is not None and self._path is not None:
            checkpoints.save(self._path, checkpoint)
            self._written_s = self._progress.cost_s


def training_fingerprint(config: TrainingTrial, seed: int, study_seed: int) -> str:
    """Tells trainings apart; the same for more epochs, or on another device."""
    section: Mapping[str, Any] = config.model_dump(
        mode="json", exclude={"device": True, "training": {"epochs"}}
    )
    text = json.dumps([section, seed, study_seed], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _validation_metrics(found: Evaluation) -> dict[str, float]:
    named = {"accuracy": "validation_accuracy", "loss": "validation_loss"}
    return {named.get(name, name): value for name, value in found.metrics.items()}
