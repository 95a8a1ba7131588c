"""Asynchronous successive halving of the promotion kind: trials wait at rungs, the best go on."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable
from itertools import islice
from typing import final

import numpy as np

from spiketune.fidelity.arrivals import Arrivals, arrived
from spiketune.fidelity.base import Curve, FidelityRule, PausingRule
from spiketune.fidelity.halving import SuccessiveHalving, rung_between
from spiketune.fidelity.ranking import contributions, fronts

KINDS = ("stopping", "promotion")


def asha(
    *,
    kind: str = "stopping",
    min: float = 1.0,
    reduction: float = 3.0,
    grace: int | None = None,
) -> FidelityRule:
    """Asynchronous successive halving of either kind.

    Args:
        kind: Whether a trial that is not among the best of its rung ends there (`stopping`), or
            waits there and may go on later (`promotion`).
        min: See `SuccessiveHalving`.
        reduction: See `SuccessiveHalving`.
        grace: See `SuccessiveHalving`; of the stopping kind alone.

    Raises:
        ValueError: Naming the option.
    """
    if kind == "stopping":
        return SuccessiveHalving(min=min, reduction=reduction, grace=grace)
    if kind != "promotion":
        raise ValueError(f"kind: must be one of {', '.join(KINDS)}, got {kind!r}")
    if grace is not None:
        raise ValueError("grace: is of 'kind: stopping' alone; promotion waits by itself")
    return PromotedHalving(min=min, reduction=reduction)


@final
class PromotedHalving(PausingRule):
    """Pause every trial at its rung; of those that came by, the best `1 / reduction` go on.

    A free worker first goes on with a paused trial that is among the best of its rung by now,
    from the highest rung down, and begins a new trial only if there is none. So no trial that
    turns out well is lost to its early arrival, for the price of a checkpoint per rung.

    Args:
        min: Fidelity of the first rung.
        reduction: One of so many goes on, 2 to 4 as a rule.

    Source: Li et al. (2020), "A System for Massively Parallel Hyperparameter Tuning",
    algorithm 2.
    """

    def __init__(self, *, min: float = 1.0, reduction: float = 3.0) -> None:
        stopping = SuccessiveHalving(min=min, reduction=reduction)  # the same checks
        self.first, self.reduction = stopping.first, stopping.reduction

    def decide(self, curve: Curve, others: Iterable[Curve]) -> str | None:
        """See `FidelityRule.decide`. A trial that would go on at once is not paused."""
        rung = rung_between(curve.previous, curve.fidelity, self.first, self.reduction)
        if rung is None or rung >= curve.maximum:
            return None
        there = arrived(rung, curve, others).and_of(curve)
        kept = self._kept(there)
        if curve.number in kept:
            return None
        return f"rung {rung:g}: not among the best {len(kept)} of {len(there)} trials"

    def promote(
        self, paused: Collection[int], curves: Iterable[Curve], *, last: bool
    ) -> int | None:
        """See `PausingRule.promote`."""
        waiting: dict[float, dict[float, list[Curve]]] = {}  # by rung, and by data: the similar
        rungs = functools.cache(lambda now: rung_between(0.0, now, self.first, self.reduction))
        for curve in curves:
            if curve.number in paused and curve.points:
                there = waiting.setdefault(rungs(curve.fidelity) or 0.0, {})
                there.setdefault(curve.data, []).append(curve)
        for rung in sorted(waiting, reverse=True):
            good = []
            for similar in waiting[rung].values():
                numbers = {curve.number for curve in similar}
                kept = enumerate(self._kept(arrived(rung, similar[0], curves)))
                good += list(islice(((place, n) for place, n in kept if n in numbers), 1))
            if good:
                return min(good)[1]
        if last and waiting and not any(curve.finished for curve in curves):
            top = [curve for similar in waiting[max(waiting)].values() for curve in similar]
            top.sort(key=lambda curve: curve.number)
            return next((top[i].number for i in best(Arrivals.of(top), 1)), None)
        return None

    def _kept(self, there: Arrivals) -> list[int]:
        """Numbers of the best of a rung, best first."""
        n_kept = math.floor(len(there) / self.reduction)
        return [int(there.numbers[i]) for i in best(there, n_kept)]


def best(there: Arrivals, n: int) -> list[int]:
    """Indices of the n best, best first, by the order of `ranking.n_better`.

    Of equals that of the lower number is better. What has no finite value is never among them.
    """
    usable = np.flatnonzero(np.isfinite(there.violations))
    if n < 1 or not len(usable):
        return []
    violations, gains = there.violations[usable], there.gains[usable]
    first, second = -gains[:, 0], np.zeros(len(usable))
    if gains.shape[1] > 1:
        first = np.full(len(usable), np.inf)  # what lies behind the n best
        feasible = np.flatnonzero(violations <= 0)
        n_taken = 0
        for k, front in enumerate(fronts(gains[feasible])):
            members = feasible[front]
            first[members], second[members] = k, -contributions(gains[members])
            n_taken += len(members)
            if n_taken >= n:
                break
    order = np.lexsort((there.numbers[usable], second, first, violations))
    return [int(i) for i in usable[order[:n]]]
