"""The small interface that every place to run trials has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from spiketune.messages import Job, Message


class Executor(ABC):
    """Runs attempts at trials, and tells what became of them.

    Every submitted attempt ends in exactly one `Result` or `Failure`, unless the executor is
    closed first.
    """

    @property
    @abstractmethod
    def n_workers(self) -> int:
        """Attempts that can run at once."""

    @property
    @abstractmethod
    def free_slots(self) -> int:
        """Attempts that could be submitted now and would start at once."""

    @abstractmethod
    def submit(self, job: Job) -> str:
        """Start an attempt, and say which worker runs it."""

    def adopt(self, job: Job) -> str | None:
        """Take over an attempt that a dead asker submitted and that still waits or runs.

        Its messages then come from `events`, those already sent included.

        Returns:
            The worker, or None if there is nothing to take over: the default, for executors
            whose workers end with their asker.
        """
        return None

    def listen(self, tell: Callable[[Message], None]) -> None:  # noqa: B027 -- most need nothing
        """Name who is told of reports at once, where `events` would tell of them too late.

        That is, of attempts that run within `events`. The others pass this over.
        """

    @abstractmethod
    def events(self, timeout_s: float) -> Sequence[Message]:
        """What happened since the last call; waits up to `timeout_s` for something to happen."""

    @abstractmethod
    def cancel(self, number: int, *, kill: bool = False) -> None:
        """Ask the attempt at trial `number` to write a checkpoint and leave, or end it at once.

        It then ends in a `Failure` of kind `preempted`, unless its own end came first.
        A number that does not run is passed over.
        """

    def interrupt(self) -> None:  # noqa: B027 -- most need nothing
        """Ask attempts that run within `events` to leave, and end them at the second call.

        From the handler of a signal, while `events` cannot return. The others pass this over.
        """

    @abstractmethod
    def close(self) -> None:
        """End everything that still runs and give the resources back; may be called twice."""
