"""Trials on the workers of a Dask cluster, each in a supervised child of its worker.

Attempts are ours: an engine that runs a task again, because its worker died, finds the attempt's
folder claimed and only says what became of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, cast, final

from distributed import Future

from spiketune.errors import SpiketuneError
from spiketune.executors.attempt_folder import KILL_FILE, STOP_FILE, SUPERVISOR
from spiketune.executors.base import Executor
from spiketune.executors.dask_attempt import (
    KEY_PREFIX,
    SETTLE_S,
    ForkServers,
    run,
)
from spiketune.executors.dask_workers import DaskWorkers
from spiketune.executors.lease import RENEW_S, claim, read_end, read_lease
from spiketune.executors.reports import ReportReader
from spiketune.executors.scheduled import asker_file
from spiketune.messages import Failure, FailureKind, Job, Message, Result, from_json, to_json

_LOOK_S: Final = 0.1  # between two looks at the folders of attempts at work
_LOOK_EACH_S: Final = 0.002
_RESULT_S: Final = 10.0  # for a task's result to come here; the folder has it too
_FOLLOW_S: Final = 1.0  # between two looks at what workers that died left behind


@dataclass(slots=True)
class _Attempt:
    """One attempt at work; its future is None where only the folder tells of it."""

    job: Job
    slot: int
    reports: ReportReader
    future: Future | None = None
    gone_since_s: float | None = None
    seen: Result | Failure | None = None

    @property
    def folder(self) -> Path:
        return Path(self.job.folder)


@final
class DaskExecutor(Executor):
    """Attempts as tasks of a Dask cluster.

    Args:
        workers: The cluster.
        preload: Modules that every worker's fork server imports before its first attempt.
        base_folder: First on the import path.
        grace_s: Time for which attempts on workers that outlive this process go on without it.
        lead_s: Longest time that a closing worker waits for its attempts' checkpoints.
    """

    def __init__(
        self,
        workers: DaskWorkers,
        *,
        preload: Sequence[str] = (),
        base_folder: str = "",
        grace_s: float = 3600.0,
        lead_s: float = 120.0,
    ) -> None:
        self._workers = workers
        self._grace_s = grace_s
        self._attempts: dict[int, _Attempt] = {}
        self._ended: SimpleQueue[tuple[Job, Message | None]] = SimpleQueue()
        self._begun = self._closed = False
        self._looked_s = self._followed_s = self._beat_s = float("-inf")
        self._plugin = f"{KEY_PREFIX}{uuid.uuid4()}"
        servers = ForkServers(self._plugin, tuple(preload), base_folder, lead_s)
        workers.client.register_plugin(servers)

    @property
    def n_workers(self) -> int:
        """Attempts that run at once."""
        return self._workers.n_workers

    @property
    def free_slots(self) -> int:
        """Workers without an attempt."""
        return max(0, self.n_workers - len(self._attempts))

    def submit(self, job: Job) -> str:
        """Give the attempt to the cluster.

        Raises:
            SpiketuneError: If the connection to its scheduler is lost for good.
        """
        attempt = self._take(job)
        attempt.folder.mkdir(parents=True, exist_ok=True)
        (attempt.folder / "job.json").write_text(to_json(job), encoding="utf-8")
        if not self._begun:
            self._begun = True
            self._workers.begin(attempt.folder.parents[2])
        self._beat()
        client = self._workers.client
        if client.status not in ("running", "connecting"):
            raise SpiketuneError(
                "study.executor: the Dask scheduler went away; what came before is safe, "
                "`spiketune resume` goes on"
            )
        attempt.future = client.submit(
            run, to_json(job), self._plugin, self._grace_s, key=_key(job), pure=False, retries=0
        )
        attempt.future.add_done_callback(lambda future: self._ended.put((job, _end(job, future))))
        return str(attempt.slot)

    def adopt(self, job: Job) -> str | None:
        """Take over an attempt that a worker goes on with, by its folder."""
        folder = Path(job.folder)
        if not self._workers.outlive or not folder.exists() or read_end(folder) is not None:
            return None
        with contextlib.suppress(FileExistsError):
            claim(folder, "", SUPERVISOR)  # no worker has it, and now none will
            return None
        lease = read_lease(folder, SUPERVISOR)
        if lease is None or not lease.job or not lease.alive():
            return None
        attempt = self._take(job)
        self._beat()
        return str(attempt.slot)

    def _take(self, job: Job) -> _Attempt:
        taken = {attempt.slot for attempt in self._attempts.values()}
        slot = next(i for i in range(len(taken) + 1) if i not in taken)
        attempt = self._attempts[job.number] = _Attempt(job, slot, ReportReader(Path(job.folder)))
        return attempt

    def events(self, timeout_s: float) -> Sequence[Message]:
        """What the cluster and the attempts' folders tell; waits up to `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._beat()
            self._workers.check()
            messages = self._look()
            left_s = deadline_s - time.monotonic()
            pause_s = max(0.0, min(left_s, self._next_look_s() - time.monotonic()))
            with contextlib.suppress(Empty):
                messages += self._take_ended(*self._ended.get(timeout=0 if messages else pause_s))
                while True:
                    messages += self._take_ended(*self._ended.get_nowait())
            if messages or time.monotonic() >= deadline_s:
                return messages

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """End an attempt that nobody has begun; else leave word in its folder."""
        attempt = self._attempts.get(number)
        if attempt is None:
            return
        (attempt.folder / (KILL_FILE if kill else STOP_FILE)).touch()
        try:
            claim(attempt.folder, "", SUPERVISOR)
        except FileExistsError:
            return  # a worker has it, and sees the file
        kind: FailureKind = "worker_lost" if kill else "preempted"
        job = attempt.job
        failure = Failure(job.number, job.attempt, kind, "cancelled before it began")
        self._ended.put((job, failure))
        if attempt.future is not None:
            attempt.future.cancel()

    def close(self) -> None:
        """End every attempt; leave the cluster, or end it if it was started here."""
        if self._closed:
            return
        self._closed = True
        for number in list(self._attempts):
            self.cancel(number, kill=True)
        self._attempts.clear()
        if self._workers.outlive and self._workers.client.status == "running":
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):  # it may be gone
                self._workers.client.unregister_worker_plugin(self._plugin)
        self._workers.close()

    def _beat(self) -> None:
        """Tell workers that their asker lives."""
        now_s = time.monotonic()
        if now_s - self._beat_s >= RENEW_S and self._attempts:
            self._beat_s = now_s
            asker_file(next(iter(self._attempts.values())).folder).touch()

    # What the cluster says.

    def _take_ended(self, job: Job, end: Message | None) -> list[Message]:
        """The end of an attempt after its last reports; nothing if it came before."""
        attempt = self._attempts.get(job.number)
        if attempt is None or attempt.job.attempt != job.attempt:
            return []
        if end is None:
            attempt.future = None  # the cluster cannot tell: its folder does
            return []
        del self._attempts[job.number]
        return [*attempt.reports.read(), end]

    # What the folders say.

    def _next_look_s(self) -> float:
        pause_s = max(_LOOK_S, _LOOK_EACH_S * len(self._attempts))
        return self._looked_s + pause_s if self._attempts else float("inf")

    def _look(self) -> list[Message]:
        now_s = time.monotonic()
        if now_s < self._next_look_s():
            return []
        self._looked_s = now_s
        follow = now_s - self._followed_s >= _FOLLOW_S
        self._followed_s = now_s if follow else self._followed_s
        messages: list[Message] = []
        for attempt in list(self._attempts.values()):
            messages += attempt.reports.read()
            if follow:
                messages += self._follow(attempt, now_s)
        return messages

    def _follow(self, attempt: _Attempt, now_s: float) -> list[Message]:
        """The end of an attempt of which the engine does not tell: its worker or network is gone.

        An end is taken when it is seen a second time: the worker may still name its reason.
        """
        job, before = attempt.job, attempt.seen
        end = attempt.seen = read_end(attempt.folder)
        if end is not None:
            return self._take_ended(job, end) if before is not None else []
        lease = read_lease(attempt.folder, SUPERVISOR)
        waits = lease is None and attempt.future is not None
        if waits or (lease is not None and lease.alive()):
            attempt.gone_since_s = None
            return []
        attempt.gone_since_s = attempt.gone_since_s or now_s
        if now_s - attempt.gone_since_s < SETTLE_S:
            return []
        words = "the Dask worker went away"
        return self._take_ended(job, Failure(job.number, job.attempt, "worker_lost", words))


def _end(job: Job, future: Future) -> Message | None:
    """How a task ended, in a thread of the client; None if the cluster cannot tell any more."""
    if future.cancelled():
        return None  # by a client that closes, whose loop may not answer any more
    try:
        if future.status == "finished" and (end := read_end(Path(job.folder))) is not None:
            return end  # a look into the folder is quicker than a way through the cluster
        return cast(Message, from_json(future.result(timeout=_RESULT_S)))
    except (CancelledError, TimeoutError):
        return None
    except Exception as error:
        words = f"the Dask worker failed: {type(error).__name__}: {error}"
        return Failure(job.number, job.attempt, "worker_lost", words)


def _key(job: Job) -> str:
    """The task's key, unlike that of any other study's."""
    digest = hashlib.sha256(job.folder.encode()).hexdigest()[:10]
    return f"{KEY_PREFIX}{job.number}-{job.attempt}-{digest}"
