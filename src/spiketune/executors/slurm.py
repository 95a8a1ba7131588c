"""SLURM: sbatch, squeue and scancel."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, final

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.config.executor import mebibytes
from spiketune.executors.scheduler import Observed, Scheduler, SubmissionRefusedError, ask
from spiketune.messages import FailureKind

# Job states: slurm.schedmd.com/squeue.html, "JOB STATE CODES". The others mean that it runs.
_QUEUED: Final = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"}
)
_ENDED: Final[Mapping[str, FailureKind | None]] = {
    "COMPLETED": None,
    "FAILED": None,
    "CANCELLED": "preempted",
    "REVOKED": "preempted",
    "PREEMPTED": "preempted",
    "TIMEOUT": "walltime",
    "DEADLINE": "walltime",
    "OUT_OF_MEMORY": "oom",
    "NODE_FAIL": "worker_lost",
    "BOOT_FAIL": "worker_lost",
}
_HOPELESS: Final = re.compile(
    r"invalid (partition|account|qos|feature|generic resource|trackable|wckey|time limit"
    r"|--|.*specification)|unrecognized option|not available|can not be satisfied"
    r"|unable to open file",
    re.IGNORECASE,
)


@final
class Slurm(Scheduler):
    """SLURM through its commands; works without accounting."""

    name = "slurm"

    def directives(self, config: ExecutorConfig, name: str, folder: Path) -> Sequence[str]:
        """Lines `#SBATCH ...`."""
        place = str(folder).replace("%", "%%")
        options = [
            f"--job-name={name}",
            f"--output={place}/stdout",
            f"--error={place}/stderr",
            "--open-mode=append",
            "--no-requeue",  # attempts are counted by the study
            "--ntasks=1",
            f"--cpus-per-task={config.cores_per_job}",
        ]
        if config.walltime is not None:
            options.append(f"--time={_clock(config.walltime)}")
            options.append(f"--signal=B:USR1@{int(config.lead)}")
        if config.memory is not None:
            options.append(f"--mem={mebibytes(config.memory)}M")
        if config.gpus_per_job:
            options.append(f"--gres=gpu:{config.gpus_per_job}")
        for option, value in (
            ("partition", config.queue),
            ("account", config.account),
            ("constraint", config.constraint),
            ("qos", config.qos),
        ):
            if value is not None:
                options.append(f"--{option}={value}")
        lines = [f"#SBATCH {shlex.quote(option)}" for option in options]
        return [*lines, *(f"#SBATCH {directive}" for directive in config.directives)]

    def submit(self, script: Path) -> str:
        """`sbatch --parsable`."""
        try:
            done = ask(["sbatch", "--parsable", str(script)])
        except TimeoutError as error:
            raise SubmissionRefusedError(str(error)) from None
        if done.returncode:
            message = " ".join(done.stderr.split())
            raise SubmissionRefusedError(message, hopeless=bool(_HOPELESS.search(message)))
        return done.stdout.strip().partition(";")[0]

    def observe(self, ids: Sequence[str]) -> Mapping[str, Observed] | None:
        """One `squeue` for all jobs."""
        command = ["squeue", "--noheader", "--states=all", "--format=%i|%T"]
        try:
            done = ask([*command, f"--jobs={','.join(ids)}"])
        except TimeoutError:
            return None
        if done.returncode:  # a single id that it has forgotten is an error, several are not
            return {} if "invalid job id" in done.stderr.lower() else None
        pairs = (line.strip().partition("|") for line in done.stdout.splitlines() if "|" in line)
        return {job_id: _observed(state) for job_id, _, state in pairs}

    def find(self, name: str) -> str | None:
        """`squeue --name`."""
        try:
            done = ask(["squeue", "--noheader", "--format=%i", f"--name={name}"])
        except TimeoutError:
            return None
        return next(iter(done.stdout.split()), None)

    def stop(self, job_id: str) -> None:
        """`scancel --state=PENDING`, then SIGUSR1 to the script's process, the worker."""
        self._cancel("--state=PENDING", job_id)
        self._cancel("--batch", "--signal=USR1", job_id)

    def kill(self, job_id: str) -> None:
        """`scancel`, preceded by SIGKILL: no worker survives to write a result."""
        self._cancel("--full", "--signal=KILL", job_id)
        self._cancel(job_id)

    def _cancel(self, *arguments: str) -> None:
        try:
            ask(["scancel", "--quiet", *arguments])
        except TimeoutError:
            return  # the next question to the scheduler says whether the job is gone


def _observed(state: str) -> Observed:
    if state in _QUEUED:
        return Observed("queued", state)
    if state in _ENDED:
        return Observed("ended", state, _ENDED[state])
    return Observed("running", state)


def _clock(duration_s: float) -> str:
    """A duration as days-hours:minutes:seconds."""
    minutes, seconds = divmod(int(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}-{hours:02d}:{minutes:02d}:{seconds:02d}"
