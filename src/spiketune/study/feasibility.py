"""What is said of a search in which no trial meets the constraints, and what comes closest."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from spiketune.study.records.results import TrialRow

SAY_AT: Final = 50  # trials without a feasible one, and again at each doubling


def is_due(n: int) -> bool:
    """Whether a search that saw nothing feasible in `n` trials says so now."""
    rounds, rest = divmod(n, SAY_AT)
    return rest == 0 and rounds > 0 and rounds & (rounds - 1) == 0


def in_vain(rows: Sequence[TrialRow], n: int) -> str | None:
    """That a search saw nothing feasible yet, and what is closest; None if it did.

    Args:
        rows: Its trials.
        n: How many of them have ended.
    """
    if any(row.feasible for row in rows):
        return None
    closest = closest_in_words(rows)
    if closest is None:
        return (
            f"none of {n} trials ended with a result. The search goes on; `spiketune status` says "
            "how they failed."
        )
    return (
        f"nothing feasible in {n} trials; {closest}. The search goes on; loosen the constraint or "
        "widen the space if this stays so."
    )


def closest_in_words(rows: Sequence[TrialRow]) -> str | None:
    """Which trial comes closest, what it breaks, and which of several constraints none ever met.

    None if no trial has a result.
    """
    closest = least_infeasible(rows)
    if closest is None:
        return None
    broken = ", ".join(
        f"{name} by {v:.4g}" for name, v in closest.constraints.items() if not v <= 0
    )
    words = f"trial {closest.number} comes closest, breaking {broken or 'nothing'}"
    never = never_met(rows)
    several = len({name for row in rows for name in row.constraints}) > 1
    return f"{words}; never met: {', '.join(never)}" if several and never else words


def least_infeasible(rows: Sequence[TrialRow]) -> TrialRow | None:
    """The trial that comes closest to meeting the constraints, for when none does.

    What a trial breaks is summed over the constraints, each in units of the median by which
    trials break it: a million parameters and a share of silent samples do not compare otherwise.
    """
    told = [row for row in rows if row.objectives]
    broken: dict[str, list[float]] = {}
    for row in told:
        for name, value in row.constraints.items():
            if 0 < value < math.inf:
                broken.setdefault(name, []).append(value)
    scales = {name: statistics.median(values) for name, values in broken.items()}
    return min(told, key=lambda row: _excess(row, scales), default=None)


def never_met(rows: Sequence[TrialRow]) -> list[str]:
    """The constraints that no trial met, in the order in which they were seen."""
    told = [row for row in rows if row.objectives]
    names = dict.fromkeys(name for row in told for name in row.constraints)
    return [n for n in names if not any(row.constraints.get(n, 1.0) <= 0 for row in told)]


def _excess(row: TrialRow, scales: Mapping[str, float]) -> float:
    broken = _broken(row)
    if any(math.isnan(value) for value in broken.values()):
        return math.inf
    return sum(value / scales.get(name, 1.0) for name, value in broken.items())


def _broken(row: TrialRow) -> dict[str, float]:
    return {name: value for name, value in row.constraints.items() if not value <= 0}
