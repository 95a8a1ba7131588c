"""One trial as a member of a population, and how members rank: what is feasible comes first.

d  axes
m  objectives
k  members
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from spiketune.samplers.arrays import Array


class Standing(IntEnum):
    """What a trial came to, the best first."""

    FEASIBLE = 0
    STOPPED = 1  # met all constraints as far as it went
    INFEASIBLE = 2
    FAILED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Individual:
    """One trial that ended.

    Attributes:
        number: Of the trial.
        row: Its place, (d,): numbers in [0, 1], the index of an option, NaN where inactive.
        standing: What it came to.
        losses: Objective values, signed so that less is better, (m,); NaN if it failed.
        excess: By how much each constraint is broken; those that are met are absent.
        fidelity: How far a stopped trial got; larger is further.
        tag: What its propagator noted when it was asked for.
    """

    number: int
    row: Array
    standing: Standing
    losses: Array
    excess: Mapping[str, float]
    fidelity: float
    tag: Mapping[str, Any]


def individual(
    trial: FrozenTrial, row: Array, directions: Sequence[StudyDirection], tag: Mapping[str, Any]
) -> Individual:
    """A trial that ended as an individual; one without finite values counts as failed.

    Args:
        trial: The trial.
        row: Its place, (d,).
        directions: Of the objectives.
        tag: What its propagator noted.
    """
    values, fidelity = trial.values, trial.user_attrs.get("fidelity")
    ended = trial.user_attrs.get("ended", "finished")
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        step = max(trial.intermediate_values)
        values, fidelity, ended = [trial.intermediate_values[step]], step, "stopped"
    failed = trial.state == TrialState.FAIL or values is None or len(values) != len(directions)
    if failed or not all(math.isfinite(value) for value in values or ()):
        nothing = np.full(len(directions), math.nan)
        return Individual(trial.number, row, Standing.FAILED, nothing, {}, 0.0, tag)
    signs = [-1.0 if d == StudyDirection.MAXIMIZE else 1.0 for d in directions]
    constraints = {name: float(value) for name, value in trial.constraints.items()}
    excess = {name: value for name, value in constraints.items() if not value <= 0.0}
    if excess:
        standing = Standing.INFEASIBLE
    else:
        standing = Standing.FEASIBLE if ended == "finished" else Standing.STOPPED
    got = float(fidelity) if isinstance(fidelity, int | float) else 0.0
    losses = np.array(signs) * np.array(values, dtype=float)
    return Individual(trial.number, row, standing, losses, excess, got, tag)


def ranked(members: Sequence[Individual], scales: Mapping[str, float]) -> list[Individual]:
    """Members, the best first.

    Feasible ones by their losses; then stopped ones, the furthest first; then infeasible ones by
    the sum of what they break; failed ones last. Several objectives rank by non-dominated
    fronts, within a front by crowding distance; ties go to the older trial.

    Args:
        members: (k,).
        scales: Largest excess seen of each constraint, by which excesses are made comparable.

    Source: Deb (2000), "An efficient constraint handling method for genetic algorithms"; Deb et
    al. (2002), "A fast and elitist multiobjective genetic algorithm: NSGA-II".
    """
    groups: dict[tuple[int, float], list[Individual]] = {}
    for member in members:
        groups.setdefault((member.standing, _within(member, scales)), []).append(member)
    order: list[Individual] = []
    for key in sorted(groups):
        group = groups[key]
        if len(group) == 1 or key[0] == Standing.FAILED:
            order += sorted(group, key=lambda member: member.number)
        elif len(group[0].losses) == 1:
            order += sorted(group, key=lambda member: (float(member.losses[0]), member.number))
        else:
            order += _by_fronts(sorted(group, key=lambda member: member.number))
    return order


def better(one: Individual, other: Individual, scales: Mapping[str, float]) -> bool:
    """Whether the first ranks before the second; of equals the older one does."""
    return ranked((one, other), scales)[0] is one


def fronts(losses: Array) -> list[npt.NDArray[np.intp]]:
    """Indices of the non-dominated front, of the front behind it, and so on.

    Args:
        losses: (k, m).
    """
    no_worse = np.asarray((losses[:, None] <= losses[None]).all(axis=2))
    dominates = no_worse & ~no_worse.T
    left = np.arange(len(losses))
    found = []
    while len(left):
        beaten = dominates[np.ix_(left, left)].any(axis=0)
        found.append(left[~beaten])
        left = left[beaten]
    return found


def crowding(losses: Array) -> Array:
    """Crowding distance of each point of a front; the ends of each objective are infinite.

    Args:
        losses: (k, m).

    Returns:
        (k,).
    """
    distance = np.zeros(len(losses))
    for column in losses.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if span > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def _within(member: Individual, scales: Mapping[str, float]) -> float:
    if member.standing == Standing.STOPPED:
        return -member.fidelity
    if member.standing == Standing.INFEASIBLE:
        return sum(_share(value, scales.get(name, 0.0)) for name, value in member.excess.items())
    return 0.0


def _share(value: float, scale: float) -> float:
    if not math.isfinite(value):
        return 1.0
    return value / scale if scale > 0 else value


def _by_fronts(group: list[Individual]) -> list[Individual]:
    losses = np.array([member.losses for member in group])
    order: list[Individual] = []
    for front in fronts(losses):
        distance = crowding(losses[front])
        order += [group[front[i]] for i in np.argsort(-distance, kind="stable")]
    return order
