"""The checked model of an executor section: where trials run, and what each of them gets."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spiketune.config.duration import Duration
from spiketune.config.section import Section

_MIB: Final = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)
_BATCH: Final = ("slurm", "lsf")
_SCHEDULER_KEYS: Final = (
    "mode",
    "jobs",
    "walltime",
    "memory",
    "cores_per_job",
    "gpus_per_job",
    "queue",
    "account",
    "constraint",
    "qos",
    "directives",
    "prologue",
    "launcher",
    "lead",
    "grace",
    "poll",
)


def mebibytes(text: str) -> int:
    """A size such as `"4GB"` or `"512M"` in MiB, rounded up.

    Raises:
        ValueError: If it is none, or zero.
    """
    found = _SIZE.fullmatch(text.strip())
    size = float(found[1]) * _MIB[found[2].upper()] if found else 0.0
    if not size > 0:
        raise ValueError(f"a size is a number > 0 with K, M, G or T, such as '4GB', got {text!r}")
    return -int(-size // 1)


def _one_line(text: str) -> str:
    if "\n" in text:
        raise ValueError(f"must be one line, got {text!r}")
    return text


def _size(text: str) -> str:
    mebibytes(text)
    return text


Line = Annotated[str, AfterValidator(_one_line)]
Size = Annotated[str, AfterValidator(_size)]


class Executor(Section):
    """Where trials run.

    Attributes:
        name: `local` (a supervised child process per trial), `inline` (in this process),
            `slurm` or `lsf` (a scheduler job per attempt), `mpi` (the ranks of this MPI job).
        workers: Trials at once; None takes one per core for `local`, 1 for `inline`.
        time_limit: Longest time an attempt may take.
        preload: Modules that the fork server imports before the first trial.
        mode: `job`, one scheduler job per attempt (`slurm`, `lsf`).
        jobs: Scheduler jobs, queued and running, at once.
        walltime: Longest time of a scheduler job, in the site's eyes.
        memory: Memory of a job (`4GB`).
        cores_per_job: CPU cores of a job.
        gpus_per_job: GPUs of a job.
        queue: Partition (SLURM) or queue (LSF).
        account: Account or project that pays.
        constraint: Node features asked for.
        qos: Quality of service (SLURM).
        directives: Further directives, as they stand after `#SBATCH` or `#BSUB`.
        prologue: Shell lines before the worker starts (`module load cuda`).
        launcher: What the worker is started with (`apptainer exec x.sif`).
        lead: Time before the walltime at which a trial writes its checkpoint and leaves.
        grace: Time that jobs go on without an asker before they do the same.
        poll: Time between two questions to the scheduler.
    """

    name: str = "local"
    workers: Annotated[int, Field(ge=1)] | None = None
    time_limit: Duration | None = None
    preload: tuple[str, ...] = ()
    mode: Literal["job"] = "job"
    jobs: Annotated[int, Field(ge=1)] = 10
    walltime: Duration | None = None
    memory: Size | None = None
    cores_per_job: Annotated[int, Field(ge=1)] = 1
    gpus_per_job: Annotated[int, Field(ge=0)] = 0
    queue: Line | None = None
    account: Line | None = None
    constraint: Line | None = None
    qos: Line | None = None
    directives: tuple[Line, ...] = ()
    prologue: tuple[str, ...] = ()
    launcher: Line = ""
    lead: Duration = 120.0
    grace: Duration = 3600.0
    poll: Duration = 10.0

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        given = {k for k, f in type(self).model_fields.items() if getattr(self, k) != f.default}
        if self.name in ("local", "inline", "mpi"):
            foreign = [key for key in _SCHEDULER_KEYS if key in given]
            if foreign:
                raise ValueError(
                    f"`{foreign[0]}` goes with {' or '.join(_BATCH)}, not with {self.name}"
                )
        if self.name == "mpi" and self.workers is not None:
            raise ValueError("`workers` goes with local; mpi has as many as mpirun starts ranks")
        if self.name in _BATCH and self.workers is not None:
            raise ValueError(f"`workers` goes with local; {self.name} has `jobs`")
        if self.name == "lsf" and self.qos is not None:
            raise ValueError("`qos` is SLURM's; for LSF put what the site wants into `directives`")
        if self.walltime is not None and self.walltime <= self.lead:
            raise ValueError(
                f"walltime ({self.walltime:g} s) must be longer than lead ({self.lead:g} s)"
            )
        return self
