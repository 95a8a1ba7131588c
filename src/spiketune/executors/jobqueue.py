"""Dask workers as jobs of a batch scheduler: SLURM, LSF, PBS, OAR, SGE or HTCondor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, final

import dask_jobqueue
from distributed import Client
from distributed.core import Status

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.config.executor import mebibytes
from spiketune.errors import InputError
from spiketune.executors.dask_workers import CLOSE_S, LOOPBACK, DaskWorkers

_LOOPBACK_INTERFACE: Final = "lo"
_BACK_OFF_S: Final = (5.0, 300.0)  # first and longest wait after a refused submission
_CLOSED_POLL_S: Final = 0.1
_CLASSES: Final[Mapping[str, Any]] = {
    "slurm": dask_jobqueue.SLURMCluster,
    "lsf": dask_jobqueue.LSFCluster,
    "pbs": dask_jobqueue.PBSCluster,
    "oar": dask_jobqueue.OARCluster,
    "sge": dask_jobqueue.SGECluster,
    "htcondor": dask_jobqueue.HTCondorCluster,
}


@final
class JobWorkers(DaskWorkers):
    """Scheduler jobs that each run one attempt after another; those that end are replaced.

    The Dask scheduler lives in this process. It listens on loopback unless an interface is
    named, so that workers elsewhere must be asked for on purpose.

    Args:
        config: The executor section.
        base_folder: First on the workers' import path.

    Raises:
        InputError: If the section cannot be made into a job.
    """

    outlive = True

    def __init__(self, config: ExecutorConfig, base_folder: str) -> None:
        self._config = config
        self._submissions = _Submissions()
        made = _CLASSES[config.name]
        command = shlex.split(made.job_cls.submit_command)[0]
        if shutil.which(command) is None:
            raise InputError(
                f"study.executor: the command `{command}` is not on this machine; start the study "
                "where the scheduler's commands are (a login node), or take the executor local"
            )
        try:
            self._cluster = made(
                job_cls=_patient(made.job_cls, self._submissions),
                **cluster_options(config, base_folder),
            )
        except (ValueError, OSError) as error:
            raise InputError(f"study.executor: {config.name}: {error}") from error
        self.client = Client(self._cluster, set_as_default=False)

    @property
    def n_workers(self) -> int:
        """Jobs, queued and running, at most."""
        adaptive = self._config.adaptive
        return adaptive.max if adaptive else self._config.jobs

    def begin(self, study_folder: Path) -> None:
        """Submit the jobs; their output goes into the study's folder."""
        self._cluster._job_kwargs["log_directory"] = str(study_folder / "workers")
        adaptive = self._config.adaptive
        fewest = adaptive.min if adaptive else self._config.jobs
        self._cluster.adapt(minimum_jobs=fewest, maximum_jobs=self.n_workers)

    def check(self) -> None:
        """Tell of submissions that were refused.

        Raises:
            InputError: If the scheduler has refused the first job.
        """
        words = self._submissions.take_refusal()
        if words is None:
            return
        refused = f"study.executor: {self._config.name} refused a job: {words}"
        if not self._submissions.accepted:
            raise InputError(
                f"{refused}; correct `queue`, `account` or what else it names "
                "(`--set study.executor.queue=...`)"
            )
        warnings.warn(f"{refused}; trying again", stacklevel=2)

    def close(self) -> None:
        """Cancel the jobs."""
        self._submissions.closed = True
        with contextlib.suppress(TimeoutError):
            self.client.close()
        # The first two: jobs that were refused to the end.
        with contextlib.suppress(asyncio.CancelledError, RuntimeError, TimeoutError):
            self._cluster.close(timeout=CLOSE_S)


@final
class _Submissions:
    """What the scheduler said to submissions, heard in the cluster's thread."""

    def __init__(self) -> None:
        self.accepted = self.closed = False
        self._refusals: SimpleQueue[str] = SimpleQueue()
        self._pause_s = 0.0

    def accept(self) -> None:
        """A job was taken."""
        self.accepted, self._pause_s = True, 0.0

    async def refuse(self, error: Exception) -> None:
        """Note the scheduler's words, then wait, longer from time to time."""
        words = str(error).partition("stderr:")[2] or str(error)
        self._refusals.put(" ".join(words.split()))
        first_s, longest_s = _BACK_OFF_S
        self._pause_s = min(longest_s, 2 * self._pause_s) if self._pause_s else first_s
        until_s = time.monotonic() + self._pause_s
        while time.monotonic() < until_s:
            if self.closed:
                raise asyncio.CancelledError  # which nobody prints a traceback of
            await asyncio.sleep(_CLOSED_POLL_S)

    def take_refusal(self) -> str | None:
        """The words of a refusal that nobody was told of yet."""
        return None if self._refusals.empty() else self._refusals.get()


def _patient(job_class: Any, submissions: _Submissions) -> Any:
    """A job that goes on submitting itself while the scheduler refuses it, and ends in order."""

    class PatientJob(job_class):  # type: ignore[misc]
        async def _submit_job(self, script: str) -> Any:
            while True:
                try:
                    answer = await super()._submit_job(script)
                except RuntimeError as error:
                    await submissions.refuse(error)
                else:
                    submissions.accept()
                    return answer

        async def close(self) -> None:
            await super().close()
            self.status = Status.closed  # which the cluster insists on at its own end

    return PatientJob


def cluster_options(config: ExecutorConfig, base_folder: str) -> dict[str, Any]:
    """What dask-jobqueue is told: general options, then those of the scheduler.

    Args:
        config: The executor section.
        base_folder: First on the workers' import path.
    """
    paths = [base_folder, os.environ.get("PYTHONPATH", "")]
    python_path = os.pathsep.join(path for path in paths if path)
    export = [f"export PYTHONPATH={shlex.quote(python_path)}"] if python_path else []
    # One attempt at a time, whatever cores it has; the option given last is the one that counts.
    arguments = ["--nthreads", "1", "--memory-limit", "0"]
    if config.walltime is not None:
        arguments += ["--lifetime", f"{config.walltime - config.lead:g}s"]
    return {
        "cores": config.cores_per_job,
        "memory": f"{mebibytes(config.memory or '1M')}MiB",
        "processes": 1,
        "python": f"{config.launcher} {sys.executable}".strip(),
        "interface": config.interface or _LOOPBACK_INTERFACE,
        "scheduler_options": {"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"},
        "worker_extra_args": arguments,
        "job_script_prologue": [*config.prologue, *export],
        **_SCHEDULER_OPTIONS[config.name](config),
    }


def _slurm(config: ExecutorConfig) -> dict[str, Any]:
    own = [f"--gres=gpu:{config.gpus_per_job}"] if config.gpus_per_job else []
    own += [f"--constraint={config.constraint}"] if config.constraint else []
    own += [f"--qos={config.qos}"] if config.qos else []
    return {
        "queue": config.queue,
        "account": config.account,
        "walltime": _clock(config.walltime),
        "job_cpu": config.cores_per_job,
        "job_extra_directives": ["--no-requeue", *own, *config.directives],
    }


def _lsf(config: ExecutorConfig) -> dict[str, Any]:
    own = [f"-gpu num={config.gpus_per_job}"] if config.gpus_per_job else []
    own += [f"-R 'select[{config.constraint}]'"] if config.constraint else []
    return {
        "queue": config.queue,
        "project": config.account,
        "walltime": _clock(config.walltime)[:-3],
        "ncpus": config.cores_per_job,
        "mem": mebibytes(config.memory or "1M") * 2**20,
        "job_extra_directives": [*own, *config.directives],
    }


def _pbs(config: ExecutorConfig) -> dict[str, Any]:
    gpus = f":ngpus={config.gpus_per_job}" if config.gpus_per_job else ""
    memory = f"{mebibytes(config.memory or '1M')}mb"
    return {
        "queue": config.queue,
        "account": config.account,
        "walltime": _clock(config.walltime),
        "resource_spec": f"select=1:ncpus={config.cores_per_job}:mem={memory}{gpus}",
        "job_extra_directives": list(config.directives),
    }


def _oar(config: ExecutorConfig) -> dict[str, Any]:
    gpus = f"/gpu={config.gpus_per_job}" if config.gpus_per_job else ""
    own = [f"-p {shlex.quote(config.constraint)}"] if config.constraint else []
    return {
        "queue": config.queue,
        "project": config.account,
        "walltime": _clock(config.walltime),
        "resource_spec": f"/nodes=1{gpus}/core={config.cores_per_job}",
        "memory_per_core_property_name": "not_applicable",  # OAR gives memory with cores
        "job_extra_directives": [*own, *config.directives],
    }


def _sge(config: ExecutorConfig) -> dict[str, Any]:
    own = [f"-l gpu={config.gpus_per_job}"] if config.gpus_per_job else []
    own += [f"-pe smp {config.cores_per_job}"] if config.cores_per_job > 1 else []
    return {
        "queue": config.queue,
        "project": config.account,
        "walltime": _clock(config.walltime),
        "resource_spec": f"h_vmem={mebibytes(config.memory or '1M')}M",
        "job_extra_directives": [*own, *config.directives],
    }


def _htcondor(config: ExecutorConfig) -> dict[str, Any]:
    own = {"request_gpus": str(config.gpus_per_job)} if config.gpus_per_job else {}
    own["+MaxRuntime"] = str(int(config.walltime)) if config.walltime else "86400"
    given = (directive.partition("=") for directive in config.directives)
    own.update({name.strip(): value.strip() for name, _, value in given})
    return {"disk": "1GiB", "job_extra_directives": own}


_SCHEDULER_OPTIONS: Final[Mapping[str, Callable[[ExecutorConfig], dict[str, Any]]]] = {
    "slurm": _slurm,
    "lsf": _lsf,
    "pbs": _pbs,
    "oar": _oar,
    "sge": _sge,
    "htcondor": _htcondor,
}


def _clock(duration_s: float | None) -> str:
    """A duration as hours:minutes:seconds; a day where none is given."""
    minutes, seconds = divmod(int(duration_s or 86_400), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"
