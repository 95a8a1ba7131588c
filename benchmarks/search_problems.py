"""Problems with known optimum, constraints and cost, to compare search algorithms on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiketune.space import Choice, Float, Int, Space


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one evaluation gives.

    Attributes:
        values: Objectives, to be minimised.
        constraints: Met when <= 0.
        cost_s: Simulated duration.
        ended: `finished`, or `silent` if it was stopped at once.
        curve: Objective value after each epoch, where there are epochs.
    """

    values: tuple[float, ...]
    constraints: Mapping[str, float]
    cost_s: float
    ended: str = "finished"
    curve: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to search.

    Attributes:
        name: As in the tables.
        space: What is searched.
        evaluate: The outcome of a configuration.
        n_objectives: How many values it has.
        budget_s: Simulated time.
        workers: At once.
        optimum: Best feasible value, if there is one objective.
        reference: Worst corner of the hypervolume, if there are several.
    """

    name: str
    space: Space
    evaluate: Callable[[Mapping[str, Any]], Outcome]
    n_objectives: int = 1
    budget_s: float = 150.0
    workers: int = 4
    optimum: float | None = None
    reference: tuple[float, ...] | None = None


_HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def _hartmann(values: Mapping[str, Any]) -> Outcome:
    """Hartmann-6 in a ball around 0; cost 1-20, least in the middle of the cube.

    The constraint |x|^2 <= 1.5 holds at the optimum (0.2, 0.15, 0.48, 0.28, 0.31, 0.66), whose
    value -3.32237 it keeps; a third of the cube meets it.
    """
    x = np.array([values[f"x{i}"] for i in range(6)])
    y = -float(np.array([1, 1.2, 3, 3.2]) @ np.exp(-(_HARTMANN_A * (x - _HARTMANN_P) ** 2).sum(1)))
    return Outcome(
        (y,), {"c": float(x @ x) - 1.5}, math.exp(3.0 * float(np.mean(np.abs(x - 0.5)) * 2))
    )


def _ackley(values: Mapping[str, Any]) -> Outcome:
    """Ackley in 20 dimensions on [-5, 10], optimum 0 at 0, with the two constraints of SCBO.

    Source: Eriksson and Poloczek (2021): sum(x) <= 0 and |x| <= 5 in 10 dimensions, here
    |x| <= 5 sqrt(2). The cost grows with the distance of the first half of x from 3.
    """
    x = np.array([values[f"x{i}"] for i in range(20)])
    y = (
        -20 * math.exp(-0.2 * math.sqrt(float(np.mean(x**2))))
        - math.exp(float(np.mean(np.cos(2 * np.pi * x))))
        + 20
        + math.e
    )
    cost_s = math.exp(0.35 * math.sqrt(float(np.mean((x[:10] - 3) ** 2))))
    constraints = {"sum": float(x.sum()), "norm": float(np.linalg.norm(x)) - 5.0 * math.sqrt(2)}
    return Outcome((y,), constraints, cost_s)


def _two(values: Mapping[str, Any]) -> Outcome:
    """ZDT2 in 8 dimensions (a concave front), of which x0 >= 0.1 is feasible; cost 1-4."""
    x = np.array([values[f"x{i}"] for i in range(8)])
    g = 1 + 9 * float(x[1:].mean())
    second = g * (1 - (x[0] / g) ** 2)
    return Outcome((float(x[0]), float(second)), {"c": 0.1 - float(x[0])}, 1.0 + 3.0 * float(x[7]))


def _mixed(values: Mapping[str, Any]) -> Outcome:
    """A kind of network with its own best rate, layers of a width, a conditional momentum.

    Optimum 0: kind `b`, three layers of 64, rate 1e-2, momentum 0.9. Wide and deep is dear, and
    more than 400 neurons in all are forbidden.
    """
    best = {"a": 1e-3, "b": 1e-2, "c": 3e-2, "d": 1e-1}
    rate = (math.log10(values["rate"]) - math.log10(best[values["kind"]])) ** 2
    offset = {"a": 0.6, "b": 0.0, "c": 0.3, "d": 1.0}[values["kind"]]
    width = (math.log2(values["width"]) - 6) ** 2 / 4
    depth = 0.2 * (values["layers"] - 3) ** 2
    momentum = (10 * (values["momentum"] - 0.9)) ** 2 if values["optimizer"] == "sgd" else 0.5
    neurons = values["width"] * values["layers"]
    y = offset + rate + width + depth + 0.3 * momentum
    return Outcome((y,), {"neurons": neurons / 400 - 1}, 0.5 + neurons / 150)


def _cube(d: int, low: float = 0.0, high: float = 1.0) -> Space:
    return Space({f"x{i}": Float(low, high) for i in range(d)})


PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("hartmann6", _cube(6), _hartmann, budget_s=200.0, optimum=-3.32237),
        Problem("ackley20", _cube(20, -5.0, 10.0), _ackley, budget_s=400.0, optimum=0.0),
        Problem("zdt2", _cube(8), _two, n_objectives=2, budget_s=100.0, reference=(1.1, 11.0)),
        Problem(
            "mixed",
            Space(
                {
                    "kind": Choice(["a", "b", "c", "d"]),
                    "optimizer": Choice(["sgd", "adam"]),
                    "rate": Float(1e-4, 1.0, "log"),
                    "momentum": Float(0.5, 0.999, "reverse-log", when="optimizer == 'sgd'"),
                    "layers": Int(1, 6),
                    "width": Int(8, 512, "log"),
                }
            ),
            _mixed,
            budget_s=80.0,
            optimum=0.0,
        ),
    )
}
