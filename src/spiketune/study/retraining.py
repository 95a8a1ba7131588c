"""Chosen configurations trained again over seeds: the only way to figures on the test split."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spiketune.errors import SpiketuneError
from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message, Report, Result, from_json, to_json
from spiketune.seeding import child_seed
from spiketune.study.attempts import read_end

_FUNCTION: Final = "spiketune.objectives.retraining:retrain"
_POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration to train again.

    Attributes:
        label: Names it in messages and folders (`trial-00012`).
        section: Its trial section, every leaf fixed.
        values: The values it was resolved with; they name the sections that were chosen.
    """

    label: str
    section: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrained:
    """What one configuration reached over seeds.

    Attributes:
        label: Of the configuration.
        seeds: The seeds that came to an end.
        metrics: By metric, one value per seed.
        failures: Messages of the seeds that failed.
    """

    label: str
    seeds: tuple[int, ...]
    metrics: Mapping[str, tuple[float, ...]]
    failures: tuple[str, ...] = ()

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
    listen: Callable[[str, int, Message], None] = lambda label, seed, message: None,
) -> list[Retrained]:
    """Train every candidate with every seed; what an earlier call finished is not repeated.

    Args:
        candidates: What to train.
        plan: How.
        executor: Where; the caller closes it.
        listen: Told of every report and end.

    Raises:
        SpiketuneError: If every seed of a candidate failed.
    """
    n_seeds = plan.n_seeds
    queue = [
        _job(candidate, plan, i, k)
        for i, candidate in enumerate(candidates)
        for k in range(n_seeds)
    ]

    def tell(message: Message) -> None:
        i, k = divmod(message.number, n_seeds)
        listen(candidates[i].label, k, message)

    ends = run_jobs(queue, executor, tell)
    return [
        _gathered(c.label, plan.seeds, ends[i * n_seeds : (i + 1) * n_seeds])
        for i, c in enumerate(candidates)
    ]


def run_jobs(
    queue: Sequence[Job], executor: Executor, listen: Callable[[Message], None]
) -> list[Result | Failure]:
    """Run jobs to their ends; one whose folder holds its result already is not run again.

    Args:
        queue: The jobs, numbered from 0 as they stand here.
        executor: Where; the caller closes it.
        listen: Told of every report and end.
    """
    ends: dict[int, Result | Failure] = {}
    for job in queue:
        if _is_kept(job) and isinstance(end := read_end(Path(job.folder)), Result):
            ends[job.number] = end
    waiting = [job for job in queue if job.number not in ends]
    running: dict[int, Job] = {}
    while waiting or running:
        while waiting and executor.free_slots:
            job = waiting.pop(0)
            _clear(Path(job.folder))
            running[job.number] = job
            executor.submit(job)
        for message in executor.events(_POLL_S):
            listen(message)
            if not isinstance(message, Report):
                del running[message.number]
                ends[message.number] = message
                if isinstance(message, Result):
                    _keep(message, queue[message.number])
    return [ends[job.number] for job in queue]


def _job(candidate: Candidate, plan: Plan, i: int, k: int) -> Job:
    place = (plan.folder / candidate.label / f"seed-{k}").absolute()
    if "function" in candidate.section or "command" in candidate.section:
        section = candidate.section
        params = {**section.get("params", {}), **candidate.values}
        wanted = plan.objectives
    else:
        section = {"function": _FUNCTION}
        params = {"section": dict(candidate.section), "folder": str(place), "reason": plan.reason}
        wanted = ("test_accuracy",)
    return Job(
        study="retrain",
        number=i * plan.n_seeds + k,
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


def _clear(folder: Path) -> None:
    """Make a place that an interrupted call left behind free to be claimed again."""
    for name in ("lease.json", "result.json", "metrics.jsonl"):
        (folder / name).unlink(missing_ok=True)


def _is_kept(job: Job) -> bool:
    """Whether the folder holds this very training, not one of an edited configuration."""
    try:
        kept = from_json((Path(job.folder) / "job.json").read_bytes())
    except (OSError, ValueError):
        return False
    same = (job.section, job.params, job.seed, job.study_seed)
    return isinstance(kept, Job) and same == (kept.section, kept.params, kept.seed, kept.study_seed)


def _keep(result: Result, job: Job) -> None:
    """Write the training where `_is_kept` and `read_end` find it; a child has done so already."""
    folder = Path(job.folder)
    if not (folder / "result.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.json").write_text(to_json(job), encoding="utf-8")
        (folder / "result.json").write_text(to_json(result), encoding="utf-8")


def _gathered(label: str, seeds: Sequence[int], ends: Sequence[Result | Failure]) -> Retrained:
    done = [(seed, e) for seed, e in zip(seeds, ends, strict=True) if isinstance(e, Result)]
    failures = tuple(f"{e.kind}: {e.message}" for e in ends if isinstance(e, Failure))
    if not done:
        raise SpiketuneError(f"{label}: every seed failed; the first with {failures[0]}")
    names = [name for name in done[0][1].metrics if all(name in e.metrics for _, e in done)]
    metrics = {name: tuple(e.metrics[name] for _, e in done) for name in names}
    return Retrained(label, tuple(seed for seed, _ in done), metrics, failures)
