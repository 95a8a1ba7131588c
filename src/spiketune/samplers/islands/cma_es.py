"""Covariance matrix adaptation, updated as trials end instead of by generations.

d       axes that are numbers
lambda  trials per update
mu      of them that move the mean
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from spiketune.option_checks import check_count, check_number
from spiketune.samplers.arrays import Array
from spiketune.samplers.islands.individual import Individual, ranked
from spiketune.samplers.islands.propagator import Surroundings

_LEAST_CELLS: Final = 0.3  # standard deviation kept on an axis of whole numbers, in values
_SMALLEST: Final = 1e-7  # largest standard deviation at which the search begins anew
_LARGEST_CONDITION: Final = 1e14
_MOST_GROWTH: Final = 8  # of lambda over restarts


@dataclass(frozen=True, slots=True)
class CmaEsOptions:
    """Settings of the covariance matrix adaptation.

    Attributes:
        sigma: First standard deviation, as a share of the range.
        samples: Trials per update; None takes 4 + 3 ln d.
        active: Whether bad trials shrink the covariance in their direction.
    """

    sigma: float = 0.2
    samples: int | None = None
    active: bool = True

    def __post_init__(self) -> None:
        check_number("sigma", self.sigma, 1e-6, 1.0)
        if self.samples is not None:
            check_count("samples", self.samples, least=4)
        if not isinstance(self.active, bool):
            raise ValueError(f"active must be true or false, got {self.active!r}")


@dataclass(frozen=True, slots=True)
class Strategy:
    """Constants of an update, from d and lambda.

    Source: Hansen (2016), "The CMA Evolution Strategy: A Tutorial", table 1 and eq. 49-58.
    """

    weights: Array
    mu: int
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi: float

    @staticmethod
    def of(d: int, n_samples: int, *, active: bool) -> Strategy:
        """The constants for d axes and lambda samples."""
        raw = math.log((n_samples + 1) / 2) - np.log(np.arange(1, n_samples + 1))
        mu = n_samples // 2
        positive, negative = raw[:mu], raw[mu:]
        mu_eff = positive.sum() ** 2 / (positive**2).sum()
        c_1 = 2 / ((d + 1.3) ** 2 + mu_eff)
        c_mu = min(1 - c_1, 2 * (mu_eff - 2 + 1 / mu_eff) / ((d + 2) ** 2 + mu_eff))
        mu_eff_minus = negative.sum() ** 2 / (negative**2).sum()
        alpha = min(
            1 + c_1 / c_mu if c_mu > 0 else 1.0,
            1 + 2 * mu_eff_minus / (mu_eff + 2),
            (1 - c_1 - c_mu) / (d * c_mu) if c_mu > 0 else 1.0,
        )
        scale = alpha / abs(negative.sum()) if active else 0.0
        return Strategy(
            weights=np.concatenate([positive / positive.sum(), np.minimum(negative, 0.0) * scale]),
            mu=mu,
            mu_eff=float(mu_eff),
            c_sigma=(mu_eff + 2) / (d + mu_eff + 5),
            d_sigma=1
            + 2 * max(0.0, math.sqrt((mu_eff - 1) / (d + 1)) - 1)
            + (mu_eff + 2) / (d + mu_eff + 5),
            c_c=(4 + mu_eff / d) / (d + 4 + 2 * mu_eff / d),
            c_1=c_1,
            c_mu=c_mu,
            chi=math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d)),
        )


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The distribution that is sampled, and the paths it took.

    Attributes:
        mean: (d,).
        sigma: Step size.
        basis: Eigenvectors of the covariance, (d, d).
        deviations: Square roots of its eigenvalues, (d,).
        path_sigma: Evolution path of the step size, (d,).
        path_c: Evolution path of the covariance, (d,).
        n_updates: How often it was updated.
    """

    mean: Array
    sigma: float
    basis: Array
    deviations: Array
    path_sigma: Array
    path_c: Array
    n_updates: int = 0

    @staticmethod
    def at(mean: Array, sigma: float) -> Gaussian:
        """A round one."""
        d = len(mean)
        return Gaussian(mean, sigma, np.eye(d), np.ones(d), np.zeros(d), np.zeros(d))

    @property
    def is_spent(self) -> bool:
        """Whether it has shrunk to a point, or to a line."""
        widest, narrowest = self.deviations.max(), self.deviations.min()
        return bool(
            self.sigma * widest < _SMALLEST or widest**2 > _LARGEST_CONDITION * narrowest**2
        )

    def after(self, rows: Array, strategy: Strategy) -> Gaussian:
        """Updated by lambda places, the best first.

        Places that were not drawn from it (of an older state, or of another island) are taken
        as steps no longer than one of its own would be.

        Args:
            rows: (lambda, d).
            strategy: Constants for lambda samples.

        Source: Hansen (2016), eq. 41-47; Hansen (2011), "Injecting external solutions into
        CMA-ES", eq. 3.
        """
        s, d = strategy, len(self.mean)
        steps = (rows - self.mean) / self.sigma
        white = (steps @ self.basis) / self.deviations
        length = np.linalg.norm(white, axis=1)
        longest = math.sqrt(d) + 2 * d / (d + 2)
        shrink = np.minimum(1.0, longest / np.maximum(length, 1e-300))[:, None]
        steps, white = steps * shrink, white * shrink
        move = s.weights[: s.mu] @ steps[: s.mu]
        white_move = self.basis @ (s.weights[: s.mu] @ white[: s.mu])
        path_sigma = (1 - s.c_sigma) * self.path_sigma + math.sqrt(
            s.c_sigma * (2 - s.c_sigma) * s.mu_eff
        ) * white_move
        norm = float(np.linalg.norm(path_sigma))
        decay = 1 - (1 - s.c_sigma) ** (2 * (self.n_updates + 1))
        steady = norm / math.sqrt(decay) < (1.4 + 2 / (d + 1)) * s.chi
        path_c = (1 - s.c_c) * self.path_c + steady * math.sqrt(
            s.c_c * (2 - s.c_c) * s.mu_eff
        ) * move
        squared = np.maximum((white**2).sum(axis=1), 1e-300)
        weights = np.where(s.weights >= 0, s.weights, s.weights * d / squared)
        old = (self.basis * self.deviations**2) @ self.basis.T
        forget = 1 - s.c_1 * (1 - (not steady) * s.c_c * (2 - s.c_c)) - s.c_mu * s.weights.sum()
        covariance = (
            forget * old + s.c_1 * np.outer(path_c, path_c) + s.c_mu * (steps.T * weights) @ steps
        )
        values, basis = np.linalg.eigh((covariance + covariance.T) / 2)
        growth = math.exp(min(1.0, s.c_sigma / s.d_sigma * (norm / s.chi - 1)))
        return Gaussian(
            mean=np.clip(self.mean + self.sigma * move, 0.0, 1.0),
            sigma=min(1.0, self.sigma * growth),
            basis=basis,
            deviations=np.sqrt(np.maximum(values, 1e-20)),
            path_sigma=path_sigma,
            path_c=path_c,
            n_updates=self.n_updates + 1,
        )


@final
class CmaEs:
    """A Gaussian that follows the best of every lambda trials, in the order in which they end.

    The first lambda trials are drawn by chance, and the Gaussian begins at the best of them.
    Where it has shrunk to nothing it begins anew in the same way, with twice the lambda.
    Places outside the bounds are reflected. Choices are inherited from the island's members.
    """

    def __init__(self, options: CmaEsOptions) -> None:
        self._options = options
        self._gaussian: Gaussian | None = None
        self._pool: list[Individual] = []
        self._growth = 1

    def propose(
        self, around: Surroundings, rng: np.random.Generator
    ) -> tuple[Array, dict[str, Any]]:
        """A draw of the Gaussian."""
        genome, gaussian = around.genome, self._gaussian
        row = genome.uniform(rng)
        if gaussian is None:
            return row, {}
        normal = gaussian.deviations * rng.standard_normal(len(gaussian.mean))
        step = gaussian.sigma * (gaussian.basis @ normal)
        variance = gaussian.sigma**2 * (gaussian.basis**2 @ gaussian.deviations**2)
        floor = (_LEAST_CELLS * genome.cells[genome.numbers]) ** 2
        step += np.sqrt(np.maximum(0.0, floor - variance)) * rng.standard_normal(len(step))
        row[genome.numbers] = gaussian.mean + step
        return genome.with_choices(genome.inside(row), around.members, rng), {}

    def was_asked(self, number: int, tag: Mapping[str, Any]) -> None:
        """Nothing to remember."""

    def told(self, member: Individual, around: Surroundings) -> None:
        """Pool what ended or came, and update when lambda are there."""
        self._pool.append(member)
        numbers = around.genome.numbers
        d = len(numbers)
        first = self._options.samples or 4 + int(3 * math.log(d))
        n_samples = first * self._growth
        if len(self._pool) < n_samples:
            return
        order = ranked(self._pool, around.scales)
        self._pool = []
        rows = np.array([one.row[numbers] for one in order])
        if self._gaussian is None:
            start = np.where(np.isnan(rows[0]), 0.5, rows[0])
            self._gaussian = Gaussian.at(start, self._options.sigma)
            return
        rows = np.where(np.isnan(rows), self._gaussian.mean, rows)
        strategy = Strategy.of(d, n_samples, active=self._options.active)
        self._gaussian = self._gaussian.after(rows, strategy)
        if self._gaussian.is_spent:
            self._gaussian = None
            self._growth = min(2 * self._growth, _MOST_GROWTH)
