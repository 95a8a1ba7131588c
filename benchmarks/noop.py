"""An objective that does nothing, alone in its module so that a child imports nothing else."""

from __future__ import annotations

from typing import Any


def noop(trial: Any) -> float:
    """Sum of the parameters."""
    return float(sum(trial.params.values()))
