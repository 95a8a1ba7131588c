"""What a study was told, in the order in which it was told, as arrays.

n  observations
d  axes
m  objectives
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, final

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from spiketune.samplers.arrays import Array, Bools, Ints
from spiketune.samplers.domain import Domain

ASKED: Final = "cascbo:asked"  # system attribute: how a trial was asked for
FAILED: Final = "failed"  # the constraint that failures break
_UNKNOWN_SHARE: Final = 0.5  # of a stopped trial, before any has finished
_LEAST_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Observation:
    """One trial that ended.

    Attributes:
        row: Its place, (d,).
        gains: Objective values, signed so that larger is better, (m,); NaN if it has none.
        constraints: By name, met when <= 0.
        failed: Whether it ended without a result.
        log_cost: Logarithm of what it cost; NaN if unknown or cut short.
        fidelity: Place of its share of the full fidelity in [0, 1], logarithmic; 1 if full.
        region: Trust region that it was asked for, or None.
        length: Length of the box it was asked from, or None in a design.
    """

    row: Array
    gains: Array
    constraints: Mapping[str, float]
    failed: bool
    log_cost: float
    fidelity: float
    region: int | None
    length: float | None

    @property
    def is_feasible(self) -> bool:
        """Whether it counts as an answer: finished, and all constraints met."""
        return (
            not self.failed
            and self.fidelity == 1.0
            and not bool(np.isnan(self.gains).any())
            and all(value <= 0.0 for value in self.constraints.values())
        )


@final
class History:
    """The trials of a study that ended, taken in as they end.

    Args:
        domain: The axes.
        directions: Of the objectives.
        constrained: Whether constraints are looked at (failures always are).
        cost: User attribute that holds the cost of a trial.
        resource: Parameter that is a trial's own maximum of the fidelity, if there is one.
    """

    def __init__(
        self,
        domain: Domain,
        directions: Sequence[StudyDirection],
        *,
        constrained: bool,
        cost: str,
        resource: str | None,
    ) -> None:
        self.domain = domain
        self._signs = np.array([1.0 if d == StudyDirection.MAXIMIZE else -1.0 for d in directions])
        self._constrained, self._cost, self._resource = constrained, cost, resource
        self._known: list[tuple[int, datetime | None]] = []
        self._most_fidelity = math.nan
        self.observations: list[Observation] = []
        self._rows: Array = np.empty((0, domain.d))

    def take_in(self, trials: Sequence[FrozenTrial]) -> bool:
        """Bring it up to date.

        Args:
            trials: All trials of the study.

        Returns:
            Whether what was known before is still the beginning; if not, it was read anew.
        """
        ended = [t for t in trials if _is_observed(t)]
        ended.sort(key=lambda t: (t.datetime_complete or t.datetime_start, t.number))
        n = len(self._known)
        continues = [(t.number, t.datetime_complete) for t in ended[:n]] == self._known
        if not continues:
            self._known, self.observations, self._most_fidelity = [], [], math.nan
            n = 0
        for trial in ended[n:]:
            self._known.append((trial.number, trial.datetime_complete))
            self.observations.append(self._observation(trial))
        rows = [o.row for o in self.observations]
        self._rows = np.array(rows) if rows else np.empty((0, self.domain.d))
        return continues

    @property
    def n(self) -> int:
        """How many observations there are."""
        return len(self.observations)

    @property
    def n_objectives(self) -> int:
        """How many objectives there are."""
        return len(self._signs)

    @property
    def rows(self) -> Array:
        """Places, (n, d)."""
        return self._rows

    @property
    def gains(self) -> Array:
        """Objective values, larger is better, (n, m)."""
        gains = [o.gains for o in self.observations]
        return np.array(gains) if gains else np.empty((0, self.n_objectives))

    @property
    def feasible(self) -> Bools:
        """Which observations finished and meet all constraints, (n,)."""
        return np.array([o.is_feasible for o in self.observations], dtype=bool)

    @property
    def fidelity(self) -> Array:
        """Place of each one's fidelity in [0, 1], (n,)."""
        return np.array([o.fidelity for o in self.observations])

    @property
    def log_cost(self) -> Array:
        """Logarithm of each one's cost, (n,); NaN if unknown."""
        return np.array([o.log_cost for o in self.observations])

    def constraint(self, name: str) -> tuple[Ints, Array]:
        """Numbers of the observations that have a constraint, and its values, (k,) each."""
        if name == FAILED:
            return np.arange(self.n), np.array([2.0 * o.failed - 1 for o in self.observations])
        having = [i for i, o in enumerate(self.observations) if name in o.constraints]
        values = [self.observations[i].constraints[name] for i in having]
        return np.array(having, dtype=int), np.array(values, dtype=float)

    @property
    def constraint_names(self) -> tuple[str, ...]:
        """Constraints that some trial has; `failed` is one if some trial failed."""
        names = {name for o in self.observations for name in o.constraints}
        failed = (FAILED,) if any(o.failed for o in self.observations) else ()
        return (*sorted(names), *failed)

    def violations(self) -> Array:
        """Sum over constraints of the excess, each by its median, (n,); infinite if failed."""
        total = np.zeros(self.n)
        for name in self.constraint_names:
            if name == FAILED:
                continue
            having, values = self.constraint(name)
            excess = np.maximum(values, 0.0)
            broken = excess[excess > 0]
            if len(broken):
                total[having] += excess / np.median(broken)
        total[[o.failed for o in self.observations]] = np.inf
        return total

    def _observation(self, trial: FrozenTrial) -> Observation:
        attrs = trial.user_attrs
        ended = attrs.get("ended", "finished")
        values, fidelity = _values(trial)
        failed = values is None
        cut_short = ended in ("stopped", "silent") or trial.state == TrialState.PRUNED
        fidelity = attrs.get("fidelity", fidelity)
        place = self._fidelity(trial, fidelity, cut_short)
        gains = np.full(len(self._signs), np.nan)
        if values is not None and ended != "silent":  # that of a silent network is chance
            gains = self._signs * np.array(values, dtype=float)
        cost = attrs.get(self._cost)
        log_cost = math.nan
        if isinstance(cost, int | float) and cost > 0 and not failed and not cut_short:
            log_cost = math.log(cost)
        constraints = {
            name: float(value) for name, value in trial.constraints.items() if not failed
        }
        asked = trial.system_attrs.get(ASKED, {})
        return Observation(
            row=self.domain.row(trial.params),
            gains=gains,
            constraints=constraints if self._constrained else {},
            failed=failed,
            log_cost=log_cost,
            fidelity=place,
            region=asked.get("region"),
            length=asked.get("length"),
        )

    def _fidelity(self, trial: FrozenTrial, fidelity: Any, cut_short: bool) -> float:
        if not isinstance(fidelity, int | float):
            return _UNKNOWN_SHARE if cut_short else 1.0
        if not cut_short:
            self._most_fidelity = max(fidelity, np.nan_to_num(self._most_fidelity))
            return 1.0
        full = trial.params.get(self._resource or "", self._most_fidelity)
        if not full > 0:
            return _UNKNOWN_SHARE
        share = min(1.0, max(_LEAST_SHARE, fidelity / full))
        return min(0.99, 1.0 - math.log(share) / math.log(_LEAST_SHARE))


def running(domain: Domain, trials: Sequence[FrozenTrial], own: int) -> Array:
    """Places of the trials that run, without the one that is asked for, (k, d)."""
    rows = [
        domain.row(t.params)
        for t in trials
        if t.state == TrialState.RUNNING and t.number != own and t.params
    ]
    return np.array(rows) if rows else np.empty((0, domain.d))


def _is_observed(trial: FrozenTrial) -> bool:
    if not trial.params:
        return False
    if trial.state == TrialState.PRUNED:  # without a report it was rejected: nothing is known
        return bool(trial.intermediate_values)
    return trial.state in (TrialState.COMPLETE, TrialState.FAIL)


def _values(trial: FrozenTrial) -> tuple[list[float] | None, float | None]:
    """Objective values, None if it failed; and the fidelity of a pruned trial."""
    if trial.state == TrialState.PRUNED:
        step = max(trial.intermediate_values)
        return [trial.intermediate_values[step]], float(step)
    values = trial.values
    if values is None or not all(math.isfinite(v) for v in values):
        return None, None
    return list(values), None
