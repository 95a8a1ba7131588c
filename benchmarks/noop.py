"""An objective that does nothing, alone in its module so that a child imports nothing else."""

from __future__ import annotations

import time
from typing import Any


def noop(trial: Any) -> float:
    """Sum of the parameters."""
    return float(sum(trial.params.values()))


def first_line(trial: Any) -> float:
    """Moment at which the objective's first line ran, on the monotonic clock."""
    return time.monotonic()


def sleeps(trial: Any) -> float:
    """Takes as long as it is told."""
    time.sleep(trial.params["sleep_s"])
    return float(trial.params["sleep_s"])
