"""Where the last session ended: trials that were at work, from the journal and their folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from spiketune.messages import Failure, Report, Result
from spiketune.space import Space
from spiketune.space.distributions import from_stored
from spiketune.study.attempts import last_attempt, read_end, read_reports
from spiketune.study.folder import StudyFolder
from spiketune.study.rungs import reports_of


@dataclass(slots=True)
class Running:
    """A trial at work, and what is known of its attempts."""

    trial: FrozenTrial
    values: Mapping[str, Any]
    attempt: int = 1
    worker: str = ""
    started_s: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    reports: dict[float, Report] = field(default_factory=dict)
    stopped: str | None = None  # why a fidelity rule wants it to end

    @property
    def fidelity(self) -> float | None:
        """The furthest report so far."""
        return max(self.reports, default=None)


def is_ours(trial: FrozenTrial) -> bool:
    """Whether a running trial belongs to this study's asker, not to a stock Optuna writer."""
    return trial.state == TrialState.RUNNING and "attempts" in trial.user_attrs


def revive(trial: FrozenTrial, space: Space, folder: StudyFolder, now_s: float) -> Running:
    """A trial that was at work when the last session ended, with its last attempt.

    The attempt is the one that has a folder, or else the next that was about to get one.
    """
    values = {
        name: from_stored(space[name], trial.params[name])
        for name in space.order
        if name in trial.params
    }
    history = [dict(attempt) for attempt in trial.user_attrs["attempts"]]
    ended = max((attempt["attempt"] for attempt in history), default=0)
    running = Running(trial, values, max(ended + 1, last_attempt(folder.trial(trial.number))))
    running.history = history
    start = trial.datetime_start
    running.started_s = start.timestamp() if start and not history else now_s
    for report in reports_of(trial.number, trial.user_attrs.get("reports") or {"fidelity": []}):
        running.reports[report.fidelity] = report  # those of a trial that waited
    for attempt in range(1, running.attempt + 1):
        for report in read_reports(folder.attempt(trial.number, attempt)):
            running.reports[report.fidelity] = report
    return running


def what_became_of(running: Running, folder: StudyFolder) -> Result | Failure | None:
    """How the last attempt ended: its own word, `interrupted`, or None if it never started."""
    place: Path = folder.attempt(running.trial.number, running.attempt)
    end = read_end(place)
    if end is None and place.exists():
        words = "the asker went away"
        return Failure(running.trial.number, running.attempt, "interrupted", words)
    return end
