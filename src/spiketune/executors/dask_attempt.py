"""One attempt on a Dask worker: claimed once, supervised, asked to leave when the worker leaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast, final

from distributed import Worker, WorkerPlugin, get_worker
from distributed.core import Status

from spiketune.executors.attempt_folder import SUPERVISOR
from spiketune.executors.lease import (
    RENEW_S,
    claim,
    read_end,
    read_lease,
    renew,
    write_result,
)
from spiketune.executors.local import LocalExecutor
from spiketune.executors.scheduled import Watch
from spiketune.executors.supervision import supervise
from spiketune.messages import Failure, FailureKind, Job, Result, from_json, to_json

KEY_PREFIX: Final = "spiketune-"
SETTLE_S: Final = 2.5  # children of a worker that was killed are gone by then
_AT_WORK: Final = (Status.init, Status.running, Status.paused)
_LIFETIME_SLACK_S: Final = 5.0
_POLL_S: Final = 0.1


def run(text: str, plugin: str, grace_s: float) -> str:
    """Run an attempt, or say what became of it when the engine runs it a second time.

    Args:
        text: The job as JSON.
        plugin: Name of the worker's `ForkServers`.
        grace_s: Time to go on without an asker.

    Returns:
        The result or failure as JSON.
    """
    job = cast(Job, from_json(text))
    folder = Path(job.folder)
    try:
        claim(folder, "dask", SUPERVISOR)
    except FileExistsError:
        return to_json(end_of_another(job))
    except OSError as error:
        words = (
            f"the Dask worker on {os.uname().nodename} cannot use the study's folder: {error}; "
            "it must lie on a file system that asker and workers share"
        )
        return to_json(Failure(job.number, job.attempt, "crash", words))
    worker = get_worker()
    leaving = _Leaving(folder, worker, grace_s)
    servers = cast(ForkServers, worker.plugins[plugin])
    with servers.at_work():
        end = supervise(job, servers.of_this_thread(), leaving.reason)
    if read_end(folder) is None:  # its child died: the asker finds in the folder what Dask loses
        write_result(folder, end)
    return to_json(end)


def end_of_another(job: Job, settle_s: float = SETTLE_S) -> Result | Failure:
    """Wait for the end of an attempt that another worker claimed; a worker that is gone lost it.

    An asker that takes an attempt back before it begins claims it as well: nobody runs that one.
    """
    folder = Path(job.folder)
    gone_since_s: float | None = None
    while (end := read_end(folder)) is None:
        lease = read_lease(folder, SUPERVISOR)
        now_s = time.monotonic()
        if lease is not None and not lease.job:
            return Failure(job.number, job.attempt, "preempted", "taken back before it began")
        if lease is not None and lease.alive():
            gone_since_s = None
        elif gone_since_s is None:
            gone_since_s = now_s
        elif now_s - gone_since_s >= settle_s:
            host = lease.host if lease is not None else "an unknown host"
            words = f"the Dask worker on {host} went away"
            return Failure(job.number, job.attempt, "worker_lost", words)
        time.sleep(_POLL_S)
    return end


@final
class _Leaving:
    """Why a Dask worker lets its attempt leave; keeps the worker's claim fresh meanwhile."""

    def __init__(self, folder: Path, worker: Worker, grace_s: float) -> None:
        self._folder = folder
        self._worker = worker
        self._watch = Watch(folder, None, 0.0, 0.0, grace_s)
        self._renewed_s = self._looked_s = time.monotonic()

    def reason(self) -> tuple[FailureKind, str] | None:
        """Kind and words; None to go on."""
        if self._worker.status not in _AT_WORK:
            if _lifetime_over(self._worker):
                return "walltime", "the Dask worker's walltime is almost over"
            return "preempted", "the Dask worker is closing"
        now_s = time.monotonic()
        if now_s - self._renewed_s >= RENEW_S:
            self._renewed_s = now_s
            with contextlib.suppress(OSError):  # a file server that hangs; or no child yet
                renew(self._folder, SUPERVISOR)
                renew(self._folder)
        if now_s - self._looked_s >= 1.0:
            self._looked_s = now_s
            self._watch.look()
            return self._watch.reason()
        return None


def _lifetime_over(worker: Worker) -> bool:
    """Whether a worker closes because it has lived as long as `--lifetime` says."""
    import psutil  # comes with distributed

    age_s = time.time() - psutil.Process().create_time()
    return bool(worker.lifetime and age_s >= worker.lifetime - _LIFETIME_SLACK_S)


@final
class ForkServers(WorkerPlugin):  # type: ignore[misc]
    """A worker's fork servers, one per thread; a worker that closes waits for its attempts.

    Args:
        name: Unlike that of any other asker's on this cluster.
        preload: Modules that the fork servers import.
        base_folder: First on the import path.
        patience_s: Longest time that a closing worker waits for checkpoints.
    """

    def __init__(
        self, name: str, preload: tuple[str, ...], base_folder: str, patience_s: float
    ) -> None:
        self.name = name
        self._preload = preload
        self._base_folder = base_folder
        self._patience_s = patience_s
        self._servers: dict[int, LocalExecutor] = {}
        self._at_work: set[int] = set()
        self._closed = False

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """The calling thread supervises an attempt."""
        thread = threading.get_ident()
        self._at_work.add(thread)
        try:
            yield
        finally:
            self._at_work.discard(thread)

    def of_this_thread(self) -> LocalExecutor:
        """The calling thread's fork server, started with its first attempt."""
        thread = threading.get_ident()
        if self._closed:
            raise RuntimeError("the asker of this attempt has left")
        if thread not in self._servers:
            self._servers[thread] = LocalExecutor(
                1, preload=self._preload, base_folder=self._base_folder, job="dask"
            )
        return self._servers[thread]

    async def teardown(self, worker: Worker) -> None:
        """Let attempts leave, whose supervisors see the worker's state; then end the servers."""
        deadline_s = time.monotonic() + self._patience_s
        while self._at_work and worker.status not in _AT_WORK and time.monotonic() < deadline_s:
            await asyncio.sleep(_POLL_S)
        self._closed = True
        for server in list(self._servers.values()):
            await asyncio.to_thread(server.close)
