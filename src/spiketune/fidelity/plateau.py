"""Stop what no longer gets better."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from spiketune.fidelity.base import Curve, FidelityRule
from spiketune.option_checks import check_count, check_least


@final
class Plateau(FidelityRule):
    """Stop a trial after so many reports without an improvement in any objective.

    Looks at the trial alone, so it also serves where nothing can be compared.

    Args:
        patience: Reports without an improvement.
        min_delta: What counts as one, in the objective's own unit.
        min: No trial is stopped before this fidelity.
    """

    def __init__(self, *, patience: int = 3, min_delta: float = 0.0, min: float = 1.0) -> None:
        check_count("patience", patience)
        check_least("min_delta", min_delta, 0)
        check_least("min", min, 0)
        self._patience, self._delta, self._first = patience, min_delta, float(min)

    def decide(self, curve: Curve, others: Iterable[Curve]) -> str | None:
        """See `FidelityRule.decide`."""
        points = list(curve.points.values())
        if len(points) <= self._patience or not self._first <= curve.fidelity < curve.maximum:
            return None
        before, late = points[: -self._patience], points[-self._patience :]
        best = [max(_known(p.gains[k]) for p in before) for k in range(len(points[0].gains))]
        improved = any(
            _known(gain) > bound + self._delta
            for point in late
            for gain, bound in zip(point.gains, best, strict=True)
        ) or min(p.violation for p in late) < min(p.violation for p in before)
        if improved:
            return None
        return f"at {curve.fidelity:g}: no improvement in {self._patience} reports"


def _known(value: float) -> float:
    return value if value == value else float("-inf")
