"""Chosen configurations trained again over seeds: the only way to figures on the test split."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spiketune.errors import SpiketuneError
from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Result
from spiketune.seeding import child_seed
from spiketune.study.over_seeds.packs import ALONE
from spiketune.study.over_seeds.trainings import Candidate, Listen, train_over_seeds, unheard


@dataclass(frozen=True, slots=True)
class Retrained:
    """What one configuration reached over seeds.

    Attributes:
        label: Of the configuration.
        seeds: The seeds that came to an end.
        metrics: By metric, one value per seed that came to an end; empty where none did.
        failures: Messages of the seeds that failed.
    """

    label: str
    seeds: tuple[int, ...]
    metrics: Mapping[str, tuple[float, ...]]
    failures: tuple[str, ...] = ()

    @property
    def seeds_in_words(self) -> str:
        """How many seeds came to an end: `5`, or `3 of 5`."""
        n = len(self.seeds)
        return f"{n} of {n + len(self.failures)}" if self.failures else str(n)

    @property
    def loss_in_words(self) -> str:
        """Why there are no figures, where every seed failed; else empty."""
        if self.seeds:
            return ""
        return f"{self.label}: every seed failed; the first with {self.failures[0]}"

    def mean(self, metric: str) -> float:
        """Mean over seeds."""
        return statistics.fmean(self.metrics[metric])

    def std(self, metric: str) -> float:
        """Sample standard deviation over seeds; 0 for a single one."""
        values = self.metrics[metric]
        return statistics.stdev(values) if len(values) > 1 else 0.0

    def sem(self, metric: str) -> float:
        """Standard error of the mean."""
        return self.std(metric) / math.sqrt(len(self.metrics[metric]))

    def as_record(self) -> dict[str, Any]:
        """The figures for the journal: JSON-able."""
        return {
            "label": self.label,
            "seeds": list(self.seeds),
            "metrics": {name: list(values) for name, values in self.metrics.items()},
            "failures": list(self.failures),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train again.

    Attributes:
        n_seeds: Trainings of each candidate.
        folder: Gets a folder per candidate and seed, with weights and predictions.
        study_seed: Of the study: splits, encodings, and the parent of the fresh seeds.
        reason: Goes into the record of the opened test split.
        base_folder: First on the import path of function objectives.
        threads: Intra-op threads of each training.
        objectives: What a function objective must return.
    """

    n_seeds: int
    folder: Path
    study_seed: int
    reason: str
    base_folder: str
    threads: int = 1
    objectives: tuple[str, ...] = ()

    @property
    def seeds(self) -> list[int]:
        """The fresh seeds."""
        return [child_seed(self.study_seed, "retrain", k) for k in range(self.n_seeds)]


def retrain(
    candidates: Sequence[Candidate],
    plan: Plan,
    executor: Executor,
    listen: Listen = unheard,
) -> list[Retrained]:
    """Train every candidate with every seed; what an earlier call finished is not repeated.

    Args:
        candidates: What to train.
        plan: How.
        executor: Where; the caller closes it.
        listen: Told of every report and end.
    """
    ends = train_over_seeds(candidates, plan.n_seeds, partial(_job, plan), executor, listen)
    return [_gathered(c.label, plan.seeds, e) for c, e in zip(candidates, ends, strict=True)]


def refuse_if_all_failed(found: Sequence[Retrained]) -> None:
    """Tell that nothing came of any configuration.

    Raises:
        SpiketuneError: If every seed of each failed.
    """
    if not any(one.seeds for one in found):
        raise SpiketuneError("; ".join(one.loss_in_words for one in found))


def _job(plan: Plan, candidate: Candidate, k: int) -> Job:
    place = (plan.folder / candidate.label / f"seed-{k}").absolute()
    if "function" in candidate.section or "command" in candidate.section:
        section = candidate.section
        params = {**section.get("params", {}), **candidate.values}
        wanted = plan.objectives
    else:
        section = {"function": ALONE}
        params = {"section": dict(candidate.section), "folder": str(place), "reason": plan.reason}
        wanted = ("test_accuracy",)
    return Job(
        study="retrain",
        number=k,
        attempt=1,
        section=section,
        params=params,
        seed=plan.seeds[k],
        study_seed=plan.study_seed,
        folder=str(place),
        checkpoint_folder=str(place / "checkpoints"),
        base_folder=plan.base_folder,
        objectives=wanted,
        threads=plan.threads,
    )


def _gathered(label: str, seeds: Sequence[int], ends: Sequence[Result | Failure]) -> Retrained:
    done = [(seed, e) for seed, e in zip(seeds, ends, strict=True) if isinstance(e, Result)]
    failures = tuple(f"{e.kind}: {e.message}" for e in ends if isinstance(e, Failure))
    first = done[0][1].metrics if done else ()
    names = [name for name in first if all(name in e.metrics for _, e in done)]
    metrics = {name: tuple(e.metrics[name] for _, e in done) for name in names}
    return Retrained(label, tuple(seed for seed, _ in done), metrics, failures)
