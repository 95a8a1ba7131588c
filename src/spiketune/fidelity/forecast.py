"""Stop what will not reach the front even if its training goes well from here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, final

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from spiketune.fidelity.base import Curve, FidelityRule
from spiketune.option_checks import check_between, check_count, check_least

Array = npt.NDArray[np.float64]
_LEAST_SPREAD: Final = 1e-6


@final
class Forecast(FidelityRule):
    """Forecast each objective's end from its reports, and stop if the upper bound is beaten.

    The trials that finished tell how ends follow from reports: for each objective a linear
    regression of the value at the end on the value now and half way to now. The bound is that
    of a new observation, one-sided. Stopped is what breaks no constraint less than a finished
    trial that is at least as good in every objective as the bound.

    Trials that finished did so because nothing stopped them, so ends are seen from their good
    side, which errs towards going on.

    Args:
        min: No trial is stopped before this fidelity.
        confidence: Of the upper bound.
        grace: Finished trials that a regression needs.
    """

    def __init__(self, *, min: float = 1.0, confidence: float = 0.95, grace: int = 8) -> None:
        check_least("min", min, 0)
        check_between("confidence", confidence, 0.5, 1.0)
        check_count("grace", grace, 5)  # for a regression on three values
        self._first, self._confidence, self._grace = float(min), confidence, grace

    def decide(self, curve: Curve, others: Iterable[Curve]) -> str | None:
        """See `FidelityRule.decide`."""
        now = curve.fidelity
        if not self._first <= now < curve.maximum or not curve.last.is_number:
            return None
        ended = [
            other
            for other in others
            if other.finished and curve.is_similar(other) and other.last.is_number
        ]
        past = [other for other in ended if other.fidelity > now and other.points]
        if len(past) < self._grace:
            return None
        bound = [self._bound(curve, past, k) for k in range(len(curve.last.gains))]
        for other in ended:
            gains = other.last.gains
            if other.last.violation <= curve.last.violation and all(
                gain >= upper for gain, upper in zip(gains, bound, strict=True)
            ):
                words = ", ".join(f"{upper:.4g}" for upper in bound)
                return f"at {now:g}: forecast up to {words}, trial {other.number} is beyond"
        return None

    def _bound(self, curve: Curve, past: Sequence[Curve], k: int) -> float:
        """Upper bound of objective k at the end of the trial."""
        now = curve.fidelity
        known = np.array([_features(other, now, k) for other in past])
        ends = np.array([other.last.gains[k] for other in past])
        return upper_bound(known, ends, _features(curve, now, k), self._confidence)


def _features(curve: Curve, now: float, k: int) -> list[float]:
    here, half = curve.at(now), curve.at(now / 2.0)
    value = here.gains[k] if here is not None else curve.last.gains[k]
    before = half.gains[k] if half is not None and half.is_number else value
    return [1.0, value, value - before]


def upper_bound(known: Array, ends: Array, new: Sequence[float], confidence: float) -> float:
    """One-sided upper prediction bound of a least-squares regression.

    Args:
        known: Features of the trials that ended, (n, p).
        ends: Their ends, (n,).
        new: Features of the trial to forecast, (p,).
        confidence: Probability that its end lies below the bound.

    Source: Draper and Smith (1998), "Applied Regression Analysis", section 3.1.
    """
    inverse = np.linalg.pinv(known.T @ known)
    weights = inverse @ known.T @ ends
    left = max(1, len(ends) - int(np.linalg.matrix_rank(known)))
    spread = float(np.sqrt(((ends - known @ weights) ** 2).sum() / left))
    at = np.asarray(new)
    width = max(spread, _LEAST_SPREAD) * np.sqrt(1.0 + at @ inverse @ at)
    return float(at @ weights + stdtrit(left, confidence) * width)
