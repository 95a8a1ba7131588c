"""Processes that died by a signal: its name, and whether it came from outside."""

from __future__ import annotations

import signal
from typing import Final

LARGEST_SIGNAL: Final = 64  # the last of the real-time signals, which have no names
FROM_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT})


def signal_name(number: int) -> str:
    """`SIGSEGV`, or `signal 40` where a signal has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
