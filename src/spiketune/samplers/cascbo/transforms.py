"""From what was told to what a Gaussian process likes.

n  observations
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketune.samplers.arrays import Array

_LEAST_TO_BEND: Final = 8
_POWERS: Final = tuple(np.linspace(-1.0, 4.0, 21).tolist())


@dataclass(frozen=True, slots=True)
class Standardised:
    """Values with mean 0 and variance 1.

    Attributes:
        values: (n,).
        mean: Of the values before.
        scale: Standard deviation of the values before.
    """

    values: Array
    mean: float
    scale: float

    @staticmethod
    def of(values: Array) -> Standardised:
        """Standardise; constant values become zeros."""
        mean = float(values.mean()) if len(values) else 0.0
        scale = float(values.std()) if len(values) else 1.0
        scale = scale if scale > 1e-9 * max(1.0, abs(mean)) else 1.0
        return Standardised((values - mean) / scale, mean, scale)

    def undo(self, values: Array) -> Array:
        """Back to what they were."""
        return values * self.scale + self.mean


def powered(values: Array) -> Standardised:
    """Objective values, larger is better, bent so that they are close to normal, (n,).

    The bad tail is cut off three interquartile ranges below the median: how bad says little of
    where the good is. Then Yeo and Johnson's power, of a grid the likeliest, stretches the
    crowded side. Unlike ranks this stays smooth near the optimum.

    Source: Yeo and Johnson (2000), "A New Family of Power Transformations to Improve Normality
    or Symmetry"; Cowen-Rivers et al. (2022), "HEBO".
    """
    if len(values) < _LEAST_TO_BEND:
        return Standardised.of(values)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    spread = high - low
    if not spread > 0:
        return Standardised.of(values)
    cut = np.maximum((values - middle) / spread, -3.0)
    logs = float((np.sign(cut) * np.log1p(np.abs(cut))).sum())
    best, chosen = -np.inf, cut
    for power in _POWERS:
        bent = _yeo_johnson(cut, power)
        likelihood = -0.5 * len(cut) * np.log(bent.var() + 1e-12) + (power - 1.0) * logs
        if likelihood > best:
            best, chosen = likelihood, bent
    return Standardised.of(chosen)


def _yeo_johnson(values: Array, power: float) -> Array:
    up, down = np.maximum(values, 0.0), np.maximum(-values, 0.0)
    above = np.log1p(up) if power == 0.0 else ((1.0 + up) ** power - 1.0) / power
    other = 2.0 - power
    below = np.log1p(down) if other == 0.0 else ((1.0 + down) ** other - 1.0) / other
    return np.asarray(np.where(values >= 0.0, above, -below))


def bilog(values: Array) -> Array:
    """Constraint values with the same sign, of the same size on both sides of the boundary, (n,).

    Each side is divided by its median: what is barely met everywhere and broken by a lot would
    otherwise lie on the boundary as the model sees it. Then sign(c) log(1 + |c|).

    Source: Eriksson and Poloczek (2021), "Scalable Constrained Bayesian Optimization" (bilog).
    """
    met, broken = values[values < 0.0], values[values > 0.0]
    scale_met = float(np.median(-met)) if len(met) else 0.0
    scale_broken = float(np.median(broken)) if len(broken) else 0.0
    scale_met, scale_broken = scale_met or scale_broken or 1.0, scale_broken or scale_met or 1.0
    scaled = np.where(values < 0.0, values / scale_met, values / scale_broken)
    return np.asarray(np.sign(scaled) * np.log1p(np.abs(scaled)))
