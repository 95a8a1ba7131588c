"""How far a training got, as a value that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

from spiketune.config.training import TrainingTrial
from spiketune.training.stopping import PatienceCount, SilenceCount

StoppedBy: TypeAlias = Literal["silence", "patience"]
Metrics: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EpochTally:
    """Sums over the batches of a running epoch.

    Attributes:
        silence: Silent samples so far.
        patience: Whole batches without improvement, counted on from the epochs before.
        loss: Sum over samples.
        correct: Samples classified correctly.
        stopped_by: The rule that ended the epoch early, if one did.
    """

    silence: SilenceCount
    patience: PatienceCount
    loss: float = 0.0
    correct: int = 0
    stopped_by: StoppedBy | None = None

    def after(
        self,
        config: TrainingTrial,
        epoch: int,
        batch: int,
        *,
        loss: float,
        correct: int,
        silent: int,
    ) -> EpochTally:
        """The tally after one more batch of `batch` samples, with its mean loss."""
        silence = self.silence.after(silent=silent, batch=batch)
        patience, stopped_by = self.patience, self.stopped_by
        rule, whole = config.training.patience, min(config.training.batch_size, silence.n_train)
        # What is left at the end of an epoch may be a sample or two, and luckier than any batch.
        if rule is not None and batch == whole:
            patience = patience.after(loss, rule)
            stopped_by = "patience" if patience.exhausted(epoch, rule) else None
        if config.silence is not None and silence.exceeds(config.silence):
            stopped_by = "silence"
        return EpochTally(
            silence, patience, self.loss + loss * batch, self.correct + correct, stopped_by
        )

    @property
    def metrics(self) -> dict[str, float]:
        """Training accuracy and loss over the samples processed."""
        n = self.silence.silent + self.silence.speaking
        return {"train_accuracy": self.correct / n, "train_loss": self.loss / n}


@dataclass(frozen=True, slots=True)
class Progress:
    """A training between two epochs.

    Attributes:
        epochs_done: Epochs trained, the last one perhaps only in part.
        history: Metrics after each epoch.
        firing_rates: Of the last validation, by layer.
        patience: Batches without improvement.
        silence: Constraint value of the last epoch, where silence is configured.
        stopped_by: The rule that ended the training early, if one did.
        train_s: Seconds of training.
        validation_s: Seconds of validation.
        lost_s: Seconds of epochs that an interruption cut off.
    """

    epochs_done: int = 0
    history: tuple[Metrics, ...] = ()
    firing_rates: Mapping[str, float] = field(default_factory=dict)
    patience: PatienceCount = field(default_factory=PatienceCount)
    silence: float | None = None
    stopped_by: StoppedBy | None = None
    train_s: float = 0.0
    validation_s: float = 0.0
    lost_s: float = 0.0

    @property
    def cost_s(self) -> float:
        """Seconds of work, those of earlier attempts included."""
        return self.train_s + self.validation_s + self.lost_s

    def losing(self, seconds: float) -> Progress:
        """The same progress, after an epoch was cut off."""
        return replace(self, lost_s=self.lost_s + seconds)

    def to_facts(self) -> dict[str, Any]:
        """JSON-able, read back by `from_facts`."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Progress:
        """The progress that `to_facts` wrote.

        Raises:
            ValueError: If the facts are not a whole progress.
        """
        try:
            progress = cls(**facts)
            return replace(
                progress,
                history=tuple(progress.history),
                patience=PatienceCount(**facts["patience"]),
            )
        except (TypeError, KeyError) as error:
            raise ValueError(f"not the progress of a training: {error}") from error
