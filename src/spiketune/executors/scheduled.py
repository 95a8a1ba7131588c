"""The worker inside a scheduler job: one attempt, spoken of through its folder alone."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final, final

from spiketune.executors.attempt_folder import STOP_FILE, asked
from spiketune.executors.child import limit_threads
from spiketune.executors.lease import RENEW_S, claim, renew, write_result
from spiketune.messages import Failure, FailureKind, Job, Report, Result, from_json, to_json
from spiketune.objectives.execution import execute

KILL_GRACE_S: Final = 5.0  # between the request to stop and the end, after a time limit
_WATCH_S: Final = 0.5
_SIGNAL_SLACK_S: Final = 75.0  # SLURM sends its walltime signal up to 60 s early
_JOB_VARIABLES: Final = ("SLURM_JOB_ID", "LSB_JOBID")


def asker_file(attempt_folder: Path) -> Path:
    """The file whose renewals tell the workers of a study that their asker lives."""
    return attempt_folder.parents[1] / ".asker"


@final
class Watch:
    """Decides when an attempt has to leave, and under which name.

    Args:
        folder: The attempt's folder.
        time_limit_s: Longest time of the attempt.
        walltime_s: Longest time of the scheduler job; 0 for none known.
        lead_s: Time before the walltime to leave at.
        grace_s: Time to go on without an asker.
    """

    def __init__(
        self,
        folder: Path,
        time_limit_s: float | None,
        walltime_s: float,
        lead_s: float,
        grace_s: float,
    ) -> None:
        self._folder = folder
        self._time_limit_s = time_limit_s or float("inf")
        self._leave_at_s = walltime_s - lead_s if walltime_s else float("inf")
        self._grace_s = grace_s
        self._started_s = time.monotonic()
        self._signalled = False
        self._asked = False
        self._beat = 0.0
        self._beat_s = self._started_s
        self._renewed_s = self._started_s

    def signalled(self, number: int, frame: FrameType | None) -> None:
        """Take SIGTERM or SIGUSR1."""
        self._signalled = True

    @property
    def elapsed_s(self) -> float:
        """Seconds since the worker started."""
        return time.monotonic() - self._started_s

    def reason(self) -> tuple[FailureKind, str] | None:
        """Kind and words of the reason to leave; None to go on."""
        elapsed_s = self.elapsed_s
        if elapsed_s >= self._time_limit_s:
            return "timeout", f"took longer than {self._time_limit_s:g} s"
        if self._asked:
            return "preempted", "asked to leave"
        if elapsed_s >= self._leave_at_s:
            return "walltime", "the job's walltime is almost over"
        if self._signalled:
            if elapsed_s >= self._leave_at_s - _SIGNAL_SLACK_S:
                return "walltime", "the scheduler's signal before the walltime"
            return "preempted", "the scheduler asked the job to leave"
        if time.monotonic() - self._beat_s >= self._grace_s:
            return "preempted", f"no asker for {self._grace_s:g} s"
        return None

    def look(self) -> None:
        """Renew the lease, and see what the asker left in the folders."""
        now_s = time.monotonic()
        self._asked = self._asked or asked(self._folder, STOP_FILE)
        try:
            if now_s - self._renewed_s >= RENEW_S:
                self._renewed_s = now_s
                renew(self._folder)
            beat = asker_file(self._folder).stat().st_mtime
        except OSError:
            return  # a file server that hangs; the next look tells
        if beat != self._beat:
            self._beat, self._beat_s = beat, now_s


@final
class _Ending:
    """Writes the attempt's end once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._written = False

    def write(self, end: Result | Failure) -> None:
        with self._lock:
            if not self._written:
                write_result(self._folder, end)
                self._written = True


def run(folder: Path, walltime_s: float, lead_s: float, grace_s: float) -> int:
    """Run the attempt in a folder, and return the exit status.

    An attempt that another job claimed is left to it.
    """
    job = from_json((folder / "job.json").read_bytes())
    if not isinstance(job, Job):
        print(f"{folder}/job.json holds no job", file=sys.stderr)  # noqa: T201
        return 2
    watch = Watch(folder, job.time_limit_s, walltime_s, lead_s, grace_s)
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, watch.signalled)
    os.register_at_fork(after_in_child=_forget_signals)
    job_id = next((os.environ[name] for name in _JOB_VARIABLES if name in os.environ), "")
    try:
        claim(folder, job_id)
    except FileExistsError:
        print("another job has claimed this attempt", file=sys.stderr)  # noqa: T201
        return 0
    limit_threads(job.threads)
    ending = _Ending(folder)
    threading.Thread(target=_watch, args=(job, watch, ending), daemon=True).start()
    log = (folder / "metrics.jsonl").open("a", encoding="utf-8", buffering=1)

    def send(report: Report) -> None:
        log.write(to_json(report) + "\n")

    end = execute(job, send, lambda: watch.reason() is not None)
    watch.look()
    if isinstance(end, Failure) and end.kind == "preempted" and (reason := watch.reason()):
        end = replace(end, kind=reason[0], message=reason[1])
    ending.write(end)
    return 0


def _watch(job: Job, watch: Watch, ending: _Ending) -> None:
    """Keep the lease; end an attempt that does not leave after its time limit."""
    limit_s = job.time_limit_s
    while True:
        watch.look()
        if limit_s and watch.elapsed_s >= limit_s + KILL_GRACE_S:
            words = f"took longer than {limit_s:g} s"
            ending.write(Failure(job.number, job.attempt, "timeout", words, watch.elapsed_s))
            os._exit(0)
        time.sleep(_WATCH_S)


def _forget_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)


def main(arguments: list[str]) -> int:
    """The command line of a job: folder, walltime, lead time, grace time (seconds)."""
    parser = argparse.ArgumentParser(description="Runs one attempt in a scheduler job.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--walltime", type=float, default=0.0)
    parser.add_argument("--lead", type=float, default=120.0)
    parser.add_argument("--grace", type=float, default=3600.0)
    given = parser.parse_args(arguments)
    return run(given.folder, given.walltime, given.lead, given.grace)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads that the objective left behind must not keep the job alive
