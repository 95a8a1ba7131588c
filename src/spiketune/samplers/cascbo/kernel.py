"""Matern-5/2 covariance with one lengthscale per parameter, and draws of its spectrum.

n, q  points
D     features: a column per number, one per option of a choice
G     parameters, each with a lengthscale shared by its features
F     frequencies
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from spiketune.samplers.arrays import Array

AnyFloat = npt.NDArray[np.floating[Any]]

SQRT5: Final = float(np.sqrt(5.0))
_DEGREES: Final = 5.0  # of freedom of the spectrum, twice the smoothness 5/2


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What the marginal likelihood decides.

    Attributes:
        lengthscales: One per parameter, (G,).
        variance: Of the function.
        noise: Variance of the observations around it.
    """

    lengthscales: Array
    variance: float
    noise: float


def matern(left: AnyFloat, right: AnyFloat) -> AnyFloat:
    """Correlation of two sets of points that are divided by the lengthscales already.

    k(r) = (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r)

    Args:
        left: (n, D).
        right: (q, D), of the same precision, which is also the result's.

    Returns:
        (n, q).

    Source: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, eq. 4.17.
    """
    r = left @ right.T
    r *= -2.0
    r += np.einsum("nd,nd->n", left, left)[:, None]
    r += np.einsum("nd,nd->n", right, right)[None]
    np.maximum(r, 0.0, out=r)
    np.sqrt(r, out=r)
    r *= r.dtype.type(SQRT5)
    decay = np.exp(-r)
    value = r * r.dtype.type(1 / 3)
    value += 1.0
    value *= r
    value += 1.0
    value *= decay
    return value


def frequencies(n_features: int, n_frequencies: int, rng: np.random.Generator) -> Array:
    """Draws of the kernel's spectral density at unit lengthscale, (F, D).

    The spectrum is a multivariate t distribution with 5 degrees of freedom. Its heavy tail holds
    most of what is left of the variance between observations; plain draws miss it or overrate
    it, so the radius is stratified: one draw from each of F slices of equal probability.

    Source: Rahimi and Recht (2007), "Random Features for Large-Scale Kernel Machines".
    """
    slices = (rng.permutation(n_frequencies) + rng.random(n_frequencies)) / n_frequencies
    chi_square = chdtri(_DEGREES, slices)
    normal = rng.standard_normal((n_frequencies, n_features))
    return np.asarray(normal * np.sqrt(_DEGREES / chi_square)[:, None])
