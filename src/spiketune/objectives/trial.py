"""The trial as an objective sees it: parameters in, reports and metrics out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spiketune.errors import InputError
from spiketune.messages import OUTPUT, Ended, Job, Report
from spiketune.objectives.notes import plain


class Trial:
    """One attempt at one configuration, handed to the objective.

    A function objective takes it and returns a number (one objective) or a mapping
    metric -> number::

        def train(trial: spiketune.Trial) -> dict[str, float]:
            for epoch in range(1, 11):
                accuracy = step(trial.params["learning_rate"])
                trial.report(epoch, validation_accuracy=accuracy)
                if trial.should_stop():
                    break
            return {"validation_accuracy": accuracy}

    Attributes:
        params: The values asked, by parameter name, and the fixed ones of `params:`.
        number: Trial number within the study.
        attempt: 1 for the first try at this trial.
        seed: Seed of this trial; the same for every attempt.
        study_seed: Seed shared by all trials of the study (validation draws).
        section: The trial section of the configuration, every range replaced by its value.
        needed: Names of the metrics that objectives and constraints are made of.
        time_limit_s: The attempt is ended after this; None for no limit.
    """

    def __init__(
        self,
        job: Job,
        *,
        send: Callable[[Report], None] = lambda report: None,
        stop_requested: Callable[[], bool] = lambda: False,
        comm: Any = None,
    ) -> None:
        self.comm = comm
        self.params: Mapping[str, Any] = dict(job.params)
        self.number = job.number
        self.attempt = job.attempt
        self.seed = job.seed
        self.study_seed = job.study_seed
        self.section: Mapping[str, Any] = job.section
        self.needed = (*job.objectives, *job.constraints)
        self.time_limit_s = job.time_limit_s
        self._checkpoint_folder = Path(job.checkpoint_folder)
        self._send = send
        self._stop_requested = stop_requested
        self._started_s = time.monotonic()
        self._constraints: dict[str, float] = {}
        self._details: dict[str, Any] = {}
        self._ended: Ended = "finished"
        self._fidelity: float | None = None

    @property
    def checkpoint_dir(self) -> Path:
        """Folder for checkpoints, kept between the attempts of this trial; made on first use."""
        self._checkpoint_folder.mkdir(parents=True, exist_ok=True)
        return self._checkpoint_folder

    @property
    def output_dir(self) -> Path:
        """Folder for what the trial shall leave behind; whoever writes to it makes it."""
        return self._checkpoint_folder.parent / OUTPUT

    def report(self, fidelity: float, **metrics: float) -> None:
        """Report measurements after `fidelity` (say, epochs) of the training.

        A trial can be stopped early (`study.fidelity`) if its reports hold the objectives.

        Raises:
            InputError: If the fidelity is not a positive number.
        """
        if not (math.isfinite(fidelity) and fidelity > 0):
            raise InputError(f"report: the fidelity must be a number > 0, got {fidelity!r}")
        reached = fidelity if isinstance(fidelity, int) else float(fidelity)  # NumPy's are no JSON
        self._fidelity = reached
        values = {name: float(value) for name, value in metrics.items()}
        self._send(Report(self.number, self.attempt, reached, values, dict(self._constraints)))

    def should_stop(self) -> bool:
        """Whether to write a checkpoint and return now (a signal, or the asker said so)."""
        return self._stop_requested()

    def set_constraint(self, name: str, value: float) -> None:
        """Set a constraint of this trial, met when `value <= 0`.

        Raises:
            InputError: If the value is not a finite number.
        """
        number = float(value)
        if not math.isfinite(number):
            raise InputError(f"constraint '{name}': must be a finite number, got {value!r}")
        self._constraints[name] = number

    def end(self, ended: Ended) -> None:
        """Say how the trial ended, if not at its full length (`stopped`, `silent`)."""
        self._ended = ended

    def note(self, **details: Any) -> None:
        """Keep facts in the record beside the metrics (seconds per phase, ...).

        Scalars and arrays of NumPy and PyTorch are kept as numbers and lists.

        Raises:
            InputError: If one cannot be written as JSON.
        """
        self._details.update({name: plain(name, value) for name, value in details.items()})

    @property
    def elapsed_s(self) -> float:
        """Seconds since this attempt started."""
        return time.monotonic() - self._started_s

    @property
    def outcome(self) -> tuple[Mapping[str, float], Ended, float | None, Mapping[str, Any]]:
        """Constraints, way of ending, last fidelity and details, for the worker."""
        return self._constraints, self._ended, self._fidelity, self._details


class Preempted(Exception):  # noqa: N818 -- an event that the objective obeys, not an error
    """Raised by an objective that wrote its checkpoint and leaves before its end."""
