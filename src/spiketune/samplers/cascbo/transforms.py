"""From what was told to what a Gaussian process likes.

n  observations
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from spiketune.samplers.cascbo.kernel import Array


def copula(values: Array) -> Array:
    """Ranks as quantiles of the normal distribution, (n,).

    The differences among the best count as much as their rank, however close they lie.

    Source: Eriksson and Poloczek (2021), "Scalable Constrained Bayesian Optimization".
    """
    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values))) if len(values) else values


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
