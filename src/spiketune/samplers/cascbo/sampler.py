"""CASCBO: constrained, cost-aware Thompson sampling in a trust region."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, final

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial
from threadpoolctl import ThreadpoolController

from spiketune.errors import ConfigError, UnknownNameError
from spiketune.samplers.arrays import Array
from spiketune.samplers.cascbo.candidates import around, everywhere, recombined
from spiketune.samplers.cascbo.cost import cost_exponent, upper_bound
from spiketune.samplers.cascbo.draw import Aim, best_candidate, violation
from spiketune.samplers.cascbo.history import ASKED, History, running
from spiketune.samplers.cascbo.models import Drawn, Models
from spiketune.samplers.cascbo.options import Options
from spiketune.samplers.cascbo.progress import Progress, follow
from spiketune.samplers.cascbo.trust_region import TrustRegion
from spiketune.samplers.domain import Domain
from spiketune.samplers.jointly import JointSampler
from spiketune.space import Choice, Space

_FEASIBLE: Final = 5  # trials that a design waits for
_MOST_DESIGN: Final = 1  # trials per axis that a design lasts at most
_DESIGN_CANDIDATES: Final = 100  # few: the least of many draws of a young model lies in a corner
_MOST_STARTUP: Final = 20
_STARTUP_CANDIDATES: Final = 64  # more than one, for the requirements
_LEAST_FAILURES: Final = 10  # before a box shrinks


@final
class CascboSampler(JointSampler):
    """Gaussian processes of objectives, constraints and cost, sampled in a trust region.

    All it knows comes from the study's trials; what it keeps between asks are models that
    would be the same if they were made anew. How a trial was asked for stands in its system
    attribute `cascbo:asked`.

    Args:
        seed: Of its random numbers.
        space: The search space, where known. In a plain Optuna study the parameters seen so
            far are the space.
        **options: See `Options`.

    Raises:
        ValueError: If an option makes no sense.

    Source: Firmin et al. (2024), "Asynchronous Multi-fidelity Hyperparameter Optimization Of
    Spiking Neural Networks"; Eriksson and Poloczek (2021), "Scalable Constrained Bayesian
    Optimization"; Eriksson et al. (2019), "Scalable Global Optimization via Local Bayesian
    Optimization".

    Example:
        >>> study = optuna.create_study(sampler=CascboSampler(seed=0))
    """

    def __init__(
        self,
        seed: int | None = None,
        space: Space | None = None,
        *,
        constraints: bool = True,
        cost_aware: bool = True,
        cost: str = "cost_s",
        n_trials: int = 200,
        n_startup_trials: int | None = None,
        n_feasible: int | None = None,
        n_candidates: int = 2000,
        success_tolerance: int = 3,
        failure_tolerance: int | None = None,
        resource: str | None = None,
        grow: str | None = None,
        grow_until: float = 0.15,
        grow_from: float = 0.05,
    ) -> None:
        super().__init__(seed, space)
        self._options = Options(
            constraints=constraints,
            cost_aware=cost_aware,
            cost=cost,
            n_trials=n_trials,
            n_startup_trials=n_startup_trials,
            n_feasible=n_feasible,
            n_candidates=n_candidates,
            success_tolerance=success_tolerance,
            failure_tolerance=failure_tolerance,
            resource=resource,
            grow=grow,
            grow_until=grow_until,
            grow_from=grow_from,
        )
        if space is not None:
            _check_names(self._options, space)
        self._history: History | None = None
        self._models: Models | None = None
        self._threads = ThreadpoolController()

    def _forget(self) -> None:
        self._history = None

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next configuration."""
        if not search_space:
            return {}
        with self._threads.limit(limits=1):  # the other cores belong to the workers
            history, models = self._read(study, search_space)
            row, asked = self._ask(study, trial, history, models)
        study._storage.set_trial_system_attr(trial._trial_id, ASKED, asked)
        return history.domain.params(row)

    def _read(
        self, study: Study, search_space: Mapping[str, BaseDistribution]
    ) -> tuple[History, Models]:
        if self._history is None or self._models is None:
            options = self._options
            if self._space is None:  # a plain Optuna study, whose space is known from here on
                _check_name("grow", options.grow, search_space)
            self._history = History(
                Domain(search_space, self._space),
                study.directions,
                constrained=options.constraints,
                cost=options.cost,
                resource=options.resource,
            )
            self._models = Models(self._history)
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        if not self._history.take_in(trials):
            self._models.forget()
        return self._history, self._models

    def _ask(
        self, study: Study, trial: FrozenTrial, history: History, models: Models
    ) -> tuple[Array, dict[str, Any]]:
        options, domain, rng = self._options, history.domain, self._rng
        spent = self._spent
        if spent is None:
            spent = min(1.0, history.n / options.n_trials)
        upper = self._upper(domain, spent)
        n_startup = options.n_startup_trials or max(6, min(2 * domain.d, _MOST_STARTUP))
        asked: dict[str, Any] = {"region": 0, "length": None, "spent": spent}
        if history.n < n_startup:
            points = everywhere(domain, _STARTUP_CANDIDATES, upper, rng)
            return _unlike(domain, points, history.rows)[0], asked
        region = TrustRegion(
            options.success_tolerance, options.failure_tolerance or max(_LEAST_FAILURES, domain.d)
        )
        now = follow(history, region)
        asked["region"] = now.region.index
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        pending_rows = running(domain, trials, trial.number)
        pending, known = domain.features(pending_rows), np.vstack([history.rows, pending_rows])
        is_design = self._is_design(now, domain)
        if is_design and not now.region.index:
            points = everywhere(domain, _DESIGN_CANDIDATES, upper, rng)
            rows = _unlike(domain, points, known)
            broken = violation(models, history, domain.features(rows), pending, rng)
            return rows[int(np.argmin(broken))], asked  # the first of those that break nothing
        objectives = [models.objective(k) for k in range(history.n_objectives)]
        front = np.flatnonzero(history.feasible) if is_design else now.best
        aim = Aim.at(objectives, front, rng)
        if is_design or aim.centre is None:
            points = everywhere(domain, options.n_candidates, upper, rng)
        else:
            asked["length"] = length = now.region.length
            points = self._local(history, aim, objectives, length, upper)
        rows = _unlike(domain, points, known)
        features = domain.features(rows)
        exponent = cost_exponent(spent) if options.cost_aware else 0.0
        best = best_candidate(models, history, aim, features, pending, exponent, rng)
        return rows[best], asked

    def _local(
        self, history: History, aim: Aim, objectives: list[Drawn], length: float, upper: Array
    ) -> Array:
        """Candidates of a trust region: of its box, and recombined from the best trials."""
        domain, n = history.domain, self._options.n_candidates
        centre = history.rows[aim.centre or 0]
        elite = aim.elite(objectives, history.feasible)
        n_recombined = n // 3 if len(elite) > 1 else 0
        points = around(domain, centre, length, n - n_recombined, upper, self._rng)
        if not n_recombined:
            return points
        mixed = recombined(domain, history.rows[elite], length, n_recombined, upper, self._rng)
        return np.vstack([points, mixed])

    def _is_design(self, now: Progress, domain: Domain) -> bool:
        """Whether the region has too few feasible trials yet to be worked in."""
        wanted = self._options.n_feasible or _FEASIBLE
        if now.region.index:
            wanted = max(2, wanted // 2)
        return now.n_feasible < wanted and len(now.members) < _MOST_DESIGN * domain.d

    def _upper(self, domain: Domain, spent: float) -> Array:
        upper = np.ones(domain.d)
        options = self._options
        axis = domain.index(options.grow) if options.grow else None
        if axis is not None:
            upper[axis] = upper_bound(spent, options.grow_until, options.grow_from)
        return upper


def _check_names(options: Options, space: Space) -> None:
    _check_name("resource", options.resource, space)
    _check_name("grow", options.grow, space)
    grows = space[options.grow] if options.grow is not None else None
    if grows is not None and (isinstance(grows, Choice) or grows.scale == "reverse-log"):
        raise ConfigError(
            "study.sampler.grow",
            f"'{options.grow}' must be a number on a linear or log scale, got {grows}",
        )


def _check_name(option: str, name: str | None, known: Collection[str]) -> None:
    if name is not None and name not in known:
        problem = str(UnknownNameError("parameter", name, known))
        raise ConfigError(f"study.sampler.{option}", problem)


def _unlike(domain: Domain, points: Array, known: Array) -> Array:
    """Those of the points that meet the requirements and were not asked before, (k, d).

    If there is none, those that meet the requirements; if there is none, all.
    """
    rows, good = domain.admitted(points)
    rows = rows[good] if good.any() else rows
    if not len(known):
        return rows
    old = {row.tobytes() for row in np.nan_to_num(known.round(9), nan=-1.0) + 0.0}
    fresh = [r.tobytes() not in old for r in np.nan_to_num(rows.round(9), nan=-1.0) + 0.0]
    return rows[fresh] if any(fresh) else rows
