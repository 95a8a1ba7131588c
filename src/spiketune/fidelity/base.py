"""What a rule sees of trials, and the one question it answers.

m  objectives
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

SIMILAR: Final = 2.0  # largest ratio of data per epoch at which two trials are compared


@dataclass(frozen=True, slots=True)
class Point:
    """One report of a trial.

    Attributes:
        gains: Objective values, signed so that larger is better, (m,).
        violation: How far constraints are broken; 0 if all are met, infinite if unknown.
    """

    gains: tuple[float, ...]
    violation: float = 0.0

    @property
    def is_number(self) -> bool:
        """Whether every objective and the violation have finite values."""
        return math.isfinite(self.violation) and all(map(math.isfinite, self.gains))


@dataclass(slots=True)
class Curve:
    """The reports of a trial, in the order of their fidelity.

    Attributes:
        number: The trial.
        maximum: Its own full fidelity; infinite if unknown.
        data: Data that one unit of fidelity sees (share of the samples times time steps).
        finished: Whether it ended by itself at full fidelity.
        points: By fidelity, ascending.
    """

    number: int
    maximum: float = math.inf
    data: float = 1.0
    finished: bool = False
    points: dict[float, Point] = field(default_factory=dict)

    def add(self, fidelity: float, point: Point) -> bool:
        """Take in a report; false if it is no further than what is known already."""
        if self.points and fidelity <= self.fidelity:
            return False
        self.points[fidelity] = point
        return True

    @property
    def fidelity(self) -> float:
        """The furthest report, 0 before the first."""
        return next(reversed(self.points), 0.0)

    @property
    def previous(self) -> float:
        """The report before the furthest, 0 if there is none."""
        before = reversed(self.points)
        next(before, None)
        return next(before, 0.0)

    @property
    def last(self) -> Point:
        """The furthest report."""
        return self.points[self.fidelity]

    def at(self, fidelity: float) -> Point | None:
        """The first report at this fidelity or beyond; None if it did not get there."""
        return next((point for f, point in self.points.items() if f >= fidelity), None)

    def is_similar(self, other: Curve) -> bool:
        """Whether the other one saw a similar amount of data by the same fidelity."""
        low, high = sorted((self.data, other.data))
        return high <= SIMILAR * low


class FidelityRule(ABC):
    """Decides at each report whether a trial goes on. Rules hold no state: they see all reports.

    A decision made again after an interruption is thus the same.
    """

    @abstractmethod
    def decide(self, curve: Curve, others: Iterable[Curve]) -> str | None:
        """Why the trial stops now, or None if it goes on.

        Asked after each report, before the trial's own maximum.

        Args:
            curve: The trial; its last point is the report just made.
            others: All other trials of the study that reported, ended or not.
        """


class PausingRule(FidelityRule):
    """Its trials do not end where it stops them: they wait there, and the best go on later."""

    @abstractmethod
    def promote(
        self, paused: Collection[int], curves: Iterable[Curve], *, last: bool
    ) -> int | None:
        """The paused trial that a free worker goes on with; None if there is none yet.

        Asked whenever a worker is free, before a new trial begins.

        Args:
            paused: Numbers of the trials that wait.
            curves: All trials of the study that reported, those among them.
            last: Whether no trial runs and none will begin, so that nothing is worth waiting for.
        """
