"""How good a report is among others: constraints first, then fronts, then hypervolume.

n  points
m  objectives
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from optuna._hypervolume import compute_hypervolume

from spiketune.fidelity.base import Point

Array = npt.NDArray[np.float64]


def n_better(point: Point, others: Sequence[Point]) -> int:
    """How many of the others are better; equals are not.

    A point that meets the constraints is better than one that does not, and of two that do not
    the one that breaks them less. Of those that do, what lies on an earlier front of
    non-domination is better, and on the same front what contributes more hypervolume. A
    value that is no number is worse than all.

    Source: Deb et al. (2002), "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II"
    (fronts, constraint domination); Beume et al. (2007), "SMS-EMOA" (contributions).
    """
    own = _violation(point)
    better = sum(_violation(other) < own for other in others)
    equals = [other.gains for other in others if _violation(other) == own]
    if not np.isfinite(own) or not equals:
        return better
    gains = np.array([point.gains, *equals], dtype=float)
    if gains.shape[1] == 1:
        return better + int((gains[1:, 0] > gains[0, 0]).sum())
    if own > 0:
        return better
    fronts = front_numbers(gains)
    same = np.flatnonzero(fronts == fronts[0])
    share = contributions(gains[same])
    earlier = int((fronts < fronts[0]).sum())
    return better + earlier + int((share[1:] > share[0] * (1 + 1e-12)).sum())


def front_numbers(gains: Array) -> npt.NDArray[np.int64]:
    """Number of the front that each point lies on, 0 for those that none dominates, (n,).

    Args:
        gains: Larger is better, (n, m).
    """
    at_least = (gains[:, None, :] >= gains[None, :, :]).all(axis=2)
    dominates = at_least & ~at_least.T
    fronts = np.full(len(gains), -1, dtype=np.int64)
    front = 0
    while (left := fronts < 0).any():
        beaten = (dominates & left[:, None]).any(axis=0)
        fronts[left & ~beaten] = front
        front += 1
    return fronts


def contributions(gains: Array) -> Array:
    """Hypervolume that the set loses without each point, (n,), in units of the set's spread.

    The points at the ends of a front come out infinite in two objectives: none replaces them.

    Args:
        gains: Of one front, larger is better, (n, m).
    """
    span = np.ptp(gains, axis=0)
    scaled = (gains - gains.min(axis=0)) / np.where(span > 0, span, 1.0)
    n, m = scaled.shape
    if n == 1:
        return np.full(1, np.inf)
    if m == 2:
        return _contributions_of_two(scaled)
    losses = 1.0 - scaled
    reference = np.full(m, 1.1)
    everything = compute_hypervolume(losses, reference)
    without = [compute_hypervolume(np.delete(losses, i, axis=0), reference) for i in range(n)]
    return np.maximum(everything - np.array(without), 0.0)


def _contributions_of_two(scaled: Array) -> Array:
    points, back = np.unique(scaled, axis=0, return_inverse=True)
    counts = np.bincount(back.ravel())
    shares = np.full(len(points), np.inf)  # sorted by the first objective, the second falls
    shares[1:-1] = (points[1:-1, 0] - points[:-2, 0]) * (points[1:-1, 1] - points[2:, 1])
    shares[counts > 1] = 0.0  # its double covers it
    return np.asarray(shares[back.ravel()])


def _violation(point: Point) -> float:
    return point.violation if point.is_number else float("inf")
