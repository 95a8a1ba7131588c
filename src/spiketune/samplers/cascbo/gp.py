"""An exact Gaussian process that takes in observations one by one.

n  observations
q  candidates
D  features, G parameters: see `kernel`
"""

from __future__ import annotations

from typing import Final, final

import numpy as np
from scipy.linalg import solve_triangular

from spiketune.samplers.arrays import Array, Ints
from spiketune.samplers.cascbo.fitting import JITTER, fit
from spiketune.samplers.cascbo.kernel import AnyFloat, Hyperparameters, frequencies, matern
from spiketune.samplers.cascbo.packed import PackedCholesky

FIT_POINTS: Final = 400  # the most a fit looks at
FIRST_FIT: Final = 6
N_FREQUENCIES: Final = 1024


def next_fit(n: int) -> int:
    """The number of observations at which a process fitted at n is fitted again."""
    return n + max(4, n // 8)


def last_fit(n: int) -> int:
    """The number of observations, at most n, at which a process of n was fitted last.

    It depends on n alone, so a process made anew is fitted to the same data as the old one.
    Below `FIRST_FIT` it is 0: the prior's mode serves.
    """
    if n < FIRST_FIT:
        return 0
    at = FIRST_FIT
    while next_fit(at) <= n:
        at = next_fit(at)
    return at


@final
class GaussianProcess:
    """One output: zero mean, Matern-5/2 kernel, Gaussian noise.

    Features are appended in O(n^2); targets are given when they are asked about, since they
    are transformed anew with every observation and the factor does not depend on them.

    Args:
        group: Parameter of each feature, (D,).
    """

    def __init__(self, group: Ints) -> None:
        self._group = group
        self._features = np.empty((0, len(group)))
        self._factor = PackedCholesky()
        self._set(prior_mode(group))

    @property
    def n(self) -> int:
        """Observations taken in, fantasies among them."""
        return self._factor.n

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Those in use."""
        return self._hyperparameters

    def refit(self, features: Array, targets: Array) -> None:
        """Start over from these observations: fit on a subset, factor all in O(n^3).

        The subset is the newest half and an even choice of the rest.

        Args:
            features: (n, D).
            targets: Standardised, (n,).
        """
        n = len(targets)
        some = np.arange(n)
        if n > FIT_POINTS:
            new = n - FIT_POINTS // 2
            some = np.append(np.linspace(0, new - 1, FIT_POINTS // 2).astype(int), some[new:])
        self.condition(features, fit(features[some], targets[some], self._group))

    def condition(self, features: Array, hyperparameters: Hyperparameters) -> None:
        """Start over from these observations with given hyperparameters."""
        self._set(hyperparameters)
        self._features = np.array(features)
        scaled = features / self._lengthscales
        covariance: Array = self._variance * np.asarray(matern(scaled, scaled), dtype=np.float64)
        for jitter in (JITTER, 1e-4, 1e-2):
            trial = covariance.copy()
            trial.flat[:: len(features) + 1] = self._variance + self._noise + jitter
            try:
                self._factor.set_from(trial)
            except np.linalg.LinAlgError:
                continue
            self._jitter = jitter
            return
        raise np.linalg.LinAlgError("a covariance with 1 % jitter is not positive definite")

    def append(self, features: Array) -> None:
        """Take in one more observation, (D,)."""
        n = self.n
        if n == len(self._features):
            grown = np.empty((max(64, n + n // 2), len(self._group)))
            grown[:n] = self._features[:n]
            self._features = grown
        self._features[n] = features
        scaled = self._features[: n + 1] / self._lengthscales
        column = self._variance * np.asarray(matern(scaled[n:], scaled[:n]))[0]
        self._factor.append(column, self._variance + self._noise + self._jitter)

    def truncate(self, n: int) -> None:
        """Forget the observations after the first n: fantasies of trials that still run."""
        self._factor.truncate(n)

    def weights(self, targets: Array) -> Array:
        """(K + noise)^-1 targets, (n,)."""
        return self._factor.solve(targets)

    def mean(self, candidates: Array, weights: Array) -> Array:
        """Posterior mean at candidates (q, D), given `weights(targets)`."""
        return np.asarray(self._cross(candidates)[:, : len(weights)] @ weights)

    def posterior(self, candidates: Array, targets: Array) -> tuple[Array, Array]:
        """Mean and variance of the function at candidates (q, D), without noise; O(q n^2)."""
        cross = self._cross(candidates)
        half = solve_triangular(self._factor.dense(), cross.T, lower=True)
        variance = self._variance - np.einsum("nq,nq->q", half, half)
        return cross @ self.weights(targets), np.maximum(variance, 0.0)

    def path(self, candidates: Array, targets: Array, rng: np.random.Generator) -> Array:
        """One function drawn from the posterior, at candidates (q, D).

        A function of the prior, made of random features, is corrected by what it misses at the
        observations (Matheron's rule). Cross-covariances are in single precision.

        Source: Wilson et al. (2020), "Efficiently Sampling Functions from Gaussian Process
        Posteriors", eq. 13.
        """
        n = self.n
        inverse = (1.0 / self._lengthscales).astype(np.float32)
        at = candidates.astype(np.float32) * inverse
        seen = self._features[:n].astype(np.float32) * inverse
        w = frequencies(len(self._group), N_FREQUENCIES, rng).astype(np.float32)
        amplitudes = rng.standard_normal((2, N_FREQUENCIES)) * np.sqrt(
            self._variance / N_FREQUENCIES
        )
        noise = rng.standard_normal(n) * np.sqrt(self._noise + self._jitter)
        amplitudes = amplitudes.astype(np.float32)
        prior_seen, prior = _waves(seen, w, amplitudes), _waves(at, w, amplitudes)
        correction = self._factor.solve(targets - prior_seen - noise)
        cross = matern(at, seen)
        scaled = (self._variance * correction).astype(np.float32)
        return np.asarray(prior + cross @ scaled, dtype=np.float64)

    def _cross(self, candidates: Array) -> Array:
        left = candidates / self._lengthscales
        right = self._features[: self.n] / self._lengthscales
        return np.asarray(self._variance * matern(left, right))

    def _set(self, hyperparameters: Hyperparameters) -> None:
        self._hyperparameters = hyperparameters
        self._lengthscales = hyperparameters.lengthscales[self._group]
        self._variance, self._noise = hyperparameters.variance, hyperparameters.noise
        self._jitter = JITTER
        self._factor.truncate(0)


def prior_mode(group: Ints) -> Hyperparameters:
    """Hyperparameters before there is anything to fit."""
    n_groups = int(group.max()) + 1 if len(group) else 0
    length = np.exp(np.sqrt(2.0)) * np.sqrt(max(1, n_groups)) / 4.0
    return Hyperparameters(np.full(n_groups, length), 1.0, float(np.exp(-4.0)))


def _waves(points: AnyFloat, frequencies: AnyFloat, amplitudes: AnyFloat) -> AnyFloat:
    """Sum of sines and cosines, (n,)."""
    phase = points @ frequencies.T
    return np.asarray(np.cos(phase) @ amplitudes[0] + np.sin(phase) @ amplitudes[1])
