"""Trials on the ranks of an MPI job: rank 0 asks, every other rank supervises one trial.

A trial runs in a child of its rank. A child that is killed is a lost worker; without the
child, the death of a rank ends the whole MPI job.
"""

from __future__ import annotations

import atexit
import signal
import socket
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import Executor as Pool
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, cast, final

from mpi4py import MPI
from mpi4py.futures import MPICommExecutor

from spiketune.errors import InputError
from spiketune.executors.attempt_folder import KILL_FILE, STOP_FILE
from spiketune.executors.base import Executor
from spiketune.executors.gpus import gpu_of_rank
from spiketune.executors.local import LocalExecutor
from spiketune.executors.mpi_groups import MpiGroupsExecutor, serve_group
from spiketune.executors.ranks import local_rank, ranks
from spiketune.executors.reports import ReportReader
from spiketune.executors.supervision import POLL_S, supervise
from spiketune.messages import Failure, Job, Message, from_json, to_json

_IDLE_S: Final = 0.01
_TAG: Final = 1


def serve() -> None:
    """Be a worker rank until rank 0 has finished."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # rank 0 decides what becomes of the trials
    while ranks_per_trial := _wanted():
        if ranks_per_trial > 1:
            serve_group(MPI.COMM_WORLD, ranks_per_trial)
            continue
        with MPICommExecutor(MPI.COMM_WORLD, root=0):
            pass  # on this rank the block begins when the executor of rank 0 is closed


def release() -> None:
    """On rank 0, let the other ranks go."""
    _want(0)


def groups_executor(ranks_per_trial: int) -> Executor:
    """On rank 0, an executor whose trials take several ranks each."""
    _want(ranks_per_trial)
    return MpiGroupsExecutor(MPI.COMM_WORLD, ranks_per_trial)


def _want(ranks_per_trial: int) -> None:
    """On rank 0, tell every other rank of the next executor; 0 for no other."""
    for rank in range(1, MPI.COMM_WORLD.Get_size()):
        MPI.COMM_WORLD.send(ranks_per_trial, dest=rank, tag=_TAG)


def _wanted() -> int:
    """On a worker rank, wait for that word; asleep, since MPI's own waiting takes a core."""
    request = MPI.COMM_WORLD.irecv(source=0, tag=_TAG)
    while True:
        there, ranks_per_trial = request.test()
        if there:
            return cast(int, ranks_per_trial)
        time.sleep(_IDLE_S)


@dataclass(frozen=True, slots=True)
class RankGpus:
    """How ranks share the GPUs of their machine: every rank keeps to one.

    Attributes:
        wanted: Numbers of the GPUs to use; None for all visible.
        per_gpu: Ranks that may share one.
        asker_host: Machine of rank 0, which runs no trials.
    """

    wanted: tuple[int, ...] | None
    per_gpu: int
    asker_host: str


@final
class MpiExecutor(Executor):
    """Attempts on the other ranks of this MPI job.

    Args:
        preload: Modules that every rank's fork server imports before its first attempt.
        base_folder: First on the import path.
        gpus: How ranks share GPUs; None for trials without.

    Raises:
        InputError: If this machine has more ranks than its GPUs may have.
    """

    def __init__(
        self, *, preload: Sequence[str] = (), base_folder: str = "", gpus: RankGpus | None = None
    ) -> None:
        n_ranks = MPI.COMM_WORLD.Get_size()
        self._n_workers = n_ranks - 1
        self._preload = tuple(preload)
        self._base_folder = base_folder
        self._gpus = gpus
        if gpus is not None and (n_here := ranks()[2] - 1) > 0:
            gpu_of_rank(gpus.wanted, gpus.per_gpu, n_here - 1)
        self._running: dict[int, tuple[Job, Future[str], ReportReader]] = {}
        _want(1)
        self._context: MPICommExecutor | None = MPICommExecutor(MPI.COMM_WORLD, root=0)
        self._pool = cast(Pool, self._context.__enter__())

    @property
    def n_workers(self) -> int:
        """Ranks but this one."""
        return self._n_workers

    @property
    def free_slots(self) -> int:
        """Ranks without an attempt."""
        return self._n_workers - len(self._running)

    def submit(self, job: Job) -> str:
        """Send the attempt to a rank that is free."""
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        sent = self._pool.submit(
            _supervise, to_json(job), self._preload, self._base_folder, self._gpus
        )
        self._running[job.number] = (job, sent, ReportReader(folder))
        return str(job.number % self._n_workers + 1)

    def events(self, timeout_s: float) -> Sequence[Message]:
        """What the attempts' folders and the ranks tell; waits up to `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            messages = self._look()
            left_s = deadline_s - time.monotonic()
            if messages or left_s <= 0:
                return messages
            futures = [future for _, future, _ in self._running.values()]
            if futures:
                wait(futures, timeout=min(left_s, POLL_S), return_when=FIRST_COMPLETED)
            else:
                time.sleep(min(left_s, POLL_S))

    def _look(self) -> list[Message]:
        messages: list[Message] = []
        for number, (job, future, reports) in list(self._running.items()):
            done = future.done()  # asked first: what it reported before is then on disk
            messages += reports.read()
            if done:
                del self._running[number]
                messages.append(_end(job, future))
        return messages

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """Leave word in the attempt's folder, for the child or for its rank."""
        if number in self._running:
            folder = Path(self._running[number][0].folder)
            (folder / (KILL_FILE if kill else STOP_FILE)).touch()

    def close(self) -> None:
        """End every attempt; the ranks wait for the next executor, or for `release`."""
        if self._context is None:
            return
        for number in list(self._running):
            self.cancel(number, kill=True)
        self._running.clear()
        self._context.__exit__(None, None, None)
        self._context = None


def _end(job: Job, future: Future[str]) -> Message:
    error = future.exception()
    if error is not None:
        words = f"the rank failed: {type(error).__name__}: {error}"
        return Failure(job.number, job.attempt, "worker_lost", words)
    return cast(Message, from_json(future.result()))


# On the worker ranks.


def _supervise(text: str, preload: tuple[str, ...], base_folder: str, gpus: RankGpus | None) -> str:
    """Run an attempt in a child of this rank, and return how it ended."""
    job = cast(Job, from_json(text))
    try:
        local = _supervisor(preload, base_folder, gpus)
    except InputError as error:  # this machine has other GPUs than the asker's
        return to_json(Failure(job.number, job.attempt, "crash", str(error)))
    return to_json(supervise(job, local))


@cache
def _supervisor(preload: tuple[str, ...], base_folder: str, gpus: RankGpus | None) -> LocalExecutor:
    """This rank's fork server, started with its first attempt."""
    pool = None
    if gpus is not None:
        beside_asker = socket.gethostname() == gpus.asker_host
        pool = gpu_of_rank(gpus.wanted, gpus.per_gpu, local_rank() - beside_asker)
    local = LocalExecutor(1, preload=preload, base_folder=base_folder, gpus=pool)
    atexit.register(local.close)
    return local
