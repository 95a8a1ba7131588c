"""One draw of all models at the candidates, and the choice it leads to.

q  candidates
k  observations on the front
m  objectives
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketune.samplers.arrays import Array, Bools, Ints
from spiketune.samplers.cascbo.acquisition import (
    random_direction,
    reference_point,
    scalarised,
    scores,
)
from spiketune.samplers.cascbo.history import History
from spiketune.samplers.cascbo.models import Drawn, Models

_ELITE: Final = 20  # observations that candidates are recombined from


@dataclass(frozen=True, slots=True)
class Aim:
    """What an ask tries to improve on: one scalar made of the objectives.

    Attributes:
        direction: In which the objectives are to grow, (m,).
        reference: Where the front begins to count, (m,).
        best: The scalar of the best observation; -inf without one.
        centre: Number of that observation; None without one.
    """

    direction: Array
    reference: Array
    best: float
    centre: int | None

    @staticmethod
    def at(objectives: list[Drawn], front: Ints, rng: np.random.Generator) -> Aim:
        """A random direction, and the observation of the front that lies farthest along it.

        Args:
            objectives: Model of each objective.
            front: Numbers of the observations on the front.
            rng: Random numbers.
        """
        direction = random_direction(len(objectives), rng)
        known = [i for i in front if all(i in drawn.numbers for drawn in objectives)]
        if not known:
            nowhere = np.zeros(len(objectives))
            return Aim(direction, nowhere, -np.inf, int(front[0]) if len(front) else None)
        columns = [
            drawn.targets.values[np.searchsorted(drawn.numbers, known)] for drawn in objectives
        ]
        gains = np.column_stack(columns)
        reference = reference_point(gains)
        reached = scalarised(gains, reference, direction)
        farthest = int(np.argmax(reached))
        return Aim(direction, reference, float(reached[farthest]), known[farthest])

    def elite(self, objectives: list[Drawn], feasible: Bools) -> Ints:
        """Numbers of the feasible observations that lie farthest along the direction, best first.

        Args:
            objectives: Model of each objective.
            feasible: Which observations are, (n,).
        """
        numbers = objectives[0].numbers
        for drawn in objectives[1:]:
            numbers = np.intersect1d(numbers, drawn.numbers)
        numbers = numbers[feasible[numbers]]
        columns = [d.targets.values[np.searchsorted(d.numbers, numbers)] for d in objectives]
        reached = scalarised(np.column_stack(columns), self.reference, self.direction)
        return numbers[np.argsort(-reached, kind="stable")[:_ELITE]]


def violation(
    models: Models, history: History, features: Array, pending: Array, rng: np.random.Generator
) -> Array:
    """Total violation of all constraints in one draw, 0 where all are met, (q,)."""
    total = np.zeros(len(features))
    for name in history.constraint_names:
        path = models.constraint(name).path(features, pending, rng)
        total += np.maximum(path, 0.0)
    return total


def best_candidate(
    models: Models,
    history: History,
    aim: Aim,
    features: Array,
    pending: Array,
    exponent: float,
    rng: np.random.Generator,
) -> int:
    """The candidate that one constrained Thompson draw of all models likes best.

    Args:
        models: All models.
        history: What was told.
        aim: What to improve on.
        features: Of the candidates, (q, D).
        pending: Features of the trials that run.
        exponent: How much the cost counts; see `cost.cost_exponent`.
        rng: Random numbers.
    """
    broken = violation(models, history, features, pending, rng)
    objectives = [models.objective(k) for k in range(history.n_objectives)]
    paths = np.column_stack([drawn.path(features, pending, rng) for drawn in objectives])
    reached = scalarised(paths, aim.reference, aim.direction)
    gain = reached - (aim.best if np.isfinite(aim.best) else float(reached.min()))
    log_cost = np.zeros(len(features))
    if exponent > 0:
        cost = models.log_cost()
        if len(cost.numbers):
            log_cost = cost.mean(features) - cost.targets.mean
    return int(np.argmax(scores(gain, broken, log_cost, exponent)))
