"""Where an ask looks: points of the trust region, or of the whole domain.

q  candidates
d  axes
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spiketune.samplers.arrays import Array
from spiketune.samplers.domain import Domain

_PERTURBED: Final = 20  # coordinates changed at once, on average, by one half of the candidates
_PERTURBED_FEW: Final = 4  # and by the other half
_CHANGED_CHOICES: Final = 0.3  # the most likely that a perturbed point changes one choice


def everywhere(domain: Domain, n: int, upper: Array, rng: np.random.Generator) -> Array:
    """Points spread over the whole domain, (q, d).

    Args:
        domain: The axes.
        n: How many.
        upper: Upper bound of each coordinate, (d,).
        rng: Random numbers.
    """
    return domain.snap(np.minimum(1.0, upper) * domain.uniform(n, rng))


def around(
    domain: Domain, centre: Array, length: float, n: int, upper: Array, rng: np.random.Generator
) -> Array:
    """Points in a box around a centre that differ from it in some coordinates, (q, d).

    In many dimensions a change of all coordinates at once leads away from what is good. Each
    point differs in at least one, and a choice changes less often than a number. A coordinate
    that is inactive at the centre may take any value.

    Args:
        domain: The axes.
        centre: (d,), NaN where inactive.
        length: Side of the box.
        n: How many.
        upper: Upper bound of each coordinate, (d,).
        rng: Random numbers.

    Source: Regis and Shoemaker (2013), "Combining Radial Basis Function Surrogates and Dynamic
    Coordinate Search"; Eriksson et al. (2019).
    """
    d = domain.d
    inactive, choice = np.isnan(centre), domain.is_choice
    low = np.where(inactive | choice, 0.0, np.clip(centre - length / 2, 0.0, upper))
    high = np.where(inactive | choice, 1.0, np.clip(centre + length / 2, 0.0, 1.0))
    high = np.where(choice, 1.0, np.minimum(high, upper))
    strata = rng.permuted(np.tile(np.arange(n), (d, 1)), axis=1).T
    points = domain.spread(low + (high - low) * (strata + rng.random((n, d))) / n)
    many = np.arange(n) % 2 == 0
    share = np.where(many, min(1.0, _PERTURBED / d), min(1.0, _PERTURBED_FEW / d))[:, None]
    share = np.where(choice, np.minimum(share, _CHANGED_CHOICES), share)
    changed = rng.random((n, d)) < share
    none = np.flatnonzero(~changed.any(axis=1))
    changed[none, rng.integers(d, size=len(none))] = True
    kept = np.where(choice, centre, np.minimum(centre, upper))
    return domain.snap(np.where(changed | inactive, points, kept))


def recombined(
    domain: Domain, elite: Array, length: float, n: int, upper: Array, rng: np.random.Generator
) -> Array:
    """Points that take each coordinate from one of two good points, (q, d).

    They lie between the good points wherever these are, so that a model of the whole archive
    can lead out of a box that has become small. One half is moved in a few coordinates too.

    Args:
        domain: The axes.
        elite: Good points, best first, (k, d), NaN where inactive.
        length: Side of the box that a moved coordinate stays in.
        n: How many.
        upper: Upper bound of each coordinate, (d,).
        rng: Random numbers.
    """
    d = domain.d
    parents = rng.integers(len(elite), size=(2, n))
    first, second = elite[parents.min(axis=0)], elite[parents.max(axis=0)]
    points = np.where(rng.random((n, d)) < rng.random((n, 1)), second, first)
    random = domain.spread(rng.random((n, d)))
    moved = np.where(domain.is_choice, random, points + length / 2 * rng.uniform(-1, 1, (n, d)))
    few = np.where(domain.is_choice, _CHANGED_CHOICES, 1.0) * min(1.0, 2.0 / d)
    mutate = (rng.random((n, d)) < few) & (np.arange(n) % 2 == 0)[:, None]
    points = np.where(mutate & ~np.isnan(points), moved, points)
    points = np.where(np.isnan(points), random, points)
    return domain.snap(np.where(domain.is_choice, points, np.clip(points, 0.0, upper)))
