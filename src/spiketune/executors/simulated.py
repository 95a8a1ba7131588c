"""Trials that take virtual time: the study loop tested without waiting."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import final

from spiketune.clock import VirtualClock
from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message

Script = Callable[[Job], Sequence[tuple[float, Message]]]


@final
class SimulatedExecutor(Executor):
    """Plays a script: what each attempt sends, and after how many seconds.

    Args:
        script: Messages of an attempt with their delay in seconds; the last one must be a
            `Result` or a `Failure`.
        n_workers: Attempts at once.
        clock: Goes on to the next event whenever events are asked for.
    """

    def __init__(self, script: Script, n_workers: int, clock: VirtualClock) -> None:
        self._script = script
        self._n_workers = n_workers
        self._clock = clock
        self._agenda: list[tuple[float, int, str, Message]] = []
        self._busy: dict[int, str] = {}
        self._n_events = 0

    @property
    def n_workers(self) -> int:
        """Attempts that run at once."""
        return self._n_workers

    @property
    def free_slots(self) -> int:
        """Workers without an attempt."""
        return self._n_workers - len(self._busy)

    def submit(self, job: Job) -> str:
        """Enter the attempt's messages into the agenda."""
        if self.free_slots < 1:
            raise RuntimeError("no free slot")
        taken = set(self._busy.values())
        worker = next(str(i) for i in range(self._n_workers) if str(i) not in taken)
        self._busy[job.number] = worker
        for delay_s, message in self._script(job):
            self._enter(self._clock.now_s() + delay_s, worker, message)
        return worker

    def _enter(self, at_s: float, worker: str, message: Message) -> None:
        self._n_events += 1
        heapq.heappush(self._agenda, (at_s, self._n_events, worker, message))

    def events(self, timeout_s: float) -> Sequence[Message]:
        """The next event, with the clock at its time; none if it is further than `timeout_s`."""
        until_s = self._clock.now_s() + timeout_s
        if not self._agenda or self._agenda[0][0] > until_s:
            self._clock.advance_to(until_s)
            return ()
        at_s, _, _, message = heapq.heappop(self._agenda)
        self._clock.advance_to(at_s)
        if type(message).__name__ != "Report":
            self._busy.pop(message.number, None)
        return (message,)

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """End the attempt now: preempted, or lost if killed."""
        if number not in self._busy:
            return
        attempt = max(m.attempt for _, _, _, m in self._agenda if m.number == number)
        self._agenda = [entry for entry in self._agenda if entry[3].number != number]
        heapq.heapify(self._agenda)
        kind = "worker_lost" if kill else "preempted"
        failure = Failure(number, attempt, kind, "cancelled")  # type: ignore[arg-type]
        self._enter(self._clock.now_s(), self._busy[number], failure)

    def close(self) -> None:
        """Forget everything."""
        self._agenda.clear()
        self._busy.clear()
