"""Stop what is worse than the middle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from spiketune.fidelity.arrivals import arrived
from spiketune.fidelity.base import Curve, FidelityRule
from spiketune.fidelity.ranking import n_better
from spiketune.option_checks import check_above, check_count


@final
class Median(FidelityRule):
    """Stop a trial whose best report so far is worse than half of the others' at its fidelity.

    Args:
        min: No trial is stopped before this fidelity.
        grace: Trials that must have got as far before anything is stopped there.

    Source: Golovin et al. (2017), "Google Vizier: A Service for Black-Box Optimization",
    section 3.2, here with ranks in place of means, so that it serves several objectives.
    """

    def __init__(self, *, min: float = 1.0, grace: int = 5) -> None:
        check_above("min", min, 0)
        check_count("grace", grace)
        self._first, self._grace = float(min), grace

    def decide(self, curve: Curve, others: Iterable[Curve]) -> str | None:
        """See `FidelityRule.decide`."""
        now = curve.fidelity
        if now < self._first or now >= curve.maximum:
            return None
        there = arrived(now, curve, others)
        n = len(there)
        if n < self._grace:
            return None
        better = min(n_better(own, there, n // 2 + 1) for own in curve.points.values())
        if 2 * better <= n:
            return None
        return f"at {now:g}: {better} of {n} trials did better than its best"
