"""Trials that each run on several MPI ranks, with a communicator of their own.

A trial runs inside its ranks, without a child around it: whoever computes with MPI cannot be forked
off. A rank that dies, or that leaves the others waiting for it, therefore ends the MPI job;
`spiketune resume` recovers what was written down.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast, final

from spiketune.executors.attempt_folder import STOP_FILE, asked
from spiketune.executors.base import Executor
from spiketune.executors.child import limit_threads
from spiketune.executors.lease import claim, write_result
from spiketune.executors.reports import ReportReader
from spiketune.messages import Failure, Job, Message, Report, Result, from_json, to_json
from spiketune.objectives.execution import execute

_JOB_TAG: Final = 2
_END_TAG: Final = 3
_IDLE_S: Final = 0.01
_PATIENCE_S: Final = 30.0  # for the other ranks of a trial, once one of them has ended
_REMEDY: Final = "`spiketune resume` goes on"


def serve_group(world: Any, ranks_per_trial: int) -> None:
    """Be one of the ranks of a group until rank 0 has finished.

    Args:
        world: Communicator of the whole MPI job.
        ranks_per_trial: Ranks of a group.
    """
    group = world.Split((world.Get_rank() - 1) // ranks_per_trial + 1, world.Get_rank())
    while (text := _next_job(world)) is not None:
        job = cast(Job, from_json(text))
        end = _run(job, group)
        world.send((group.Get_rank(), to_json(end)), dest=0, tag=_END_TAG)
    group.Free()


def _next_job(world: Any) -> str | None:
    """Wait for an attempt; asleep, since MPI's own waiting takes a core."""
    request = world.irecv(source=0, tag=_JOB_TAG)
    while True:
        there, text = request.test()
        if there:
            return cast("str | None", text)
        time.sleep(_IDLE_S)


def _run(job: Job, group: Any) -> Result | Failure:
    """Run an attempt on this rank; the first of its group speaks for all."""
    folder, first = Path(job.folder), group.Get_rank() == 0
    if first:
        claim(folder)
    limit_threads(job.threads)
    send: Callable[[Report], None] = _nowhere
    if first:
        log = (folder / "metrics.jsonl").open("a", encoding="utf-8", buffering=1)
        send = lambda report: print(to_json(report), file=log)  # noqa: E731

    def stop_requested() -> bool:
        """The same answer on every rank: each of them must ask."""
        return bool(group.bcast(first and asked(folder, STOP_FILE), root=0))

    try:
        return execute(job, send, stop_requested, comm=group)
    finally:
        if first:
            log.close()


def _nowhere(report: Report) -> None:
    """The first rank reports."""


@final
class MpiGroupsExecutor(Executor):
    """Attempts on groups of ranks of this MPI job.

    Args:
        world: Communicator of the whole MPI job; the other ranks are in `serve_group`.
        ranks_per_trial: Ranks of a group; divides the number of ranks without this one.
    """

    def __init__(self, world: Any, ranks_per_trial: int) -> None:
        self._world = world
        self._ranks_per_trial = ranks_per_trial
        self._n_groups: int = (world.Get_size() - 1) // ranks_per_trial
        world.Split(0, 0).Free()  # every rank of the job takes part in a split
        self._attempts: dict[int, _Attempt] = {}
        self._closed = False

    @property
    def n_workers(self) -> int:
        """Groups of ranks."""
        return self._n_groups

    @property
    def free_slots(self) -> int:
        """Groups without an attempt."""
        return self._n_groups - len(self._attempts)

    def submit(self, job: Job) -> str:
        """Send the attempt to the ranks of a free group."""
        taken = {attempt.group for attempt in self._attempts.values()}
        group = next(i for i in range(self._n_groups) if i not in taken)
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.json").write_text(to_json(job), encoding="utf-8")
        self._attempts[group] = _Attempt(job, group)
        for rank in self._ranks(group):
            self._world.send(to_json(job), dest=rank, tag=_JOB_TAG)
        return str(group)

    def _ranks(self, group: int) -> range:
        first = 1 + group * self._ranks_per_trial
        return range(first, first + self._ranks_per_trial)

    def events(self, timeout_s: float) -> Sequence[Message]:
        """What ranks and folders tell; waits up to `timeout_s`.

        Ends the MPI job if a trial's ranks hang past its time limit, or wait for one that failed.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            messages = self._look()
            if messages or time.monotonic() >= deadline_s:
                return messages
            time.sleep(_IDLE_S)

    def _look(self) -> list[Message]:
        while self._world.iprobe(tag=_END_TAG):
            self._take_end()
        messages: list[Message] = []
        for group, attempt in list(self._attempts.items()):
            whole = len(attempt.ends) == self._ranks_per_trial
            messages += attempt.reports.read()
            if whole:
                del self._attempts[group]
                messages.append(attempt.end())
            else:
                self._check(attempt)
        return messages

    def _take_end(self) -> None:
        from_rank, (rank, text) = self._receive()
        attempt = self._attempts[(from_rank - 1) // self._ranks_per_trial]
        attempt.ends[rank] = cast("Result | Failure", from_json(text))
        attempt.first_end_s = attempt.first_end_s or time.monotonic()

    def _receive(self) -> tuple[int, tuple[int, str]]:
        for rank in range(1, self._world.Get_size()):
            if self._world.iprobe(source=rank, tag=_END_TAG):
                return rank, self._world.recv(source=rank, tag=_END_TAG)
        raise RuntimeError("a message that was there is gone")

    def _check(self, attempt: _Attempt) -> None:
        """End the MPI job where an attempt can no longer end by itself."""
        now_s, limit_s = time.monotonic(), attempt.job.time_limit_s
        if attempt.first_end_s and now_s - attempt.first_end_s >= _PATIENCE_S:
            ended = [end for end in attempt.ends.values() if isinstance(end, Failure)]
            words = ended[0].message if ended else "a rank ended long before the others"
            self._abort(attempt, Failure(attempt.job.number, attempt.job.attempt, "crash", words))
        if limit_s and now_s - attempt.started_s >= limit_s:
            (Path(attempt.job.folder) / STOP_FILE).touch()
            attempt.timed_out = True
        if limit_s and now_s - attempt.started_s >= limit_s + _PATIENCE_S:
            self._abort(attempt, attempt.timeout())

    def _abort(self, attempt: _Attempt, failure: Failure) -> None:
        write_result(Path(attempt.job.folder), failure)  # `resume` finds why
        print(  # noqa: T201 -- nothing else can be said after the next line
            f"error: trial {failure.number}: {failure.message}; its ranks cannot be freed, "
            f"the MPI job ends. {_REMEDY}",
            flush=True,
        )
        self._world.Abort(1)
        os._exit(1)

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """Let the objective know through `should_stop`; ranks cannot be killed one by one."""
        for attempt in self._attempts.values():
            if attempt.job.number == number:
                (Path(attempt.job.folder) / STOP_FILE).touch()

    def close(self) -> None:
        """Ask what runs to leave, wait for it, and let the ranks go."""
        if self._closed:
            return
        self._closed = True
        for attempt in list(self._attempts.values()):
            self.cancel(attempt.job.number)
        deadline_s = time.monotonic() + _PATIENCE_S
        while self._attempts and time.monotonic() < deadline_s:
            self.events(_IDLE_S)
        for attempt in self._attempts.values():
            words = "did not leave when asked"
            self._abort(
                attempt, Failure(attempt.job.number, attempt.job.attempt, "interrupted", words)
            )
        for rank in range(1, self._world.Get_size()):
            self._world.send(None, dest=rank, tag=_JOB_TAG)


@final
class _Attempt:
    """One attempt at work on a group of ranks."""

    def __init__(self, job: Job, group: int) -> None:
        self.job = job
        self.group = group
        self.reports = ReportReader(Path(job.folder))
        self.ends: dict[int, Result | Failure] = {}
        self.started_s = time.monotonic()
        self.first_end_s = 0.0
        self.timed_out = False

    def timeout(self) -> Failure:
        """The end of an attempt that took too long."""
        words = f"took longer than {self.job.time_limit_s or 0.0:g} s"
        cost_s = time.monotonic() - self.started_s
        return Failure(self.job.number, self.job.attempt, "timeout", words, cost_s)

    def end(self) -> Result | Failure:
        """What the first rank returned, unless a rank failed; on disk before it is told."""
        failures = [end for end in self.ends.values() if isinstance(end, Failure)]
        end = failures[0] if failures else self.ends[0]
        if self.timed_out and isinstance(end, Failure) and end.kind == "preempted":
            end = self.timeout()
        write_result(Path(self.job.folder), end)
        return end
