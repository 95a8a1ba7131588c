"""What the best reached over fresh seeds, and which of them is believed.

The best of many noisy validations is better than it will ever be again; a mean over fresh seeds
is not chosen by its luck.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from scipy.special import stdtrit

from spiketune.study.records.results import TrialRow, front, knee, ranked

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

    @property
    def seeds_in_words(self) -> str:
        """How many seeds came to an end: `5`, or `3 of 5`."""
        n = self.n_seeds
        return f"{n} of {n + len(self.failures)}" if self.failures else str(n)

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
        """Those that came to an end and meet the constraints on average, best mean first.

        Whatever lost seeds comes after all that lost none: its mean is of the seeds that went well.
        """
        found = self._those(ranked(self._rows(), self.directions))
        return sorted(found, key=lambda one: bool(one.failures))

    @property
    def front(self) -> list[Confirmed]:
        """Those whose means no other beats in every objective; see `ranking` for lost seeds."""
        return self._those(self._front_rows())

    @property
    def recommended(self) -> Confirmed | None:
        """The best mean; with several objectives, the knee of the front of means."""
        if len(self.directions) == 1:
            return next(iter(self.ranking), None)
        chosen = knee(self._front_rows(), self.directions)
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

    def _front_rows(self) -> list[TrialRow]:
        whole = {c.number for c in self.candidates if not c.failures}
        rows = self._rows()
        reliable = front([row for row in rows if row.number in whole], self.directions)
        return reliable or front(rows, self.directions)

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
    over = f"Confirmed over {chosen.seeds_in_words} seeds"
    words = f"{over}: trial {chosen.number} is recommended, {figures}."
    for lossy in (one for one in confirmation.candidates if one.failures):
        n = lossy.n_seeds + len(lossy.failures)
        words += f" {len(lossy.failures)} of {n} seeds of trial {lossy.number} failed."
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
