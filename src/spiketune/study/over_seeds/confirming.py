"""The best trained again over fresh seeds, on the validation data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from spiketune.config.loading import kind_of
from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message, Result
from spiketune.seeding import child_seed
from spiketune.space import Inequality
from spiketune.study.bounds import bounded, or_failure
from spiketune.study.over_seeds.confirmation import Confirmed
from spiketune.study.over_seeds.trainings import Candidate, Listen, train_over_seeds, unheard
from spiketune.study.records.results import TrialRow, front, knee, ranked


def worth_confirming(
    rows: Sequence[TrialRow],
    directions: Mapping[str, str],
    top: int,
    resolved: Callable[[TrialRow], Mapping[str, Any]],
) -> list[TrialRow]:
    """The trials to train again: the best by full fidelity, or the front.

    Of trials that would be the same once trained with the same seed, the first in that order. Of
    a front with more than `top` trials, its ends, its knee and trials evenly between.

    Args:
        rows: Trials of the study.
        directions: Its objectives.
        top: How many at most.
        resolved: The trial section with the values of a trial.
    """
    if len(directions) == 1:
        return list(islice(_without_copies(ranked(rows, directions), resolved), top))
    found = list(_without_copies(front(rows, directions), resolved))
    if len(found) <= top:
        return found
    middle = knee(found, directions)
    picked = {int(i) for i in np.linspace(0, len(found) - 1, top).round()}
    if middle is not None and found.index(middle) not in picked:
        nearest = min(picked, key=lambda i: abs(i - found.index(middle)))
        picked = picked - {nearest} | {found.index(middle)}
    return [found[i] for i in sorted(picked)]


def _without_copies(
    rows: Iterable[TrialRow], resolved: Callable[[TrialRow], Mapping[str, Any]]
) -> Iterator[TrialRow]:
    seen: set[str] = set()
    for row in rows:
        section = _without_seed(resolved(row))
        # All that a function or a program gets is its values; of a network, the section is all.
        told = section if kind_of(section) == "network" else row.params
        key = json.dumps(told, sort_keys=True, default=repr)
        if key not in seen:
            seen.add(key)
            yield row


def _without_seed(section: Mapping[str, Any]) -> Mapping[str, Any]:
    """The section without the seed that a network would be trained with instead of the job's."""
    if kind_of(section) != "network":
        return section
    return {key: value for key, value in section.items() if key != "seed"}


@dataclass(frozen=True, slots=True)
class ConfirmationPlan:
    """How to train again on the validation data.

    Attributes:
        n_seeds: Trainings of each candidate; the seeds are the same for all candidates.
        folder: Gets a folder per candidate and seed.
        study_seed: Of the study: splits, encodings, and the parent of the fresh seeds.
        base_folder: First on the import path of function objectives.
        objectives: Metrics that a training must return.
        constraints: Those of the study's file.
        threads: Intra-op threads of each training.
        time_limit_s: A training is ended after this.
    """

    n_seeds: int
    folder: Path
    study_seed: int
    base_folder: str
    objectives: tuple[str, ...]
    constraints: tuple[Inequality, ...] = ()
    threads: int = 1
    time_limit_s: float | None = None

    def place(self, label: str, k: int) -> Path:
        """Folder of the training of a candidate with its k-th seed."""
        return (self.folder / label / f"seed-{k}").absolute()

    def checkpoints(self, label: str, k: int) -> Path:
        """Folder of its checkpoints."""
        return self.place(label, k) / "checkpoints"

    def job(self, candidate: Candidate, k: int) -> Job:
        """The training of a candidate with its k-th seed."""
        return Job(
            study="confirm",
            number=k,
            attempt=1,
            section=_without_seed(candidate.section),
            params={**candidate.section.get("params", {}), **candidate.values},
            seed=child_seed(self.study_seed, "confirm", k),
            study_seed=self.study_seed,
            folder=str(self.place(candidate.label, k)),
            checkpoint_folder=str(self.checkpoints(candidate.label, k)),
            base_folder=self.base_folder,
            objectives=self.objectives,
            constraints=tuple(sorted({n for rule in self.constraints for n in rule.names})),
            time_limit_s=self.time_limit_s,
            threads=self.threads,
        )

    def gathered(self, number: int, ends: Sequence[Result | Failure]) -> Confirmed:
        """What the trainings of one candidate came to."""
        ends = [or_failure(end, self.constraints) for end in ends]
        done = [end for end in ends if isinstance(end, Result)]
        measured = [{**bounded(self.constraints, e.metrics), **e.constraints} for e in done]
        names = list(dict.fromkeys(n for m in measured for n in m))
        return Confirmed(
            number,
            {n: tuple(e.metrics[n] for e in done) for n in self.objectives} if done else {},
            {n: tuple(m[n] for m in measured if n in m) for n in names},
            tuple(f"{e.kind}: {e.message}" for e in ends if isinstance(e, Failure)),
        )


def confirm(
    candidates: Mapping[int, Candidate],
    plan: ConfirmationPlan,
    executor: Executor,
    listen: Listen = unheard,
) -> list[Confirmed]:
    """Train every candidate with every seed; what an earlier call finished is not repeated.

    Args:
        candidates: By trial number.
        plan: How.
        executor: Where; the caller closes it.
        listen: Told of label, seed and message, for every report and end.
    """

    def tell(label: str, k: int, message: Message) -> None:
        if isinstance(message, Result):
            shutil.rmtree(plan.checkpoints(label, k), ignore_errors=True)
        listen(label, k, message)

    chosen = list(candidates.values())
    ends = train_over_seeds(chosen, plan.n_seeds, plan.job, executor, tell)
    return [plan.gathered(number, e) for number, e in zip(candidates, ends, strict=True)]
