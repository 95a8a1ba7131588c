"""Trials one after another in this process: for debugging, and for objectives that cost nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import final

from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message, Report

Run = Callable[[Job, Callable[[Report], None], Callable[[], bool]], Message]


@final
class InlineExecutor(Executor):
    """Runs each attempt to its end when its events are asked for.

    Args:
        run: Runs a job (`spiketune.objectives.execution.execute`).
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: deque[Job] = deque()
        self._cancelled: set[int] = set()
        self._tell: Callable[[Message], None] | None = None
        self._n_interrupts = 0
        self._in_objective = False

    @property
    def n_workers(self) -> int:
        """One: this process."""
        return 1

    @property
    def free_slots(self) -> int:
        """One while nothing waits."""
        return 0 if self._waiting else 1

    def submit(self, job: Job) -> str:
        """Keep the attempt until `events` is called."""
        self._waiting.append(job)
        return "inline"

    def listen(self, tell: Callable[[Message], None]) -> None:
        """Tell of every report as it is made."""
        self._tell = tell

    def events(self, timeout_s: float) -> Sequence[Message]:
        """Run the attempt that waits."""
        if not self._waiting:
            return ()
        job = self._waiting[0]
        reports: list[Message] = []
        tell = self._tell or reports.append

        def send(report: Report) -> None:
            self._in_objective = False  # a journal is written to its line's end
            tell(report)
            self._in_objective = True
            self._leave_if_asked_twice()

        end = self._end_of(job, send)
        self._waiting.popleft()
        self._cancelled.discard(job.number)
        return [*reports, end]

    def _end_of(self, job: Job, send: Callable[[Report], None]) -> Message:
        try:
            self._in_objective = True
            end = self._run(
                job, send, lambda: self._n_interrupts > 0 or job.number in self._cancelled
            )
            self._in_objective = False
        except KeyboardInterrupt:
            self._in_objective = False
            if self._n_interrupts < 2:
                raise  # nobody catches signals for this executor
            return Failure(job.number, job.attempt, "preempted", "ended by a second signal")
        return end

    def interrupt(self) -> None:
        """Let the objective know through `should_stop`; break it off at the second call.

        Raises:
            KeyboardInterrupt: In the objective, whose attempt then ends as preempted.
        """
        self._n_interrupts += 1
        self._leave_if_asked_twice()

    def _leave_if_asked_twice(self) -> None:
        if self._in_objective and self._n_interrupts > 1:
            raise KeyboardInterrupt

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """Let the objective know through `should_stop`."""
        if any(job.number == number for job in self._waiting):
            self._cancelled.add(number)

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
