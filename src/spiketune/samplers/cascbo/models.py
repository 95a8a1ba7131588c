"""The Gaussian processes of a search: objectives, constraints and cost.

n  observations
q  candidates
d  axes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from spiketune.samplers.arrays import Array, Ints
from spiketune.samplers.cascbo.gp import GaussianProcess, last_fit
from spiketune.samplers.cascbo.history import History
from spiketune.samplers.cascbo.transforms import Standardised, bilog, powered

MOST_POINTS: Final = 2000  # in a model when it is fitted; the others are forgotten

Transform = Callable[[Array], Standardised]


@dataclass(slots=True)
class _Output:
    """One output's process, with the numbers of the observations in it."""

    process: GaussianProcess
    fitted_at: int
    n_seen: int
    chosen: Ints


@final
class Models:
    """All models, kept between asks, and the same as if they were made anew.

    Each output has the observations that know it: a failure has no objective, a stopped trial
    no cost. It is fitted at certain numbers of observations (`gp.last_fit`) and grows in
    between; fits look at nothing but the observations so far. So it makes no difference whether
    a model was kept or rebuilt from the journal.

    Args:
        history: What was told.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._outputs: dict[str, _Output] = {}

    def forget(self) -> None:
        """Start over: the history was read anew."""
        self._outputs = {}

    def objective(self, k: int) -> Drawn:
        """Objective k, bent, larger is better; it sees the fidelity as one more axis."""
        gains = self._history.gains[:, k] if self._history.n else np.empty(0)
        having = np.flatnonzero(~np.isnan(gains))
        return self._drawn(f"objective {k}", having, gains[having], _objective, with_fidelity=True)

    def constraint(self, name: str) -> Drawn:
        """A constraint, met when <= 0."""
        having, values = self._history.constraint(name)
        return self._drawn(f"constraint {name}", having, values, _constraint)

    def log_cost(self) -> Drawn:
        """The logarithm of the cost."""
        costs = self._history.log_cost
        having = np.flatnonzero(~np.isnan(costs))
        return self._drawn("cost", having, costs[having], Standardised.of)

    def _drawn(
        self,
        name: str,
        having: Ints,
        values: Array,
        transform: Transform,
        *,
        with_fidelity: bool = False,
    ) -> Drawn:
        domain = self._history.domain
        features = domain.features(self._history.rows[having])
        group = domain.group
        if with_fidelity:
            features = np.column_stack([features, self._history.fidelity[having]])
            group = np.append(group, domain.d)
        output = self._synced(name, features, values, transform, group)
        targets = transform(values[output.chosen])
        return Drawn(output.process, targets, with_fidelity, having[output.chosen])

    def _synced(
        self, name: str, features: Array, values: Array, transform: Transform, group: Ints
    ) -> _Output:
        n = len(values)
        at = last_fit(n)
        output = self._outputs.get(name)
        if output is None or output.fitted_at != at or output.n_seen > n:
            process = GaussianProcess(group)
            chosen = _active(values[:at], best=name.startswith("objective"))
            targets = transform(values[chosen]).values
            if at and np.ptp(targets) > 0:
                process.refit(features[chosen], targets)
            elif at:
                process.condition(features[chosen], process.hyperparameters)
            output = self._outputs[name] = _Output(process, at, at, chosen)
        for i in range(output.n_seen, n):
            output.process.append(features[i])
        output.chosen = np.append(output.chosen, np.arange(output.n_seen, n))
        output.n_seen = n
        return output


@dataclass(frozen=True, slots=True)
class Drawn:
    """One output, ready to be asked about candidates.

    Attributes:
        process: Its Gaussian process.
        targets: What it is conditioned on.
        with_fidelity: Whether the fidelity is its last axis.
        numbers: The observations in it, (k,).
    """

    process: GaussianProcess
    targets: Standardised
    with_fidelity: bool
    numbers: Ints

    def mean(self, features: Array) -> Array:
        """Posterior mean in the transformed unit, (q,)."""
        weights = self.process.weights(self.targets.values)
        return self.targets.undo(self.process.mean(self._full(features), weights))

    def path(self, features: Array, pending: Array, rng: np.random.Generator) -> Array:
        """One function of the posterior in the transformed unit, (q,).

        Trials that still run are taken to end at the posterior mean: it stays as it is and is
        no longer uncertain there, so that later asks look elsewhere.

        Args:
            features: Of the candidates, (q, D).
            pending: Features of the trials that run, (k, D).
            rng: Random numbers.

        Source: Ginsbourger et al. (2010), "Kriging Is Well-Suited to Parallelize Optimization"
        (the kriging believer).
        """
        process, targets = self.process, self.targets.values
        n = process.n
        if len(pending):
            running = self._full(pending)
            believed = process.mean(running, process.weights(targets))
            for point in running:
                process.append(point)
            targets = np.append(targets, believed)
        try:
            return self.targets.undo(process.path(self._full(features), targets, rng))
        finally:
            process.truncate(n)

    def _full(self, features: Array) -> Array:
        if not self.with_fidelity:
            return features
        return np.column_stack([features, np.ones(len(features))])


def _objective(values: Array) -> Standardised:
    return Standardised(powered(values).values, 0.0, 1.0)  # the unit of an aim is the bent one


def _constraint(values: Array) -> Standardised:
    return Standardised.of(bilog(values))


def _active(values: Array, *, best: bool) -> Ints:
    """All observations, or the newest half and of the others the best or an even choice, (k,)."""
    n = len(values)
    if n <= MOST_POINTS:
        return np.arange(n)
    new, half = n - MOST_POINTS // 2, MOST_POINTS // 2
    if best:
        old = np.sort(np.argsort(-values[:new], kind="stable")[:half])
    else:
        old = np.linspace(0, new - 1, half).astype(int)
    return np.append(old, np.arange(new, n))
