"""The best trained again on the validation data over fresh seeds: which of them is believed.

The best of many noisy validations is better than it will ever be again; a mean over fresh seeds
is not chosen by its luck.
"""

from __future__ import annotations

import math
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.special import stdtrit

from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message, Result
from spiketune.seeding import child_seed
from spiketune.study.over_seeds import Candidate, Listen, train_over_seeds, unheard
from spiketune.study.results import TrialRow, front, knee, ranked

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What one configuration reached on the validation data over fresh seeds.

    Attributes:
        number: Trial number.
        objectives: By objective, one value per seed that came to an end.
        constraints: By constraint, the same.
        failures: Messages of the seeds that failed.
    """

    number: int
    objectives: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    constraints: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    @property
    def n_seeds(self) -> int:
        """Seeds that came to an end."""
        return len(next(iter(self.objectives.values()), ()))

    def mean(self, objective: str) -> float:
        """Mean over seeds."""
        return statistics.fmean(self.objectives[objective])

    def interval(self, objective: str) -> tuple[float, float]:
        """Student's t interval of the mean; unbounded for a single seed."""
        return t_interval(self.objectives[objective])

    def as_row(self) -> TrialRow:
        """The means, as a trial that front and ranking understand."""
        constraints = {name: statistics.fmean(values) for name, values in self.constraints.items()}
        means = {name: self.mean(name) for name in self.objectives}
        return TrialRow(self.number, "finished", {}, objectives=means, constraints=constraints)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The best of a study, each over fresh seeds.

    Attributes:
        directions: `minimize` or `maximize` by objective.
        candidates: What was trained again, as the search ranked it.
        when: Time of day and date, ISO 8601.
    """

    directions: Mapping[str, str]
    candidates: tuple[Confirmed, ...]
    when: str = ""

    @property
    def ranking(self) -> list[Confirmed]:
        """Those that came to an end and meet the constraints on average, best mean first."""
        return self._those(ranked(self._rows(), self.directions))

    @property
    def front(self) -> list[Confirmed]:
        """Those whose means no other beats in every objective."""
        return self._those(front(self._rows(), self.directions))

    @property
    def recommended(self) -> Confirmed | None:
        """The best mean; with several objectives, the knee of the front of means."""
        if len(self.directions) == 1:
            return next(iter(self.ranking), None)
        chosen = knee(front(self._rows(), self.directions), self.directions)
        return self._those([chosen])[0] if chosen is not None else None

    def of(self, number: int) -> Confirmed | None:
        """What became of one trial, if it was among them."""
        return next((c for c in self.candidates if c.number == number), None)

    def as_record(self) -> dict[str, Any]:
        """For the journal: JSON-able."""
        recommended = self.recommended
        return {
            "when": self.when,
            "recommended": recommended.number if recommended else None,
            "candidates": [
                {
                    "number": c.number,
                    "objectives": {name: list(values) for name, values in c.objectives.items()},
                    "constraints": {name: list(values) for name, values in c.constraints.items()},
                    "failures": list(c.failures),
                }
                for c in self.candidates
            ],
        }

    def _rows(self) -> list[TrialRow]:
        return [c.as_row() for c in self.candidates if c.n_seeds]

    def _those(self, rows: Sequence[TrialRow]) -> list[Confirmed]:
        by_number = {c.number: c for c in self.candidates}
        return [by_number[row.number] for row in rows]


def from_record(record: Mapping[str, Any], directions: Mapping[str, str]) -> Confirmation:
    """The confirmation that `as_record` described."""
    candidates = tuple(
        Confirmed(
            c["number"],
            {name: tuple(values) for name, values in c["objectives"].items()},
            {name: tuple(values) for name, values in c["constraints"].items()},
            tuple(c["failures"]),
        )
        for c in record["candidates"]
    )
    return Confirmation(directions, candidates, record.get("when", ""))


def t_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Student's t interval of a mean: mean ± t_{n-1} s / sqrt(n).

    Args:
        values: n independent values.
        confidence: Share of such intervals that hold the true mean.

    Returns:
        Lower and upper end; unbounded for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return -math.inf, math.inf
    middle, spread = statistics.fmean(values), statistics.stdev(values)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * spread / math.sqrt(n)
    return middle - half, middle + half


def worth_confirming(
    rows: Sequence[TrialRow], directions: Mapping[str, str], top: int
) -> list[TrialRow]:
    """The trials to train again: the best by full fidelity, or the front.

    Of a front with more than `top` trials, its ends, its knee and trials evenly between.
    """
    if len(directions) == 1:
        return ranked(rows, directions)[:top]
    found = front(rows, directions)
    if len(found) <= top:
        return found
    middle = knee(found, directions)
    picked = {int(i) for i in np.linspace(0, len(found) - 1, top).round()}
    if middle is not None and found.index(middle) not in picked:
        nearest = min(picked, key=lambda i: abs(i - found.index(middle)))
        picked = picked - {nearest} | {found.index(middle)}
    return [found[i] for i in sorted(picked)]


@dataclass(frozen=True, slots=True)
class ConfirmationPlan:
    """How to train again on the validation data.

    Attributes:
        n_seeds: Trainings of each candidate; the seeds are the same for all candidates.
        folder: Gets a folder per candidate and seed.
        study_seed: Of the study: splits, encodings, and the parent of the fresh seeds.
        base_folder: First on the import path of function objectives.
        objectives: Metrics that a training must return.
        constraints: Functions of the metrics by name, met when <= 0.
        needed: Metrics that these are made of.
        threads: Intra-op threads of each training.
        time_limit_s: A training is ended after this.
    """

    n_seeds: int
    folder: Path
    study_seed: int
    base_folder: str
    objectives: tuple[str, ...]
    constraints: Mapping[str, Callable[[Mapping[str, float]], float]] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
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
            section=candidate.section,
            params={**candidate.section.get("params", {}), **candidate.values},
            seed=child_seed(self.study_seed, "confirm", k),
            study_seed=self.study_seed,
            folder=str(self.place(candidate.label, k)),
            checkpoint_folder=str(self.checkpoints(candidate.label, k)),
            base_folder=self.base_folder,
            objectives=self.objectives,
            constraints=self.needed,
            time_limit_s=self.time_limit_s,
            threads=self.threads,
        )

    def gathered(self, number: int, ends: Sequence[Result | Failure]) -> Confirmed:
        """What the trainings of one candidate came to."""
        done = [end for end in ends if isinstance(end, Result)]
        measured = [
            {**{name: rule(e.metrics) for name, rule in self.constraints.items()}, **e.constraints}
            for e in done
        ]
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


def in_words(
    confirmation: Confirmation | None, rows: Sequence[TrialRow], best: TrialRow | None, path: str
) -> str:
    """Whether the answer of a study was confirmed, in a sentence; empty without an answer.

    Args:
        confirmation: The latest, if any.
        rows: The trials of the study.
        best: The study's answer: its best trial, or the knee of its front.
        path: Folder of the study, for the command to call.
    """
    if best is None:
        return ""
    if confirmation is None:
        return (
            "Not confirmed: these values chose their trial, so they flatter it; "
            f"`spiketune confirm {path}` trains the best again over fresh seeds."
        )
    chosen = confirmation.recommended
    if chosen is None:
        return (
            f"Not confirmed: of {len(confirmation.candidates)} trials trained again none came to "
            "an end that meets the constraints."
        )
    found = next((row for row in rows if row.number == chosen.number), None)
    figures = ", ".join(_figure(chosen, name, found) for name in confirmation.directions)
    words = (
        f"Confirmed over {chosen.n_seeds} seeds: trial {chosen.number} is recommended, {figures}."
    )
    if confirmation.of(best.number) is None:
        words += (
            f" Trial {best.number}, better in the search, is not confirmed: "
            f"`spiketune confirm {path}`."
        )
    return words


def _figure(confirmed: Confirmed, name: str, found: TrialRow | None) -> str:
    low, high = confirmed.interval(name)
    searched = f"; {found.objectives[name]:.4g} in the search" if found is not None else ""
    between = f"{low:.4g} to {high:.4g}" if math.isfinite(low) else "one seed tells no interval"
    return f"{name} {confirmed.mean(name):.4g} ({between}{searched})"
