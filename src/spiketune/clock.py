"""Time as a value, so that the study loop can be tested in virtual time."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import final


class Clock(ABC):
    """Seconds since the epoch, however they pass."""

    @abstractmethod
    def now_s(self) -> float:
        """The current time in seconds since the epoch."""


@final
class SystemClock(Clock):
    """The machine's clock, never going backwards within a process."""

    def __init__(self) -> None:
        self._epoch_s = time.time() - time.monotonic()

    def now_s(self) -> float:
        """The current time in seconds since the epoch."""
        return self._epoch_s + time.monotonic()


@final
class VirtualClock(Clock):
    """A clock that stands still until it is told to go on."""

    def __init__(self, now_s: float = 0.0) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        """The current virtual time in seconds."""
        return self._now_s

    def advance_to(self, now_s: float) -> None:
        """Go on to a later moment; an earlier one changes nothing."""
        self._now_s = max(self._now_s, now_s)
