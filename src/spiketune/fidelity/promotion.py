"""Asynchronous successive halving of the promotion kind: trials wait at rungs, the best go on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import final

import numpy as np

from spiketune.fidelity.base import Curve, FidelityRule, PausingRule, Point
from spiketune.fidelity.halving import SuccessiveHalving, rung_between
from spiketune.fidelity.ranking import contributions, front_numbers

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
        everyone = [curve, *others]
        kept = self._kept(curve, rung, everyone)
        if curve.number in kept:
            return None
        n = len(_reached(curve, rung, everyone))
        return f"rung {rung:g}: not among the best {len(kept)} of {n} trials"

    def promote(
        self, paused: Collection[int], curves: Sequence[Curve], *, last: bool
    ) -> int | None:
        """See `PausingRule.promote`."""
        waiting: dict[float, list[Curve]] = {}
        for curve in curves:
            if curve.number in paused and curve.points:
                rung = rung_between(0.0, curve.fidelity, self.first, self.reduction)
                waiting.setdefault(rung or 0.0, []).append(curve)
        for rung in sorted(waiting, reverse=True):
            kept: dict[float, list[int]] = {}  # similar are those with similar data
            for curve in waiting[rung]:
                if curve.data not in kept:
                    kept[curve.data] = self._kept(curve, rung, curves)
            good = [
                (kept[curve.data].index(curve.number), curve.number)
                for curve in waiting[rung]
                if curve.number in kept[curve.data]
            ]
            if good:
                return min(good)[1]
        if last and waiting and not any(curve.finished for curve in curves):
            top = sorted(waiting[max(waiting)], key=lambda curve: curve.number)
            return next((top[i].number for i in best([c.last for c in top], 1)), None)
        return None

    def _kept(self, curve: Curve, rung: float, everyone: Sequence[Curve]) -> list[int]:
        """Numbers of the best of a rung, best first."""
        reached = _reached(curve, rung, everyone)
        n_kept = math.floor(len(reached) / self.reduction)
        return [reached[i][0] for i in best([point for _, point in reached], n_kept)]


def _reached(curve: Curve, rung: float, everyone: Sequence[Curve]) -> list[tuple[int, Point]]:
    """Numbers of the trials like this one that came to a rung, ascending, and their reports."""
    found = ((c.number, c.at(rung)) for c in everyone if curve.is_similar(c))
    return sorted(
        ((number, point) for number, point in found if point is not None), key=lambda pair: pair[0]
    )


def best(points: Sequence[Point], n: int) -> list[int]:
    """Indices of the n best, best first, by the order of `ranking.n_better`.

    Of equals the earlier is better. What has no finite value is never among them.
    """
    usable = [i for i, point in enumerate(points) if point.is_number]
    if n < 1 or not usable:
        return []
    violation = np.array([points[i].violation for i in usable])
    gains = np.array([points[i].gains for i in usable], dtype=float)
    first, second = -gains[:, 0], np.zeros(len(usable))
    if gains.shape[1] > 1:
        feasible = np.flatnonzero(violation <= 0)
        first = np.zeros(len(usable))
        first[feasible] = fronts = front_numbers(gains[feasible])
        n_taken = 0
        for front in range(int(fronts.max(initial=-1)) + 1):
            members = feasible[fronts == front]
            second[members] = -contributions(gains[members])
            n_taken += len(members)
            if n_taken >= n:
                break
    order = np.lexsort((second, first, violation))  # stable: of equals the earlier
    return [usable[int(i)] for i in order[:n]]
