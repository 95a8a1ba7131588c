"""Which candidate to take, of one draw of all models.

q  candidates
m  objectives
"""

from __future__ import annotations

import numpy as np

from spiketune.samplers.arrays import Array


def scores(gain: Array, violation: Array, log_cost: Array, exponent: float) -> Array:
    """Cost-weighted scores of one constrained Thompson draw, (q,).

    Where the draw is feasible, its gain over the best so far, divided by cost^exponent if
    positive and multiplied if negative: what is dear has to gain more, and is worse if it gains
    nothing. Where no candidate is feasible, the least violation counts.

    Args:
        gain: Drawn objective less that of the best, larger is better, (q,).
        violation: Drawn total violation, 0 if feasible, (q,).
        log_cost: Predicted, (q,).
        exponent: See `cost.cost_exponent`.

    Source: Firmin et al. (2024), arXiv:2403.00450.
    """
    weight = np.exp(np.clip(exponent * log_cost, -50.0, 50.0))
    feasible = violation <= 0.0
    if not feasible.any():
        return np.asarray(-violation * weight)
    weighted = np.where(gain > 0.0, gain / weight, gain * weight)
    return np.where(feasible, weighted, -np.inf)


def random_direction(m: int, rng: np.random.Generator) -> Array:
    """A direction in which all objectives grow, evenly over the sphere, (m,)."""
    if m == 1:
        return np.ones(1)
    direction = np.abs(rng.standard_normal(m))
    return np.asarray(np.maximum(direction / np.linalg.norm(direction), 1e-3))


def scalarised(gains: Array, reference: Array, direction: Array) -> Array:
    """How far a point reaches beyond the reference along a direction, (q,).

    The mean of its maximum's m-th power over random directions is the hypervolume, so draws of
    the direction share the front out by hypervolume.

    Args:
        gains: Larger is better, (q, m).
        reference: The worst point that counts, (m,).
        direction: (m,).

    Source: Golovin and Zhang (2020), "Random Hypervolume Scalarizations for Provable
    Multi-Objective Black Box Optimization".
    """
    return np.asarray(((gains - reference) / direction).min(axis=1))


def reference_point(front: Array) -> Array:
    """A little worse than the worst of the front in each objective, (m,)."""
    if not len(front):
        return np.zeros(front.shape[1])
    worst, best = front.min(axis=0), front.max(axis=0)
    return np.asarray(worst - 0.1 * np.maximum(best - worst, 0.1))
