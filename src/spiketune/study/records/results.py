"""What a study found: its trials as plain rows, the front, the best, the hypervolume.

m  objectives
n  trials
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from optuna._hypervolume import compute_hypervolume
from optuna.study import StudyDirection
from optuna.study._multi_objective import _is_pareto_front
from optuna.trial import FrozenTrial, TrialState

from spiketune.samplers.paused import rung_of, waits
from spiketune.space import Space
from spiketune.space.distributions import from_stored

if TYPE_CHECKING:
    import pandas as pd

State: TypeAlias = Literal[
    "waiting", "running", "paused", "finished", "stopped", "silent", "failed", "rejected"
]
_FIRST: Final = ("number", "state", "feasible")  # columns about a trial
_LAST: Final = ("fidelity", "cost_s", "started", "ended", "attempts", "failure")
OWN_COLUMNS: Final = frozenset((*_FIRST, *_LAST))
Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial, as everything that shows a study sees it.

    Attributes:
        number: Its number.
        state: How it stands; `finished`, `stopped` and `silent` trials have objective values.
        params: Value by parameter name; inactive parameters are absent.
        objectives: Value by objective; empty unless it ended by itself.
        constraints: Value by constraint, met when <= 0.
        metrics: Every metric measured.
        fidelity: How much of the full training was spent.
        cost_s: Seconds of work that count towards the result.
        started: When it was first submitted.
        ended: When its end was written down.
        attempts: Mappings with `attempt`, `worker`, `started_s`, `ended_s`, `outcome`.
        reports: Columns by metric, and `fidelity`: the learning curves.
        failure: `kind` and `message` of a failed trial.
        details: Further facts (firing rate per layer, seconds of each phase).
    """

    number: int
    state: State
    params: Mapping[str, Any]
    objectives: Mapping[str, float] = field(default_factory=dict)
    constraints: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    fidelity: float | None = None
    cost_s: float = 0.0
    started: datetime | None = None
    ended: datetime | None = None
    attempts: tuple[Mapping[str, Any], ...] = ()
    reports: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    failure: Mapping[str, str] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        """Whether it has values and meets every constraint."""
        return bool(self.objectives) and all(value <= 0 for value in self.constraints.values())

    @property
    def full(self) -> bool:
        """Whether it ran at full fidelity."""
        return self.state == "finished"


def row(trial: FrozenTrial, space: Space, objectives: Sequence[str]) -> TrialRow:
    """A trial of the journal as a row; one of a stock Optuna writer has no metrics of ours."""
    attributes = {**(rung_of(trial) or {}), **trial.user_attrs}
    told = dict(zip(objectives, trial.values or (), strict=False))
    return TrialRow(
        number=trial.number,
        state=_state(trial),
        params={
            name: from_stored(space[name], value) if name in space else value
            for name, value in trial.params.items()
        },
        objectives=told,
        constraints=dict(trial.constraints),
        metrics=attributes.get("metrics") or told,
        fidelity=attributes.get("fidelity"),
        cost_s=float(attributes.get("cost_s") or 0.0),
        started=trial.datetime_start,
        ended=trial.datetime_complete,
        attempts=tuple(attributes.get("attempts") or ()),
        reports=attributes.get("reports") or {},
        failure=attributes.get("failure"),
        details=attributes.get("details") or {},
    )


def _state(trial: FrozenTrial) -> State:
    match trial.state:
        case TrialState.COMPLETE:
            ended = trial.user_attrs.get("ended", "finished")
            return ended if ended in ("stopped", "silent") else "finished"
        case TrialState.FAIL:
            return "failed"
        case TrialState.PRUNED:
            return "rejected" if trial.user_attrs.get("ended") == "rejected" else "stopped"
        case TrialState.WAITING:
            return "waiting"
    return "paused" if waits(trial) else "running"


def losses(rows: Sequence[TrialRow], directions: Mapping[str, str]) -> Array:
    """Objective values with the sign that makes less better.

    Returns:
        (n, m).
    """
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in directions.values()]
    values = [[r.objectives[name] for name in directions] for r in rows]
    table: Array = np.array(values, dtype=float).reshape(len(rows), len(signs))
    signed: Array = table * np.array(signs)
    return signed


def eligible(rows: Sequence[TrialRow], *, any_fidelity: bool = False) -> list[TrialRow]:
    """Feasible trials, at full fidelity unless asked otherwise."""
    return [r for r in rows if r.feasible and (r.full or any_fidelity)]


def front(
    rows: Sequence[TrialRow], directions: Mapping[str, str], *, any_fidelity: bool = False
) -> list[TrialRow]:
    """The trials that no other beats in every objective, best first objective first."""
    candidates = eligible(rows, any_fidelity=any_fidelity)
    if not candidates:
        return []
    values = losses(candidates, directions)
    kept = _is_pareto_front(values, assume_unique_lexsorted=False)
    chosen = [(tuple(v), r) for v, r, keep in zip(values, candidates, kept, strict=True) if keep]
    return [r for _, r in sorted(chosen, key=lambda pair: (pair[0], pair[1].number))]


def ranked(
    rows: Sequence[TrialRow], directions: Mapping[str, str], *, any_fidelity: bool = False
) -> list[TrialRow]:
    """Eligible trials, best in the first objective first."""
    candidates = eligible(rows, any_fidelity=any_fidelity)
    if not candidates:
        return []
    order = np.lexsort(losses(candidates, directions).T[::-1])
    return [candidates[int(i)] for i in order]


def knee(rows: Sequence[TrialRow], directions: Mapping[str, str]) -> TrialRow | None:
    """The trial of a front that lies nearest to the ideal point, each objective scaled to 0..1."""
    if not rows:
        return None
    values = losses(rows, directions)
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    scaled = (values - low) / np.where(span > 0, span, 1.0)
    return rows[int(np.argmin((scaled**2).sum(axis=1)))]


def reference_point(rows: Sequence[TrialRow], directions: Mapping[str, str]) -> Array | None:
    """The worst value of each objective among feasible trials, as losses.

    Returns:
        (m,), or None while nothing feasible is there.
    """
    candidates = eligible(rows)
    return losses(candidates, directions).max(axis=0) if candidates else None


def hypervolume(
    rows: Sequence[TrialRow], directions: Mapping[str, str], reference: Array | None = None
) -> float:
    """Volume that the feasible trials at full fidelity dominate, up to a reference point.

    Args:
        rows: The trials.
        directions: `minimize` or `maximize` by objective.
        reference: (m,) as losses; the worst value of each objective if None.
    """
    candidates = eligible(rows)
    point = reference if reference is not None else reference_point(rows, directions)
    if point is None or not candidates:
        return 0.0
    values = losses(candidates, directions)
    inside = values[(values <= point).all(axis=1)]
    return float(compute_hypervolume(inside, point)) if len(inside) else 0.0


def frame(rows: Sequence[TrialRow]) -> pd.DataFrame:
    """One line per trial: number, state, parameters, objectives, metrics, constraints, cost.

    The columns about the trial keep their names: a parameter of such a name becomes
    `param:<name>`, a metric of such a name, or of a parameter's, `metric:<name>`.
    """
    import pandas as pd

    taken = OWN_COLUMNS.union(*(r.params for r in rows))
    lines = [
        {
            **{name: getattr(r, name) for name in _FIRST},
            **{f"param:{name}" if name in OWN_COLUMNS else name: v for name, v in r.params.items()},
            **{f"metric:{name}" if name in taken else name: v for name, v in _measured(r).items()},
            **{f"constraint:{name}": value for name, value in r.constraints.items()},
            **{name: getattr(r, name) for name in _LAST},
            "attempts": max(1, len(r.attempts)),
            "failure": f"{r.failure['kind']}: {r.failure['message']}" if r.failure else None,
        }
        for r in rows
    ]
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=list(_FIRST))


def _measured(r: TrialRow) -> dict[str, float]:
    """Metrics and objectives; the cost that a training counts itself is that of the trial."""
    measured = {**r.metrics, **r.objectives}
    return {n: v for n, v in measured.items() if (n, v) != ("cost_s", r.cost_s)}


def directions_of(directions: Sequence[StudyDirection], names: Sequence[str]) -> dict[str, str]:
    """Direction by objective, in words."""
    words = {StudyDirection.MAXIMIZE: "maximize", StudyDirection.MINIMIZE: "minimize"}
    return {name: words[d] for name, d in zip(names, directions, strict=True)}
