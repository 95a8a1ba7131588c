"""Studies made up for the tests of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np

from spiketune.report.summary import StudySummary
from spiketune.space import Choice, Float, Int, Space
from spiketune.study.records.results import TrialRow

START_S = 1_760_000_000.0
TWO = {"validation_accuracy": "maximize", "spikes_per_sample": "minimize"}
SPACE = Space(
    {
        "training.optimizer.learning_rate": Float(1e-4, 1e-1, scale="log"),
        "network.neurons": Int(16, 300, scale="log"),
        "network.neuron.beta": Float(0.5, 1.0, scale="reverse-log"),
        "dataset.steps": Int(10, 50),
        "training.optimizer.name": Choice(["adam", "sgd"]),
        "training.optimizer.momentum": Float(0.0, 0.99, when="training.optimizer.name == 'sgd'"),
        "network.kernel": Choice([[3, 3], [5, 5], {"wide": 7}]),
    }
)
LR, NEURONS = "training.optimizer.learning_rate", "network.neurons"


def summary(
    rows: Sequence[TrialRow] = (),
    directions: Mapping[str, str] = TWO,
    space: Space = SPACE,
    **changes: Any,
) -> StudySummary:
    """A summary with whatever a test does not care about filled in."""
    facts: dict[str, Any] = {
        "name": "digits-accuracy-vs-spikes",
        "sessions": [],
        "test_openings": [],
        "provenance": {"seed": 0, "versions": {"spiketune": "0.1.0"}, "base_folder": "/secret"},
        "sampler": "tpe",
        "budget": "60 trials",
        "constraints": ["n_parameters <= 20000"],
    }
    return StudySummary(directions=directions, space=space, rows=rows, **(facts | changes))


@cache
def synthetic(n: int = 60, seed: int = 0, objectives: int = 2, epochs: int = 12) -> StudySummary:
    """A study as a real one could look: two workers, every kind of end."""
    draws = np.random.default_rng(seed)
    directions = dict([*TWO.items(), ("cost_s", "minimize")][:objectives])
    clocks = {"worker-0": START_S, "worker-1": START_S + 3.0}
    rows = [_trial(k, draws, clocks, directions, epochs, last=k >= n - 2) for k in range(n)]
    ends = [a["ended_s"] for row in rows for a in row.attempts]
    session = {"started_s": START_S, "ended_s": max(ends, default=START_S), "n_workers": 2}
    record = {"test_accuracy": [0.942, 0.951, 0.938], "validation_accuracy": [0.95, 0.955, 0.949]}
    retrained = [{"label": "trial-00012", "seeds": [1, 2, 3], "metrics": record, "failures": []}]
    return summary(rows, directions, sessions=[session], test_openings=[{}], retrained=retrained)


def _trial(
    number: int,
    draws: np.random.Generator,
    clocks: dict[str, float],
    directions: Mapping[str, str],
    epochs: int,
    last: bool,
) -> TrialRow:
    params = {name: SPACE[name].from_unit(float(draws.uniform())) for name in SPACE}
    if params["training.optimizer.name"] == "adam":
        del params["training.optimizer.momentum"]
    worker = min(clocks, key=clocks.__getitem__)
    started_s = clocks[worker] + 0.4
    started = datetime.fromtimestamp(started_s)
    fate = float(draws.uniform())
    if last:
        return TrialRow(number, "running", params, started=started)
    if fate < 0.04:
        return TrialRow(number, "rejected", params, started=started, ended=started)
    distance = abs(np.log10(params[LR]) + 2.3)
    accuracy = 0.97 - 0.13 * distance**2 - 5.0 / params[NEURONS] + 0.01 * draws.normal()
    spikes = params[NEURONS] * params["dataset.steps"] * (1.15 - params["network.neuron.beta"])
    cost_s = 4.0 + 0.02 * spikes**0.8
    state, reached = _end(fate, epochs)
    metrics = {
        "validation_accuracy": float(np.clip(accuracy, 0.1, 1)) if state != "silent" else 0.1,
        "spikes_per_sample": float(spikes) if state != "silent" else 1.5,
        "cost_s": float(cost_s),
        "silent_share": 0.0 if state != "silent" else 0.9,
        "n_parameters": 90.0 * params[NEURONS],
    }
    fidelity = np.arange(1, reached + 1)
    curve = 0.1 + (metrics["validation_accuracy"] - 0.1) * (1 - np.exp(-fidelity / 2.5))
    loss = 2.3 * np.exp(-fidelity / 4) + 0.3
    ended_s = started_s + cost_s * reached / epochs
    attempts: list[dict[str, Any]] = []
    outcome = state if state != "failed" else ("oom" if fate < 0.1 else "crash")
    if fate > 0.97:
        lost = {"attempt": 1, "worker": worker, "outcome": "worker_lost"}
        attempts.append({**lost, "started_s": started_s, "ended_s": started_s + 2})
        started_s, ended_s = started_s + 2.5, ended_s + 2.5
    attempt = {"attempt": len(attempts) + 1, "worker": worker, "outcome": outcome}
    attempts.append({**attempt, "started_s": started_s, "ended_s": ended_s})
    clocks[worker] = ended_s
    told = state != "failed"
    return TrialRow(
        number,
        state,  # type: ignore[arg-type]
        params,
        objectives={name: metrics[name] for name in directions} if told else {},
        constraints={
            "n_parameters <= 20000": metrics["n_parameters"] - 20000,
            "silence": metrics["silent_share"] - 0.03,
        }
        if told
        else {},
        metrics=metrics if told else {},
        fidelity=float(reached),
        cost_s=ended_s - started_s if told else 0.0,
        started=started,
        ended=started + timedelta(seconds=ended_s - started_s),
        attempts=tuple(attempts),
        reports={
            "fidelity": [float(f) for f in fidelity],
            "validation_accuracy": [float(v) for v in curve],
            "validation_loss": [float(v) for v in loss],
        },
        failure=None if told else {"kind": outcome, "message": "out of memory <at> layer 'hidden'"},
    )


def _end(fate: float, epochs: int) -> tuple[str, int]:
    if fate < 0.15:
        return "failed", max(1, epochs // 4)
    if fate < 0.25:
        return "silent", 1
    if fate < 0.5:
        return "stopped", max(1, epochs // 3)
    return "finished", epochs


def finished(number: int, accuracy: float, spikes: float, **facts: Any) -> TrialRow:
    """A trial that ran to its end."""
    params = facts.pop("params", {LR: 0.01, NEURONS: 100})
    objectives = {"validation_accuracy": accuracy, "spikes_per_sample": spikes}
    return TrialRow(number, "finished", params, objectives, **facts)
