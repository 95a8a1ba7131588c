"""Trials that take virtual time: the study loop tested without waiting."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from typing import final

from spiketune.clock import VirtualClock
from spiketune.executors.base import Executor
from spiketune.messages import Failure, FailureKind, Job, Message, Report

Script = Callable[[Job], Sequence[tuple[float, Message]]]


@final
class SimulatedExecutor(Executor):
    """Plays a script: what each attempt sends, and after how many seconds.

    Args:
        script: Messages of an attempt with their delay in seconds; the last one must be a
            `Result` or a `Failure`.
        n_workers: Attempts at once.
        clock: Goes on to the next event whenever events are asked for.
        n_ready: Attempts that may wait beside those that run, so that a worker that becomes free
            goes on at once.

    Attributes:
        spans: Virtual start and end of every attempt that a worker took up, in seconds.
    """

    def __init__(
        self, script: Script, n_workers: int, clock: VirtualClock, n_ready: int = 0
    ) -> None:
        self._script = script
        self._n_workers = n_workers
        self._n_ready = n_ready
        self._clock = clock
        self._free = list(range(n_workers))  # a heap: the first free worker takes the next attempt
        self._ready: deque[tuple[Job, float]] = deque()
        self._agenda: list[tuple[float, int, Message]] = []
        self._busy: dict[int, tuple[int, Job]] = {}
        self._n_events = 0
        self.spans: list[tuple[float, float]] = []

    @property
    def n_workers(self) -> int:
        """Attempts that run at once."""
        return self._n_workers

    @property
    def free_slots(self) -> int:
        """Workers without an attempt, and places in the queue."""
        return len(self._free) + self._n_ready - len(self._ready)

    def submit(self, job: Job) -> str:
        """Enter the attempt's messages into the agenda, or queue it."""
        if self.free_slots < 1:
            raise RuntimeError("no free slot")
        if not self._free:
            self._ready.append((job, self._clock.now_s()))
            return "queue"
        return str(self._start(job, self._clock.now_s()))

    def _start(self, job: Job, now_s: float) -> int:
        worker = heapq.heappop(self._free)
        self._busy[job.number] = worker, job
        delay_s = 0.0
        for delay_s, message in self._script(job):
            self._enter(now_s + delay_s, message)
        self.spans.append((now_s, now_s + delay_s))
        return worker

    def _enter(self, at_s: float, message: Message) -> None:
        self._n_events += 1
        heapq.heappush(self._agenda, (at_s, self._n_events, message))

    def events(self, timeout_s: float) -> Sequence[Message]:
        """The next event, with the clock at its time; none if it is further than `timeout_s`."""
        until_s = self._clock.now_s() + timeout_s
        if not self._agenda or self._agenda[0][0] > until_s:
            self._clock.advance_to(until_s)
            return ()
        at_s, _, message = heapq.heappop(self._agenda)
        self._clock.advance_to(at_s)
        if not isinstance(message, Report) and message.number in self._busy:
            worker, _ = self._busy.pop(message.number)
            heapq.heappush(self._free, worker)
            if self._ready:
                job, since_s = self._ready.popleft()
                self._start(job, max(at_s, since_s))
        return (message,)

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """End the attempt now: preempted, or lost if killed."""
        waiting = next((entry for entry in self._ready if entry[0].number == number), None)
        if waiting is not None:
            self._ready.remove(waiting)
            job = waiting[0]
        elif number in self._busy:
            _, job = self._busy[number]
        else:
            return
        self._agenda = [entry for entry in self._agenda if entry[2].number != number]
        heapq.heapify(self._agenda)
        kind: FailureKind = "worker_lost" if kill else "preempted"
        self._enter(self._clock.now_s(), Failure(number, job.attempt, kind, "cancelled"))

    def close(self) -> None:
        """Forget everything."""
        self._agenda.clear()
        self._ready.clear()
        self._busy.clear()
        self._free = list(range(self._n_workers))
