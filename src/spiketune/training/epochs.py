"""A training epoch by epoch, whatever is trained and by what rule: resumable, bit for bit.

Every random number of an epoch comes from generators that are seeded for that epoch, so what a
checkpoint holds is the network, whatever state its rule keeps, and a few counts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, final

import torch
from torch import Generator, Tensor, nn

from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Splits
from spiketune.seeding import child_seed
from spiketune.snn.networks import n_parameters
from spiketune.training import checkpoint as checkpoints
from spiketune.training.checkpoint import Checkpoint
from spiketune.training.evaluation import Evaluation
from spiketune.training.progress import Metrics, Progress, StoppedBy
from spiketune.training.stopping import PatienceCount, SilenceCount

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


@dataclass(frozen=True, slots=True)
class TrainedEpoch:
    """What came of the training part of an epoch.

    Attributes:
        metrics: `train_accuracy` and `train_loss`.
        silence: Silent samples.
        stopped_by: The rule that ended the epoch early, if one did.
        patience: Batches without improvement, where that is counted.
    """

    metrics: Metrics
    silence: SilenceCount
    stopped_by: StoppedBy | None = None
    patience: PatienceCount = field(default_factory=PatienceCount)


@dataclass(frozen=True, slots=True)
class Validated:
    """What validation measured, and the seconds that it took."""

    found: Evaluation
    seconds: float


class EpochTraining(ABC):
    """One training of one network; a kind of network says how it is trained and measured.

    Args:
        config: The trial section.
        splits: Training and validation data.
        seed: Of this trial: weights, order, encodings of the training data.
        study_seed: Shared by all trials: encodings of the validation data.
        checkpoint: File to resume from and to write; None for no checkpoints.
        on_epoch: Called with the number of epochs done and the metrics after each of them.
        should_stop: Polled before each batch; true ends the training as `interrupted`.

    Attributes:
        network: The network being trained.
        device: Where it is trained.
        paths: Which ways through the code were chosen for it, where there is a choice.
    """

    network: nn.Module
    device: torch.device
    paths: Mapping[str, str] = MappingProxyType({})

    @final
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
        self.min_spikes = config.min_spikes
        self._progress = Progress()
        self._written_s = 0.0
        self._kept: Checkpoint | None = None
        self._build(splits)

    @abstractmethod
    def _build(self, splits: Splits) -> None:
        """Make the network, and whatever else the training needs, from `_config` and `_seed`."""

    @abstractmethod
    def _train_epoch(self, epoch: int) -> TrainedEpoch | None:
        """Train for an epoch, counted from 0; None if asked to stop in the middle of it."""

    @abstractmethod
    def _validate(self) -> Evaluation:
        """Measure the network on the validation split."""

    @abstractmethod
    def _tensors(self) -> dict[str, Tensor]:
        """Copies of all that the next epoch depends on, on the CPU."""

    @abstractmethod
    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `_tensors` took.

        Raises:
            ValueError: If the tensors are of another network.
            KeyError: If one is missing.
        """

    @final
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
            self._restore(found.tensors)
        except (ValueError, KeyError, OSError) as error:
            _log.warning("starting from the beginning: %s", error)
            return 0
        self._progress, self._written_s = progress, progress.cost_s
        return progress.epochs_done

    @final
    def run(self) -> Outcome:
        """Train to the end, from where `resume` left off.

        Raises:
            TrialError: If the loss or a weight is not finite (kind `nan`).
        """
        self.begin()
        while not self.over:
            started_s = time.perf_counter()
            trained = self._train_epoch(self._progress.epochs_done)
            if not self.end_epoch(trained, time.perf_counter() - started_s):
                break
        return self.outcome

    # What `run` is made of, for those who train several at once.

    @final
    def begin(self) -> None:
        """Note where the training stands before the first epoch of this run."""
        self._kept = self._take_checkpoint()
        self._write_snapshot(self._kept)

    @final
    @property
    def over(self) -> bool:
        """Whether there is nothing left to train."""
        done = self._progress.epochs_done >= self._config.training.epochs
        return done or self._progress.stopped_by is not None

    @final
    def end_epoch(
        self, trained: TrainedEpoch | None, trained_s: float, validated: Validated | None = None
    ) -> bool:
        """Validate, note what was measured, tell the caller, and write what is to be kept.

        Args:
            trained: What came of the epoch; None if it was cut off.
            trained_s: Seconds that it took.
            validated: What validation measured, where it is known already.

        Returns:
            False if the epoch was cut off: it will have to be trained again.
        """
        if trained is None:
            self._progress = self._progress.losing(trained_s)
            self._write(replace(self._kept, facts=self._facts()) if self._kept else None)
            return False
        if validated is None:
            started_s = time.perf_counter()
            validated = Validated(self._validate(), time.perf_counter() - started_s)
        self._close_epoch(trained, trained_s, validated)
        self._kept = self._take_checkpoint()
        self._write_snapshot(self._kept)
        if self.over or self._progress.cost_s - self._written_s >= CHECKPOINT_EVERY_S:
            self._write(self._kept)
        return True

    @final
    @property
    def outcome(self) -> Outcome:
        """What came of the training so far."""
        if not self.over:
            return self._outcome("interrupted")
        return self._outcome("silent" if self._progress.stopped_by == "silence" else "finished")

    def _close_epoch(self, trained: TrainedEpoch, trained_s: float, validated: Validated) -> None:
        found = validated.found
        before, silence, count = self._progress, self._config.silence, trained.silence
        if trained.stopped_by == "patience":
            count = count.ended_by_another_rule()
        named = {"accuracy": "validation_accuracy", "loss": "validation_loss"}
        measured = {named.get(name, name): value for name, value in found.metrics.items()}
        metrics = {**measured, **trained.metrics}
        self._progress = replace(
            before,
            epochs_done=before.epochs_done + 1,
            history=(*before.history, metrics),
            firing_rates=found.firing_rates,
            patience=trained.patience,
            silence=None if silence is None else count.constraint(silence),
            stopped_by=trained.stopped_by,
            train_s=before.train_s + trained_s,
            validation_s=before.validation_s + validated.seconds,
        )
        self._on_epoch(self._progress.epochs_done, self._measured())

    @final
    @property
    def progress(self) -> Progress:
        """Where the training stands."""
        return self._progress

    def _measured(self) -> Metrics:
        """What the last epoch measured, the size of the network and the cost so far."""
        if not self._progress.history:
            return {}
        size, cost_s = n_parameters(self.network), self._progress.cost_s
        return {**self._progress.history[-1], "n_parameters": size, "cost_s": cost_s}

    def _outcome(self, ended: HowEnded) -> Outcome:
        return Outcome(ended, self._measured(), self._progress)

    def _generator(self, purpose: str, epoch: int) -> Generator:
        return Generator(self.device).manual_seed(child_seed(self._seed, purpose, epoch))

    def _facts(self) -> dict[str, Any]:
        fingerprint = training_fingerprint(self._config, self._seed, self._study_seed)
        return {"training": fingerprint, "progress": self._progress.to_facts()}

    def _take_checkpoint(self) -> Checkpoint | None:
        return None if self._path is None else Checkpoint(self._tensors(), self._facts())

    def _write_snapshot(self, checkpoint: Checkpoint | None) -> None:
        epoch = self._progress.epochs_done
        wanted = epoch in self._config.training.snapshots
        if wanted and checkpoint is not None and self._path is not None:
            checkpoints.save(checkpoints.snapshot_file(self._path, epoch), checkpoint)

    def _write(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is not None and self._path is not None:
            checkpoints.save(self._path, checkpoint)
            self._written_s = self._progress.cost_s


def training_fingerprint(config: TrainingTrial, seed: int, study_seed: int) -> str:
    """Tells trainings apart; the same for more epochs or snapshots, or on another device."""
    section: Mapping[str, Any] = config.model_dump(
        mode="json", exclude={"device": True, "seed": True, "training": {"epochs", "snapshots"}}
    )
    text = json.dumps([section, seed, study_seed], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
