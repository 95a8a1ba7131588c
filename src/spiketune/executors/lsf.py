"""LSF: bsub, bjobs and bkill."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, final

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.config.executor import mebibytes
from spiketune.executors.scheduler import Observed, Scheduler, SubmissionRefusedError, ask
from spiketune.messages import FailureKind

_QUEUED: Final = frozenset({"PEND", "PSUSP", "WAIT"})
_ENDED: Final = frozenset({"DONE", "EXIT", "ZOMBI"})
_SUBMITTED: Final = re.compile(r"Job <(\d+)> is submitted")
_REASONS: Final[Mapping[str, FailureKind]] = {
    "TERM_MEMLIMIT": "oom",
    "TERM_SWAP": "oom",
    "TERM_RUNLIMIT": "walltime",
    "TERM_DEADLINE": "walltime",
    "TERM_PREEMPT": "preempted",
    "TERM_OWNER": "preempted",
    "TERM_ADMIN": "preempted",
}
_HOPELESS: Final = re.compile(
    r"no such queue|bad (queue|project|resource)|cannot use the queue|illegal option"
    r"|user cannot|invalid",
    re.IGNORECASE,
)


@final
class Lsf(Scheduler):
    """LSF through its commands."""

    name = "lsf"

    def directives(self, config: ExecutorConfig, name: str, folder: Path) -> Sequence[str]:
        """Lines `#BSUB ...`."""
        options = [
            ("-J", name),
            ("-o", f"{folder}/stdout"),
            ("-e", f"{folder}/stderr"),
            ("-n", str(config.cores_per_job)),
        ]
        if config.walltime is not None:
            minutes = math.ceil(config.walltime / 60)
            options.append(("-W", f"{minutes // 60}:{minutes % 60:02d}"))
            options.append(("-wa", "USR1"))
            options.append(("-wt", str(math.ceil(config.lead / 60))))
        if config.memory is not None:
            options.append(("-M", f"{mebibytes(config.memory)}MB"))
        if config.gpus_per_job:
            options.append(("-gpu", f"num={config.gpus_per_job}"))
        for option, value in (
            ("-q", config.queue),
            ("-P", config.account),
            ("-R", f"select[{config.constraint}]" if config.constraint else None),
        ):
            if value is not None:
                options.append((option, value))
        lines = [f"#BSUB {option} {shlex.quote(value)}" for option, value in options]
        return [*lines, *(f"#BSUB {directive}" for directive in config.directives)]

    def submit(self, script: Path) -> str:
        """`bsub` with the script as its input."""
        try:
            done = ask(["bsub"], script.read_text(encoding="utf-8"))
        except TimeoutError as error:
            raise SubmissionRefusedError(str(error)) from None
        found = _SUBMITTED.search(done.stdout)
        if done.returncode or found is None:
            message = " ".join((done.stderr or done.stdout).split())
            raise SubmissionRefusedError(message, hopeless=bool(_HOPELESS.search(message)))
        return found[1]

    def observe(self, ids: Sequence[str]) -> Mapping[str, Observed] | None:
        """One `bjobs` for all jobs, and one for each that ended badly, to learn why."""
        try:
            done = ask(["bjobs", "-a", "-w", "-noheader", *ids])
        except TimeoutError:
            return None
        rows = [line.split() for line in done.stdout.splitlines()]
        if not rows and "not found" not in done.stderr:
            return None
        states = {row[0]: row[2] for row in rows if len(row) > 2 and row[0].isdigit()}
        return {job_id: self._observed(job_id, state) for job_id, state in states.items()}

    def _observed(self, job_id: str, state: str) -> Observed:
        if state in _QUEUED:
            return Observed("queued", state)
        if state not in _ENDED:
            return Observed("running", state)
        return Observed("ended", state, self._reason(job_id) if state == "EXIT" else None)

    def _reason(self, job_id: str) -> FailureKind | None:
        try:
            words = ask(["bjobs", "-noheader", "-o", "exit_reason", job_id]).stdout
        except TimeoutError:
            return None
        return next((kind for term, kind in _REASONS.items() if term in words), None)

    def find(self, name: str) -> str | None:
        """`bjobs -J`."""
        try:
            done = ask(["bjobs", "-w", "-noheader", "-J", name])
        except TimeoutError:
            return None
        rows = (line.split() for line in done.stdout.splitlines())
        return next((row[0] for row in rows if name in row), None)

    def stop(self, job_id: str) -> None:
        """SIGUSR1; LSF removes a queued job on any signal that would end it."""
        self._kill("-s", "USR1", job_id)

    def kill(self, job_id: str) -> None:
        """`bkill -s KILL`."""
        self._kill("-s", "KILL", job_id)

    def _kill(self, *arguments: str) -> None:
        try:
            ask(["bkill", *arguments])
        except TimeoutError:
            return  # the next question to the scheduler says whether the job is gone
