"""What trials had where they came to a rung, as tables that grow with their reports.

n  trials that came by
m  objectives
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import numpy.typing as npt

from spiketune.fidelity.base import SIMILAR, Curve, Point

Array = npt.NDArray[np.float64]

_TABLES: Final = 256  # kept at once: more than any rule has rungs, fewer than there are seconds


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """The first report of each trial at some fidelity or beyond.

    Attributes:
        numbers: Of the trials, (n,).
        data: See `Curve.data`, (n,).
        violations: How far constraints are broken, infinite where a value is no number, (n,).
        gains: Larger is better, (n, m).
    """

    numbers: Array
    data: Array
    violations: Array
    gains: Array

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, mask: npt.NDArray[np.bool_]) -> Arrivals:
        """Some of them, (n,) to choose which."""
        return Arrivals(
            self.numbers[mask], self.data[mask], self.violations[mask], self.gains[mask]
        )

    @classmethod
    def of(cls, curves: Iterable[Curve]) -> Arrivals:
        """The last reports of trials, in their order."""
        table = Table(-math.inf, ())
        for curve in curves:
            table.add(curve, curve.last)
        return table.arrivals()

    def and_of(self, curve: Curve) -> Arrivals:
        """These and the last report of one more."""
        one = Arrivals.of([curve])
        if not len(self):
            return one
        return Arrivals(
            np.append(self.numbers, one.numbers),
            np.append(self.data, one.data),
            np.append(self.violations, one.violations),
            np.vstack([self.gains, one.gains]),
        )

    def like(self, data: float) -> Arrivals:
        """Those that saw a similar amount of data; see `Curve.is_similar`."""
        low, high = np.minimum(self.data, data), np.maximum(self.data, data)
        mask = high <= SIMILAR * low
        return self if mask.all() else self.where(mask)


def judged_violation(point: Point) -> float:
    """How far a report breaks constraints, infinite where a value is no number."""
    return point.violation if point.is_number else math.inf


@final
class Table:
    """Arrivals at a fidelity, to be added to."""

    def __init__(self, fidelity: float, curves: Iterable[Curve]) -> None:
        self._rows: Array = np.empty((0, 4))
        self._n = 0
        for curve in curves:
            point = curve.at(fidelity)
            if point is not None:
                self.add(curve, point)

    def add(self, curve: Curve, point: Point) -> None:
        """Take in a trial that came by."""
        row = (curve.number, curve.data, judged_violation(point), *point.gains)
        if self._n == len(self._rows):
            larger = np.empty((max(16, 2 * self._n), len(row)))
            if self._n:
                larger[: self._n] = self._rows
            self._rows = larger
        self._rows[self._n] = row
        self._n += 1

    def arrivals(self) -> Arrivals:
        """All so far."""
        rows = self._rows[: self._n]
        return Arrivals(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:])


@final
class Curves(Iterable[Curve]):
    """The learning curves of a study; iterated over are those that hold a report.

    A decision at a rung looks at all trials that came by. Their reports there never change, so
    they are kept in a table, which makes a decision one pass over an array.
    """

    def __init__(self) -> None:
        self._curves: dict[int, Curve] = {}
        self._tables: dict[float, Table] = {}  # the one asked for last comes last
        self._longest: float | None = None

    def __iter__(self) -> Iterator[Curve]:
        return (curve for curve in self._curves.values() if curve.points)

    def __getitem__(self, number: int) -> Curve:
        return self._curves[number]

    def begin(self, curve: Curve) -> None:
        """Take up a trial, unless it is known."""
        self._curves.setdefault(curve.number, curve)

    def add(self, number: int, fidelity: float, point: Point) -> bool:
        """Take in a report; see `Curve.add`."""
        curve = self._curves[number]
        before = curve.fidelity if curve.points else -math.inf
        if not curve.add(fidelity, point):
            return False
        for rung, table in self._tables.items():
            if before < rung <= fidelity:
                table.add(curve, point)
        return True

    def ended(self, number: int, *, finished: bool) -> None:
        """Note how a trial ended."""
        curve = self._curves.get(number)
        if curve is not None:
            curve.finished = finished
            if finished and curve.points:
                self._longest = max(self._longest or curve.fidelity, curve.fidelity)

    @property
    def longest(self) -> float:
        """The furthest report of a trial that finished; infinite before the first."""
        return math.inf if self._longest is None else self._longest

    def at(self, fidelity: float) -> Arrivals:
        """What all trials had that came to a fidelity."""
        table = self._tables.pop(fidelity, None) or Table(fidelity, self)
        self._tables[fidelity] = table
        if len(self._tables) > _TABLES:
            del self._tables[next(iter(self._tables))]
        return table.arrivals()


@final
@dataclass(frozen=True, slots=True)
class Others(Iterable[Curve]):
    """All curves but one."""

    curves: Curves
    number: int

    def __iter__(self) -> Iterator[Curve]:
        return (curve for curve in self.curves if curve.number != self.number)


def arrived(fidelity: float, curve: Curve, among: Iterable[Curve]) -> Arrivals:
    """What trials like one had where they came to a fidelity.

    Args:
        fidelity: A rung.
        curve: The one; only trials that saw a similar amount of data are compared with it.
        among: Any curves; quick for `Curves` and `Others`.
    """
    if isinstance(among, Curves):
        return among.at(fidelity).like(curve.data)
    if isinstance(among, Others):
        there = among.curves.at(fidelity)
        return there.where(there.numbers != among.number).like(curve.data)
    return Table(fidelity, among).arrivals().like(curve.data)
