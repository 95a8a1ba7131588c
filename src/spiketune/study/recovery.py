"""Where the last session ended: trials that were at work, from the journal and their folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from optuna.trial import FrozenTrial, TrialState

from spiketune.clock import Clock
from spiketune.errors import SpiketuneError
from spiketune.executors.base import Executor
from spiketune.messages import Failure, Message, Result
from spiketune.samplers.paused import rung_of, waits
from spiketune.space import Space
from spiketune.space.distributions import from_stored
from spiketune.study.at_work import Running
from spiketune.study.attempts import last_attempt, read_end, read_reports, worker_alive
from spiketune.study.jobs import JobMaker
from spiketune.study.pauses import Pauses
from spiketune.study.records.folder import StudyFolder
from spiketune.study.rungs import RungWatch, reports_of

_POLL_S: Final = 0.05
ADOPTION_S: Final = 5.0  # children of a dead asker are gone after 2 s


@dataclass(frozen=True, slots=True)
class Found:
    """A trial that was at work when the last session ended.

    Attributes:
        running: The trial with its last attempt.
        end: What the attempt ended with while nobody listened, if it did.
        adopted: Whether the attempt goes on, under this asker now.
    """

    running: Running
    end: Result | Failure | None = None
    adopted: bool = False


@final
class Recovery:
    """Finds out what became of the trials that the last session left at work.

    Args:
        jobs: The study.
        executor: May take over attempts that go on.
        rungs: The fidelity rule, which is told what was reported; None without one.
        paused: Gets the trials that wait at a rung.
        clock: The time.
        hear: Told what happens meanwhile to attempts that were taken over.
    """

    def __init__(
        self,
        jobs: JobMaker,
        executor: Executor,
        rungs: RungWatch | None,
        paused: Pauses,
        clock: Clock,
        hear: Callable[[Sequence[Message]], None],
    ) -> None:
        self._jobs, self._executor = jobs, executor
        self._rungs, self._paused = rungs, paused
        self._clock, self._hear = clock, hear

    def found(self, trials: Sequence[FrozenTrial]) -> Iterator[Found]:
        """The trials at work, one by one: those that wait at a rung are not among them.

        Each is to be dealt with before the next is asked for, for it may be what the next is
        judged beside.
        """
        folder, space = self._jobs.folder, self._jobs.configuration.space
        ours = filter(is_ours, trials)
        for trial in sorted(ours, key=waits, reverse=True):  # others are judged beside them
            running = revive(trial, space, folder, self._clock.now_s())
            if waits(trial) and self._paused.take_up(running):
                continue
            self._judge_again(running)
            if self._adopt(running):
                yield Found(running, adopted=True)
                continue
            place = folder.attempt(trial.number, running.attempt)
            self._wait_for_worker(place)
            running.reports |= {report.fidelity: report for report in read_reports(place)}
            self._judge_again(running)  # by what it reported meanwhile
            end = what_became_of(running, folder)
            if end is None:
                running.stopped = None  # it was let go on when it reported
            yield Found(running, end)

    def _judge_again(self, running: Running) -> None:
        """The last session may have ended between a report and its verdict."""
        if self._rungs is None:
            return
        self._rungs.begin(running.trial.number, running.values)
        passed = float((rung_of(running.trial) or {}).get("fidelity") or 0.0)
        self._rungs.take_in({f: r for f, r in running.reports.items() if f <= passed})
        for fidelity in sorted(f for f in running.reports if f > passed):
            verdict = self._rungs.heard(running.reports[fidelity])
            running.stopped = running.stopped or verdict

    def _adopt(self, running: Running) -> bool:
        """Take over an attempt that goes on without its asker, under a scheduler."""
        try:
            job = self._jobs.job(running.trial.number, running.attempt, running.values)
        except SpiketuneError:
            return False  # no attempt was ever submitted
        worker = self._executor.adopt(job)
        if worker is not None:
            running.worker = worker
        return worker is not None

    def _wait_for_worker(self, attempt_folder: Path) -> None:
        """A worker of the dead asker may still be about to write its result."""
        deadline_s = self._clock.now_s() + ADOPTION_S
        while worker_alive(attempt_folder) and self._clock.now_s() < deadline_s:
            self._hear(self._executor.events(_POLL_S))


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
