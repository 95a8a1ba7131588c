"""One search on a simulated clock: workers take the time that trials cost."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna._hypervolume import compute_hypervolume
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from search_problems import Outcome, Problem
from spiketune.samplers.asker import Asker


@dataclass(slots=True)
class Run:
    """What a search gave, as it is kept on disk.

    Attributes:
        ended_s: Simulated moment at which each trial ended.
        values: Objectives of each, to be minimised.
        feasible: Whether each meets all constraints.
        ask_cpu_s: Processor time of all asks and tells.
    """

    ended_s: list[float] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    feasible: list[bool] = field(default_factory=list)
    ask_cpu_s: float = 0.0

    def asdict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def best(self, share: float, problem: Problem) -> float:
        """Best feasible value, or hypervolume, after a share of the budget; NaN if none."""
        pairs = zip(self.ended_s, self.values, self.feasible, strict=True)
        seen = [v for t, v, ok in pairs if ok and t <= share * problem.budget_s]
        if problem.reference is None:
            return min((v[0] for v in seen), default=float("nan"))
        inside = np.array([v for v in seen if all(np.array(v) < problem.reference)])
        return (
            float(compute_hypervolume(inside, np.array(problem.reference))) if len(inside) else 0.0
        )


class Searcher:
    """A sampler of spiketune behind its asker, on a study in memory.

    Args:
        problem: What is searched.
        sampler: Its name.
        options: Its options.
        seed: Of the search.
    """

    def __init__(
        self, problem: Problem, sampler: str, options: Mapping[str, Any], seed: int
    ) -> None:
        self._storage = InMemoryStorage()
        directions = ["minimize"] * problem.n_objectives
        study = optuna.create_study(storage=self._storage, study_name="s", directions=directions)
        self._id = study._study_id
        self._asker = Asker(
            self._storage, self._id, "s", problem.space, sampler=sampler, options=options, seed=seed
        )

    def ask(self, spent: float) -> tuple[FrozenTrial, Mapping[str, Any]]:
        """A trial written down as running, and its configuration."""
        self._asker.spent = spent
        proposal, _ = self._asker.ask()
        for key, value in proposal.study_attrs.items():
            self._storage.set_study_system_attr(self._id, key, value)
        trial = create_trial(
            state=TrialState.RUNNING,
            params=dict(proposal.stored),
            distributions=dict(proposal.distributions),
            system_attrs=dict(proposal.system_attrs),
        )
        number = self._storage.create_new_trial(self._id, trial)
        return self._storage.get_trial(number), proposal.values

    def tell(self, trial: FrozenTrial, outcome: Outcome, *, fidelity: float | None = None) -> None:
        """Write down how it ended, and how far it got where that is known."""
        key, attrs = trial._trial_id, {"ended": outcome.ended, "cost_s": outcome.cost_s}
        if fidelity is not None:
            attrs["fidelity"] = fidelity
        for name, value in attrs.items():
            self._storage.set_trial_user_attr(key, name, value)
        for name, value in outcome.constraints.items():
            self._storage.set_trial_system_attr(key, f"constraints:{name}", value)
        self._storage.set_trial_state_values(key, TrialState.COMPLETE, outcome.values)


def search(problem: Problem, sampler: str, options: Mapping[str, Any], seed: int) -> Run:
    """Search until the simulated time is over; what then still runs is not counted."""
    searcher, run = Searcher(problem, sampler, options, seed), Run()
    heap: list[tuple[float, int, Any]] = []
    started = 0

    def start(now_s: float) -> None:
        nonlocal started
        before = time.process_time()
        trial, values = searcher.ask(now_s / problem.budget_s)
        run.ask_cpu_s += time.process_time() - before
        outcome = problem.evaluate(values)
        heapq.heappush(heap, (now_s + outcome.cost_s, started, (trial, outcome)))
        started += 1

    for _ in range(problem.workers):
        start(0.0)
    while heap and heap[0][0] <= problem.budget_s:
        now_s, _, (trial, outcome) = heapq.heappop(heap)
        before = time.process_time()
        searcher.tell(trial, outcome)
        run.ask_cpu_s += time.process_time() - before
        run.ended_s.append(now_s)
        run.values.append(list(outcome.values))
        run.feasible.append(all(c <= 0 for c in outcome.constraints.values()))
        start(now_s)
    return run


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, first and third quartile; NaN counts as worst."""
    filled = np.nan_to_num(np.array(values, dtype=float), nan=np.inf)
    with np.errstate(invalid="ignore"):  # between two that have nothing: nothing
        between = np.quantile(filled, [0.25, 0.5, 0.75])
    low, middle, high = np.nan_to_num(between, nan=np.inf, posinf=np.inf)
    return float(middle), float(low), float(high)
