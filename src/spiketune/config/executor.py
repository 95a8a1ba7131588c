"""The checked model of an executor section: where trials run, and what each of them gets."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spiketune.config.duration import Duration
from spiketune.config.section import Count, Number, Section, Whole

_MIB: Final = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)
JOB_PLACES: Final = ("slurm", "lsf")
WORKER_PLACES: Final = ("slurm", "lsf", "pbs", "oar", "sge", "htcondor")
_PLACES: Final = ("local", "inline", "mpi", "dask", *WORKER_PLACES)  # others bring their own rules
_GOES_WITH: Final[dict[str, tuple[str, ...]]] = {
    "workers": ("local", "inline", "dask"),
    **dict.fromkeys(("gpus", "trials_per_gpu"), ("local", "mpi")),
    "gpu_limits": ("local",),
    "address": ("dask",),
    "ranks_per_trial": ("mpi",),
    **dict.fromkeys(
        (
            *("mode", "jobs", "walltime", "memory", "gpus_per_job", "directives"),
            *("prologue", "launcher", "lead"),
        ),
        WORKER_PLACES,
    ),
    "cores_per_job": ("dask", *WORKER_PLACES),
    "grace": ("dask", *WORKER_PLACES),
    "interface": WORKER_PLACES,
    "adaptive": WORKER_PLACES,
    "poll": JOB_PLACES,
    "queue": ("slurm", "lsf", "pbs", "oar", "sge"),
    "account": ("slurm", "lsf", "pbs", "oar", "sge"),
    "constraint": ("slurm", "lsf", "oar"),
    "qos": ("slurm",),
}


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


class Adaptive(Section):
    """How many worker jobs there are, by what waits for them.

    `min` are kept; up to `max` are started while trials wait.
    """

    min: Annotated[Whole, Field(ge=0)] = 0
    max: Count

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must be <= max ({self.max})")
        return self


class GpuLimits(Section):
    """When a GPU takes no further trial; everyone's processes count.

    `memory` and `compute` are shares in use; `settle` is the time after a start within which the
    GPU takes no other, so that the trial's own use shows.
    """

    memory: Annotated[Number, Field(gt=0, le=1)] = 0.8
    compute: Annotated[Number, Field(gt=0, le=1)] = 0.8
    settle: Duration = 10.0


class Executor(Section):
    """Where trials run.

    Attributes:
        name: `local` (a supervised child process per trial), `inline` (in this process),
            `slurm` or `lsf` (scheduler jobs), `pbs`, `oar`, `sge` or `htcondor` (Dask workers as
            scheduler jobs), `dask` (Dask workers here, or those of `address`), `mpi` (the ranks of
            this MPI job).
        workers: Trials at once; None takes one per core for `local` and `dask`, 1 for `inline`.
        gpus: Numbers of the GPUs to use, as `nvidia-smi` shows them; None for all visible, an
            empty list for none (`local`, `mpi`).
        trials_per_gpu: Trials at once on each GPU.
        gpu_limits: When a GPU takes no further trial.
        ranks_per_trial: MPI ranks that run one trial together (`mpi`).
        time_limit: Longest time an attempt may take.
        preload: Modules that the fork server imports before the first trial.
        mode: `job`, one scheduler job per attempt (`slurm`, `lsf`: the default there), or
            `workers`, scheduler jobs that each run one attempt after another.
        address: Scheduler of a Dask cluster that is already there (`tcp://host:8786`).
        jobs: Scheduler jobs, queued and running, at once.
        adaptive: Fewest and most worker jobs, instead of `jobs`.
        interface: Network over which asker and workers speak (`ib0`); None for this machine alone.
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
    workers: Count | None = None
    gpus: tuple[Annotated[Whole, Field(ge=0)], ...] | None = None
    trials_per_gpu: Count = 1
    gpu_limits: GpuLimits = GpuLimits()
    ranks_per_trial: Count = 1
    time_limit: Duration | None = None
    preload: tuple[str, ...] = ()
    mode: Literal["job", "workers"] | None = None
    address: Annotated[str, Field(pattern=r"^[a-z]+://\S+:\d+$")] | None = None
    adaptive: Adaptive | None = None
    interface: Line | None = None
    jobs: Count = 10
    walltime: Duration | None = None
    memory: Size | None = None
    cores_per_job: Count = 1
    gpus_per_job: Annotated[Whole, Field(ge=0)] = 0
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

    @property
    def in_jobs(self) -> bool:
        """Whether every attempt is a scheduler job of its own."""
        return self.name in JOB_PLACES and self.mode != "workers"

    @property
    def in_workers(self) -> bool:
        """Whether scheduler jobs are Dask workers."""
        return self.name in WORKER_PLACES and not self.in_jobs

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.name not in _PLACES:
            return self
        for key, places in _GOES_WITH.items():
            if getattr(self, key) != type(self).model_fields[key].default:
                self._check_place(key, places)
        if self.mode == "job" and not self.in_jobs:
            raise ValueError(f"`mode: job` goes with {_words(JOB_PLACES)}; {self.name} has workers")
        if self.in_jobs and (self.adaptive or self.interface):
            raise ValueError("`adaptive` and `interface` go with `mode: workers`")
        if self.in_workers and self.memory is None:
            raise ValueError("`memory` of a job is needed with `mode: workers`, such as '4GB'")
        if self.address is not None and self.workers is not None:
            raise ValueError("`workers` are those of the cluster at `address`; leave it away")
        if self.walltime is not None and self.walltime <= self.lead:
            raise ValueError(
                f"walltime ({self.walltime:g} s) must be longer than lead ({self.lead:g} s)"
            )
        return self

    def _check_place(self, key: str, places: tuple[str, ...]) -> None:
        if self.name in places:
            return
        remedy = {
            "workers": "mpi has as many as mpirun starts ranks"
            if self.name == "mpi"
            else f"{self.name} has `jobs`",
            "qos": "put what the site wants into `directives`",
            "constraint": "put what the site wants into `directives`",
        }.get(key)
        end = f"; {remedy}" if remedy else f", not with {self.name}"
        raise ValueError(f"`{key}` goes with {_words(places)}{end}")


def _words(names: tuple[str, ...]) -> str:
    """Names as a sentence lists them."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
