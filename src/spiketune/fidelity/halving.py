"""Asynchronous successive halving of the stopping kind."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import final

from spiketune.fidelity.arrivals import Arrivals, arrived
from spiketune.fidelity.base import Curve, FidelityRule
from spiketune.fidelity.ranking import n_better
from spiketune.option_checks import check_above, check_count


def rung_between(previous: float, now: float, first: float, reduction: float) -> float | None:
    """The highest rung `first * reduction^k` with previous < rung <= now; None if there is none."""
    if now < first:
        return None
    k = math.floor(math.log(now / first, reduction) + 1e-9)
    rung = first * reduction**k
    return rung if rung > previous * (1 + 1e-9) else None


@final
class SuccessiveHalving(FidelityRule):
    """Stop a trial at a rung unless it is among the best `1 / reduction` of those that came by.

    Rungs lie at `min`, `min * reduction`, `min * reduction^2`, ..., below each trial's own
    maximum. Whoever arrives is judged at once, so early arrivals may go on that later ones
    would have beaten; nothing ever waits.

    Args:
        min: Fidelity of the first rung.
        reduction: One of so many goes on, 2 to 4 as a rule.
        grace: Trials that go past a rung before anything is stopped there; `reduction` if None.

    Source: Li et al. (2020), "A System for Massively Parallel Hyperparameter Tuning", in the
    stopping variant of Klein et al. (2020), "Model-based Asynchronous Hyperparameter and
    Neural Architecture Search".
    """

    def __init__(
        self, *, min: float = 1.0, reduction: float = 3.0, grace: int | None = None
    ) -> None:
        check_above("min", min, 0)
        check_above("reduction", reduction, 1)
        if grace is not None:
            check_count("grace", grace, 0)
        self.first, self.reduction = float(min), float(reduction)
        self._grace = math.ceil(reduction) - 1 if grace is None else grace

    def decide(self, curve: Curve, others: Iterable[Curve]) -> str | None:
        """See `FidelityRule.decide`."""
        rung = self.rung(curve)
        return None if rung is None else self.verdict(curve, rung, arrived(rung, curve, others))

    def rung(self, curve: Curve) -> float | None:
        """The rung that the last report reached, below the trial's own maximum, if there is one."""
        rung = rung_between(curve.previous, curve.fidelity, self.first, self.reduction)
        return None if rung is None or rung >= curve.maximum else rung

    def verdict(self, curve: Curve, rung: float, others: Arrivals) -> str | None:
        """Why the trial stops at a rung among others that came by; None if it goes on."""
        n = len(others)
        if n < self._grace:
            return None
        n_kept = max(1, math.floor((n + 1) / self.reduction))
        better = n_better(curve.last, others, n_kept)
        if better < n_kept:
            return None
        return f"rung {rung:g}: {better} of {n} trials did better, {n_kept} go on"
