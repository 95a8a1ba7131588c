"""Executors by name."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from spiketune.config.executor import WORKER_PLACES
from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.errors import InputError, UnknownNameError
from spiketune.executors.base import Executor
from spiketune.executors.gpus import GpuPool, gpu_pool
from spiketune.executors.inline import InlineExecutor
from spiketune.executors.local import LocalExecutor, modules_to_preload
from spiketune.executors.lsf import Lsf
from spiketune.executors.ranks import ranks
from spiketune.executors.scheduler import Scheduler
from spiketune.executors.scheduler_jobs import SchedulerJobsExecutor
from spiketune.executors.slurm import Slurm
from spiketune.objectives.execution import execute
from spiketune.objectives.function import PICKLED
from spiketune.plugins import registered

Make = Callable[[ExecutorConfig, Mapping[str, Any], str], Executor]
_COMMAND: Final = "spiketune.objectives.command"
_TRAINING: Final = "spiketune.objectives.training"


def n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_workers(config: ExecutorConfig) -> int:
    """Attempts at once: as configured, else one per core or slot on a GPU, one for `inline`."""
    if config.name == "inline":
        return 1
    if config.name in WORKER_PLACES:
        return config.adaptive.max if config.adaptive else config.jobs
    if config.name == "mpi":
        return max(1, (ranks()[0] - 1) // config.ranks_per_trial)
    if config.workers is None and config.gpus:
        return len(config.gpus) * config.trials_per_gpu
    return config.workers or n_cores()


def n_threads(config: ExecutorConfig) -> int:
    """Threads of an attempt: its share of this machine's cores, or those of its job."""
    if config.name in WORKER_PLACES or config.address is not None:
        return config.cores_per_job
    if config.name == "mpi":
        return max(1, n_cores() // ranks()[2])
    return max(1, n_cores() // n_workers(config))


def make_executor(config: ExecutorConfig, trial: Mapping[str, Any], base_folder: str) -> Executor:
    """The executor of a study; warns of more workers than cores.

    Args:
        config: The executor section.
        trial: The trial section: what children must import.
        base_folder: First on the import path of function objectives.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    check_executor(config)
    _warn_of_few_cores(config)
    makers: Mapping[str, Make] = {**_MAKERS, **registered("executors")}
    return makers[config.name](config, trial, base_folder)


def check_executor(config: ExecutorConfig) -> None:
    """Refuse an executor that does not exist.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    known = {*_MAKERS, *registered("executors")}
    if config.name not in known:
        raise UnknownNameError("executor", config.name, known)


def _warn_of_few_cores(config: ExecutorConfig) -> None:
    local = config.name == "local" or (config.name == "dask" and config.address is None)
    if local and n_workers(config) > n_cores():
        warnings.warn(
            f"study.executor.workers: {n_workers(config)} workers share {n_cores()} cores; "
            "trials will slow each other down",
            stacklevel=3,
        )


def _inline(config: ExecutorConfig, trial: Mapping[str, Any], base_folder: str) -> Executor:
    return InlineExecutor(execute)


def _local(config: ExecutorConfig, trial: Mapping[str, Any], base_folder: str) -> Executor:
    gpus = _gpus(config, trial)
    n_here = n_workers(config)
    if gpus is not None:
        n_here = min(config.workers or gpus.n_slots, gpus.n_slots)
    preload = _preload(config, trial, base_folder)
    return LocalExecutor(n_here, preload=preload, base_folder=base_folder, gpus=gpus)


def _wants_gpu(config: ExecutorConfig, trial: Mapping[str, Any]) -> bool:
    return bool(config.gpus) if config.gpus is not None else trial.get("device") != "cpu"


def _gpus(config: ExecutorConfig, trial: Mapping[str, Any]) -> GpuPool | None:
    """GPUs for trials that may want one."""
    if not _wants_gpu(config, trial):
        return None
    return gpu_pool(config.gpus, config.trials_per_gpu, config.gpu_limits)


def _mpi(config: ExecutorConfig, trial: Mapping[str, Any], base_folder: str) -> Executor:
    if ranks()[0] < 2:  # before MPI is started, which a process does once
        raise InputError(
            "study.executor: mpi needs at least two ranks, one of which asks; start it as "
            "`mpirun -n 4 spiketune run FILE --set study.executor.name=mpi`"
        )
    try:
        from spiketune.executors.mpi import MpiExecutor, RankGpus, groups_executor
    except ImportError as error:
        raise InputError(
            f"study.executor: mpi needs an MPI library and an extra ({error}); "
            "pip install 'spiketune[mpi]'"
        ) from error
    if config.ranks_per_trial > 1:
        _check_groups(config.ranks_per_trial, trial)
        return groups_executor(config.ranks_per_trial)
    shared = None
    if _wants_gpu(config, trial):
        shared = RankGpus(config.gpus, config.trials_per_gpu, socket.gethostname())
    preload = _preload(config, trial, base_folder)
    return MpiExecutor(preload=preload, base_folder=base_folder, gpus=shared)


def _check_groups(ranks_per_trial: int, trial: Mapping[str, Any]) -> None:
    """Refuse ranks that make no whole groups, and trials that know nothing of ranks.

    Raises:
        InputError: Naming the remedy.
    """
    n_ranks = ranks()[0]
    if (n_ranks - 1) % ranks_per_trial:
        fitting = n_ranks - (n_ranks - 1) % ranks_per_trial + ranks_per_trial
        raise InputError(
            f"study.executor.ranks_per_trial: {n_ranks} ranks are one that asks and "
            f"{n_ranks - 1} that make no groups of {ranks_per_trial}; start {fitting}"
        )
    if "function" not in trial:
        raise InputError(
            "study.executor.ranks_per_trial: goes with `trial.function`, whose function divides "
            "its work by `trial.comm`; other trials run on one rank"
        )


def _dask(config: ExecutorConfig, trial: Mapping[str, Any], base_folder: str) -> Executor:
    try:
        from spiketune.executors.dask import DaskExecutor
        from spiketune.executors.dask_workers import DaskWorkers, ExistingWorkers, LocalWorkers
        from spiketune.executors.jobqueue import JobWorkers
    except ImportError as error:
        where = f"{config.name} with `mode: workers`" if config.in_workers else config.name
        raise InputError(
            f"study.executor: {where} needs an extra ({error}); pip install 'spiketune[cluster]'"
        ) from error
    workers: DaskWorkers
    if config.in_workers:
        workers = JobWorkers(config, base_folder)
    elif config.address is not None:
        workers = ExistingWorkers(config.address)
    else:
        workers = LocalWorkers(n_workers(config))
    return DaskExecutor(
        workers,
        preload=_preload(config, trial, base_folder),
        base_folder=base_folder,
        grace_s=config.grace,
        lead_s=config.lead,
    )


def _preload(config: ExecutorConfig, trial: Mapping[str, Any], base_folder: str) -> tuple[str, ...]:
    """Modules that a fork server imports before the first trial."""
    if "command" in trial:
        return (*config.preload, _COMMAND)
    function = str(trial.get("function", ""))
    if not function:
        return (*config.preload, _TRAINING)
    if function.startswith(f"{PICKLED}:"):
        return (*config.preload, "numpy", "cloudpickle")
    return (*config.preload, *modules_to_preload(function, base_folder))


def _scheduler(config: ExecutorConfig, trial: Mapping[str, Any], base_folder: str) -> Executor:
    if config.in_workers:
        return _dask(config, trial, base_folder)
    return SchedulerJobsExecutor(_SCHEDULERS[config.name](), config, base_folder=base_folder)


_SCHEDULERS: Final[Mapping[str, type[Scheduler]]] = {"slurm": Slurm, "lsf": Lsf}
_MAKERS: Final[Mapping[str, Make]] = {
    "inline": _inline,
    "local": _local,
    "mpi": _mpi,
    "dask": _dask,
    **dict.fromkeys(WORKER_PLACES, _scheduler),
}
