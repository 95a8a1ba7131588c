"""Where a search stands: its trust region and what the region is centred on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spiketune.samplers.arrays import Array, Bools, Ints
from spiketune.samplers.cascbo.history import History, Observation
from spiketune.samplers.cascbo.trust_region import Step, TrustRegion

_MARGIN = 1e-5  # relative; what is closer counts as equal


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a search after all observations.

    Attributes:
        region: The trust region.
        members: Numbers of the observations that belong to it.
        best: Among them, the feasible ones that no other dominates (one, for one objective);
            if none is feasible, the least violating one; empty before the first.
        n_feasible: How many of the members are feasible.
    """

    region: TrustRegion
    members: Ints
    best: Ints
    n_feasible: int


def follow(history: History, region: TrustRegion) -> Progress:
    """The state after a history, from nothing else than it.

    Args:
        history: All observations.
        region: What the first region is like.
    """
    violations = history.violations()
    choices = history.domain.is_choice
    members: list[int] = []
    best: list[int] = []
    n_feasible = 0
    for i, new in enumerate(history.observations):
        if new.region is not None and new.region != region.index:
            continue  # asked for a region that was given up since: the models know it
        members.append(i)
        n_feasible += new.is_feasible
        centre = best[0] if best else i
        step, best = _compared(history.observations, violations, best, i)
        if new.length is not None:
            if step == "better" and history.n_objectives == 1:
                step = _where(new, history.rows[centre], choices, region.length)
            region = region.after(step, new.length)
        if region.is_exhausted:
            region, members, best, n_feasible = region.restarted(), [], [], 0
    return Progress(region, np.array(members, dtype=int), np.array(best, dtype=int), n_feasible)


def _compared(
    observations: list[Observation], violations: Array, best: list[int], i: int
) -> tuple[Step, list[int]]:
    """How observation i compares with the best so far, and the best with it."""
    new = observations[i]
    if not best:
        return "better", [i]
    first = observations[best[0]]
    if not new.is_feasible or not first.is_feasible:
        if first.is_feasible or (not new.is_feasible and violations[i] >= violations[best[0]]):
            return "worse", best
        return "better", [i]
    if len(new.gains) > 1:
        gains = np.array([observations[k].gains for k in best])
        if (gains >= new.gains).all(axis=1).any():
            return "worse", best
        kept = [k for k, g in zip(best, gains, strict=True) if not (g <= new.gains).all()]
        return "better", [*kept, i]
    gain, before = float(new.gains[0]), float(first.gains[0])
    margin = _MARGIN * abs(before)
    if gain > before + margin:
        return "better", [i]
    if gain >= before - margin and new.log_cost < first.log_cost:
        return "equal", [i]
    return "worse", best


def _where(new: Observation, centre: Array, choices: Bools, length: float) -> Step:
    """Whether a better result lies in the box, or is a jump out of it."""
    away = np.abs(new.row - centre)[~choices]
    inside = not (np.nan_to_num(away) > length / 2 + 1e-9).any()
    return "better" if inside else "jump"
