"""One scheduler job per attempt: no sockets, everything through the attempt's folder."""

from __future__ import annotations

import hashlib
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.errors import InputError
from spiketune.executors.attempt_folder import JOB_ID_FILE, REFUSED_FILE, STOP_FILE
from spiketune.executors.base import Executor
from spiketune.executors.lease import RENEW_S, Lease, read_end, read_lease
from spiketune.executors.reports import ReportReader
from spiketune.executors.scheduled import KILL_GRACE_S, asker_file
from spiketune.executors.scheduler import (
    Observed,
    Scheduler,
    SubmissionRefusedError,
    script_of,
)
from spiketune.messages import (
    Failure,
    FailureKind,
    Job,
    Message,
    Result,
    to_json,
)

_MODULE: Final = "spiketune.executors.scheduled"
_LOOK_S: Final = 0.2  # between two looks at the folders
_ASKED_POLL_S: Final = 1.0  # between two questions while something was asked to leave
_BACK_OFF_S: Final = (5.0, 300.0)  # first and longest wait after a refused submission
SETTLE_S: Final = 3.0  # a result may reach this machine later than the job's end
_UNSEEN_S: Final = 3 * RENEW_S  # a job that the scheduler does not list may still run
_LATE_S: Final = 60.0  # after a time limit that the worker itself should have enforced
Asked = Literal["", "stop", "kill", "timeout"]


@dataclass(slots=True)
class _Attempt:
    """One attempt, from its submission to its end."""

    job: Job
    slot: int
    reports: ReportReader
    id: str = ""
    asked: Asked = ""
    running_since_s: float | None = None
    ended_since_s: float | None = None
    lease: Lease | None = None

    @property
    def folder(self) -> Path:
        return Path(self.job.folder)


@final
class SchedulerJobsExecutor(Executor):
    """Attempts as jobs of a batch scheduler.

    A job goes on when this process dies; whoever resumes the study adopts it. A submission
    that is refused is repeated with growing pauses; meanwhile no slot is free.

    Args:
        scheduler: The site's scheduler.
        config: The executor section.
        base_folder: First on the workers' import path.
        settle_s: Time for a result to become visible here after its job ended.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        config: ExecutorConfig,
        *,
        base_folder: str = "",
        settle_s: float = SETTLE_S,
    ) -> None:
        self._scheduler = scheduler
        self._config = config
        self._base_folder = base_folder
        self._settle_s = settle_s
        self._attempts: dict[int, _Attempt] = {}
        self._ready: list[Message] = []
        self._accepted = False
        self._retry_s = 0.0
        self._pause_s = 0.0
        self._poll_s = 0.0
        self._beat_s = float("-inf")

    @property
    def n_workers(self) -> int:
        """Jobs, queued and running, at once."""
        return self._config.jobs

    @property
    def free_slots(self) -> int:
        """Jobs that may still be submitted; none while the scheduler refuses them."""
        if any(not attempt.id for attempt in self._attempts.values()):
            return 0
        return max(0, self._config.jobs - len(self._attempts))

    def submit(self, job: Job) -> str:
        """Write the job's script and submit it.

        Raises:
            InputError: If the scheduler says of the first job that it can never run.
        """
        attempt = self._take(job)
        attempt.folder.mkdir(parents=True, exist_ok=True)
        (attempt.folder / "job.json").write_text(to_json(job), encoding="utf-8")
        (attempt.folder / "job.sh").write_text(self._script(job), encoding="utf-8")
        self._beat(attempt.folder)
        self._try_submission(attempt)
        return str(attempt.slot)

    def adopt(self, job: Job) -> str | None:
        """Take over a job that is queued or runs, by the id in its folder or by its name."""
        folder = Path(job.folder)
        if not (folder / "job.json").exists() or read_end(folder) is not None:
            return None
        lease = read_lease(folder)
        job_id = self._known_id(folder, lease) or self._scheduler.find(_name(job))
        if job_id is None:
            return None
        seen = (self._scheduler.observe([job_id]) or {}).get(job_id)
        if (seen is None or seen.phase == "ended") and not (lease and lease.job and lease.alive()):
            return None
        attempt = self._take(job)
        attempt.id = job_id
        self._accepted = True
        self._beat(folder)
        return str(attempt.slot)

    def events(self, timeout_s: float) -> Sequence[Message]:
        """What the folders and the scheduler tell; waits up to `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._resubmit()
            messages = self._ready + self._read_folders()
            self._ready = []
            if not messages and self._attempts:
                messages = self._ask_scheduler()
            left_s = deadline_s - time.monotonic()
            if messages or left_s <= 0:
                return messages
            time.sleep(min(left_s, max(_LOOK_S, 0.005 * len(self._attempts))))

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """Remove a queued job; ask a running one to leave, or end it."""
        attempt = self._attempts.get(number)
        if attempt is None:
            return
        if not attempt.id:
            kind: FailureKind = "worker_lost" if kill else "preempted"
            self._ready.append(self._end(attempt, kind, "cancelled before it was submitted"))
        elif kill:
            attempt.asked = "kill"
            self._scheduler.kill(attempt.id)
        elif not attempt.asked:
            attempt.asked = "stop"
            (attempt.folder / STOP_FILE).touch()
            self._scheduler.stop(attempt.id)
        self._poll_s = time.monotonic() + _LOOK_S

    def close(self) -> None:
        """Ask what runs to leave; end what was asked before and is still there."""
        for number, attempt in list(self._attempts.items()):
            self.cancel(number, kill=bool(attempt.asked))
        self._attempts.clear()
        self._ready.clear()

    # Submission.

    def _take(self, job: Job) -> _Attempt:
        taken = {attempt.slot for attempt in self._attempts.values()}
        slot = next(i for i in range(len(taken) + 1) if i not in taken)
        attempt = self._attempts[job.number] = _Attempt(job, slot, ReportReader(Path(job.folder)))
        return attempt

    def _script(self, job: Job) -> str:
        config, folder = self._config, Path(job.folder)
        paths = [self._base_folder, os.environ.get("PYTHONPATH", "")]
        python_path = os.pathsep.join(path for path in paths if path)
        command = [
            *(["env", f"PYTHONPATH={python_path}"] if python_path else []),
            *(sys.executable, "-m", _MODULE, str(folder)),
            f"--walltime={config.walltime or 0.0:g}",
            f"--lead={config.lead:g}",
            f"--grace={config.grace:g}",
        ]
        lines = self._scheduler.directives(config, _name(job), folder)
        return script_of(lines, config, command)

    def _try_submission(self, attempt: _Attempt) -> None:
        try:
            attempt.id = self._scheduler.submit(attempt.folder / "job.sh")
        except SubmissionRefusedError as error:
            words = f"{self._scheduler.name} refused a job: {error}"
            (attempt.folder / REFUSED_FILE).write_text(f"{error}\n", encoding="utf-8")
            if error.hopeless and not self._accepted:
                raise InputError(
                    f"study.executor: {words}; correct `queue`, `account` or what else it names "
                    "(`--set study.executor.queue=...`)"
                ) from None
            first_s, longest_s = _BACK_OFF_S
            self._pause_s = min(longest_s, 2 * self._pause_s) if self._pause_s else first_s
            self._retry_s = time.monotonic() + self._pause_s
            warnings.warn(f"{words}; trying again in {self._pause_s:g} s", stacklevel=2)
        else:
            (attempt.folder / JOB_ID_FILE).write_text(f"{attempt.id}\n", encoding="utf-8")
            self._accepted, self._pause_s = True, 0.0

    def _resubmit(self) -> None:
        if time.monotonic() < self._retry_s:
            return
        for attempt in self._attempts.values():
            if not attempt.id:
                attempt.id = self._scheduler.find(_name(attempt.job)) or ""  # it answered late
            if not attempt.id:
                self._try_submission(attempt)
                return

    def _known_id(self, folder: Path, lease: Lease | None) -> str | None:
        try:
            return (folder / JOB_ID_FILE).read_text(encoding="utf-8").strip() or None
        except OSError:
            return lease.job if lease and lease.job else None

    def _beat(self, folder: Path) -> None:
        now_s = time.monotonic()
        if now_s - self._beat_s >= RENEW_S:
            self._beat_s = now_s
            asker_file(folder).touch()

    # What the folders say.

    def _read_folders(self) -> list[Message]:
        messages: list[Message] = []
        for attempt in list(self._attempts.values()):
            self._beat(attempt.folder)
            messages += attempt.reports.read()
            end = read_end(attempt.folder)
            if end is not None:
                messages += attempt.reports.read()  # the last may have come in between
                del self._attempts[attempt.job.number]
                messages.append(self._as_asked(attempt, end))
        return messages

    def _as_asked(self, attempt: _Attempt, end: Result | Failure) -> Message:
        """A worker that was ended by force while it wrote that it leaves counts as killed."""
        if isinstance(end, Failure) and end.kind == "preempted" and attempt.asked == "kill":
            return Failure(end.number, end.attempt, "worker_lost", "killed", end.cost_s)
        return end

    # What the scheduler says.

    def _ask_scheduler(self) -> list[Message]:
        now_s = time.monotonic()
        tracked = {a.id: a for a in self._attempts.values() if a.id}
        if now_s < self._poll_s or not tracked:
            return []
        urgent = any(a.asked or a.ended_since_s is not None for a in tracked.values())
        wait_s = min(self._config.poll, _ASKED_POLL_S) if urgent else self._config.poll
        self._poll_s = now_s + wait_s
        seen = self._scheduler.observe(list(tracked))
        if seen is None:
            return []  # a scheduler that does not answer says nothing about its jobs
        messages = []
        for job_id, attempt in tracked.items():
            message = self._judge(attempt, seen.get(job_id), now_s)
            if message is not None:
                messages.append(message)
        return messages

    def _judge(self, attempt: _Attempt, seen: Observed | None, now_s: float) -> Message | None:
        """The end of an attempt whose job is gone and left no result."""
        if seen is not None and seen.phase != "ended":
            attempt.ended_since_s = None
            if seen.phase == "running":
                self._enforce_limit(attempt, now_s)
            return None
        lease = read_lease(attempt.folder)
        if lease is not None and lease.job not in ("", attempt.id):
            attempt.id = lease.job  # submitted twice: the other job has the attempt
            return None
        if attempt.ended_since_s is None or lease != attempt.lease:
            attempt.ended_since_s, attempt.lease = now_s, lease
            return None
        patience_s = self._settle_s if seen is not None else _UNSEEN_S
        if now_s - attempt.ended_since_s < patience_s or read_end(attempt.folder) is not None:
            return None
        words = seen.words if seen is not None else "no longer listed"
        kind, why = self._cause(attempt, seen, lease)
        return self._end(attempt, kind, f"job {attempt.id} ({words}): {why}")

    def _enforce_limit(self, attempt: _Attempt, now_s: float) -> None:
        """End a worker that is too busy to enforce its time limit itself."""
        if attempt.running_since_s is None:
            attempt.running_since_s = now_s
        limit_s = attempt.job.time_limit_s
        late_s = (limit_s or 0.0) + KILL_GRACE_S + _LATE_S
        if limit_s and not attempt.asked and now_s - attempt.running_since_s >= late_s:
            attempt.asked = "timeout"
            self._scheduler.kill(attempt.id)

    def _cause(
        self, attempt: _Attempt, seen: Observed | None, lease: Lease | None
    ) -> tuple[FailureKind, str]:
        if attempt.asked == "kill":
            return "worker_lost", "killed"
        if attempt.asked == "timeout":
            return "timeout", f"took longer than {attempt.job.time_limit_s or 0.0:g} s"
        if attempt.asked == "stop":
            return "preempted", "cancelled"
        if seen is not None and seen.kind is not None:
            return seen.kind, "ended by the scheduler"
        if lease is None:
            return "crash", f"the worker did not start{_last_words(attempt.folder)}"
        return "worker_lost", "the worker left no result"

    def _end(self, attempt: _Attempt, kind: FailureKind, words: str) -> Failure:
        del self._attempts[attempt.job.number]
        since_s = attempt.running_since_s
        cost_s = time.monotonic() - since_s if since_s is not None else 0.0
        return Failure(attempt.job.number, attempt.job.attempt, kind, words, cost_s)


def _name(job: Job) -> str:
    """Name of the job of an attempt, unlike that of any other study's."""
    digest = hashlib.sha256(job.folder.encode()).hexdigest()[:10]
    return f"spiketune-{job.number}-{job.attempt}-{digest}"


def _last_words(folder: Path) -> str:
    """The last line of an attempt's standard error, with a colon before it."""
    try:
        lines = (folder / "stderr").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1][:300]}" if said else ""
