"""The simplex of Nelder and Mead, several of whose vertices may move at once.

d  axes that are numbers
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, final

import numpy as np

from spiketune.option_checks import check_number
from spiketune.samplers.arrays import Array
from spiketune.samplers.islands.genome import Genome
from spiketune.samplers.islands.individual import Individual, better, ranked
from spiketune.samplers.islands.propagator import Surroundings

Step: TypeAlias = Literal["start", "reflect", "expand", "outside", "inside", "shrink"]
_SMALLEST: Final = 1e-4  # diameter at which a new simplex is begun elsewhere
_PATIENCE: Final = 4  # asks for each vertex, after which a first trial counts as lost
_SCOUT: Final = 0.5  # standard deviation of a scout, in those of the vertices


@dataclass(frozen=True, slots=True)
class NelderMeadOptions:
    """Settings of the simplex; its defaults are Propulate's.

    Attributes:
        reflection: Length of a reflection, in distances from the centroid.
        expansion: Length of an expansion.
        contraction: Length of a contraction, outside or inside.
        shrinkage: Share of its distance from the best that a vertex keeps when all shrink.
        scale: Width of the first simplex, as a share of the range.
    """

    reflection: float = 1.0
    expansion: float = 2.0
    contraction: float = 0.5
    shrinkage: float = 0.5
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_number("reflection", self.reflection, 1e-6, 10.0)
        check_number("expansion", self.expansion, 1e-6, 10.0)
        if not self.expansion > self.reflection:
            raise ValueError(
                f"expansion must be larger than reflection, got {self.expansion:g} "
                f"and {self.reflection:g}"
            )
        for name in ("contraction", "shrinkage"):
            check_number(name, getattr(self, name), 1e-6, 0.999)
        check_number("scale", self.scale, 1e-3, 1.0)


@dataclass(frozen=True, slots=True)
class Vertex:
    """One vertex of the simplex.

    Attributes:
        held: The trial at it, None before the first.
        step: What it does next.
        reflected: The reflection that an expansion or a contraction goes on from.
        trial: Number of the trial that is its next place, None if it waits.
    """

    held: Individual | None = None
    step: Step = "start"
    reflected: Individual | None = None
    trial: int | None = None


@final
class NelderMead:
    """A simplex whose worst vertices move through the centroid of the others.

    Each ask moves the worst vertex that does not move yet, so as many workers as vertices are
    of use; further ones scout around the simplex, and what they or immigrants find replaces the
    worst vertex if it is better. Places outside the bounds are reflected. A simplex that has
    shrunk to a point is replaced by a new one. Choices are inherited from the island's members.

    Source: Nelder and Mead (1965), "A simplex method for function minimization"; Lee and
    Wiswall (2007), "A parallel implementation of the simplex function minimization routine".
    """

    def __init__(self, options: NelderMeadOptions) -> None:
        self._options = options
        self._vertices: list[Vertex] = []

    def propose(
        self, around: Surroundings, rng: np.random.Generator
    ) -> tuple[Array, dict[str, Any]]:
        """The next place of a vertex, or a scout."""
        genome = around.genome
        vertices = self._vertices or [Vertex()] * (len(genome.numbers) + 1)
        index = self._next(vertices, around.scales)
        row = genome.uniform(rng)
        if index is None:
            step, place = "scout", self._scout(vertices, genome, rng)
            if place is None:
                return row, {"step": "scout"}
        else:
            vertex = vertices[index]
            step = vertex.step
            if vertex.held is None:
                scale = self._options.scale
                row[genome.numbers] = 0.5 + scale * (row[genome.numbers] - 0.5)
                return row, {"vertex": index, "step": "start"}
            place = self._place(vertices, index, genome, around.scales)
        row[genome.numbers] = place
        row = genome.with_choices(genome.inside(row), around.members, rng)
        return row, {"step": step} if index is None else {"vertex": index, "step": step}

    def was_asked(self, number: int, tag: Mapping[str, Any]) -> None:
        """A vertex is on its way."""
        index = tag.get("vertex")
        if isinstance(index, int) and index < len(self._vertices):
            self._vertices[index] = replace(self._vertices[index], trial=number)
        elif isinstance(index, int):  # before the first one ended
            self._vertices += [Vertex()] * (index + 1 - len(self._vertices))
            self._vertices[index] = Vertex(trial=number)

    def told(self, member: Individual, around: Surroundings) -> None:
        """Decide what a vertex does next; or take in a scout or an immigrant."""
        d = len(around.genome.numbers)
        self._vertices += [Vertex()] * max(0, d + 1 - len(self._vertices))
        index = member.tag.get("vertex")
        vertex = self._vertices[index] if isinstance(index, int) and 0 <= index <= d else None
        if vertex is not None and vertex.trial == member.number:
            self._arrive(int(index or 0), member, around)
        else:
            self._take_in(member, around)
        self._begin_anew_if_small(around.genome)

    # Where to.

    def _next(self, vertices: list[Vertex], scales: Mapping[str, float]) -> int | None:
        """The vertex to move: one in the middle of something, or the worst one that waits."""
        waiting = [i for i, v in enumerate(vertices) if v.trial is None]
        for i in waiting:
            if vertices[i].step != "reflect":
                return i
        if any(v.held is None for v in vertices):
            return None
        order = ranked([v.held for v in vertices if v.held is not None], scales)
        place = {member.number: k for k, member in enumerate(order)}
        candidates = [i for i in waiting if place[_number(vertices[i])] > 0]
        return max(candidates, key=lambda i: place[_number(vertices[i])], default=None)

    def _place(
        self, vertices: list[Vertex], index: int, genome: Genome, scales: Mapping[str, float]
    ) -> Array:
        """Where a vertex goes next, (d,); bounds are not looked at."""
        options, vertex = self._options, vertices[index]
        here = _at(vertex, genome)
        others = [v for i, v in enumerate(vertices) if i != index and v.held is not None]
        if not others:
            return here
        if vertex.step == "shrink":
            held = [v.held for v in vertices if v.held is not None]
            best = genome.numbers_of(ranked(held, scales)[0].row)
            return best + options.shrinkage * (here - best)
        centroid = np.mean([_at(v, genome) for v in others], axis=0)
        out = centroid - here
        match vertex.step:
            case "expand":
                return np.asarray(centroid + options.expansion * out)
            case "outside":
                return np.asarray(centroid + options.contraction * options.reflection * out)
            case "inside":
                return np.asarray(centroid - options.contraction * out)
        return np.asarray(centroid + options.reflection * out)

    def _scout(
        self, vertices: list[Vertex], genome: Genome, rng: np.random.Generator
    ) -> Array | None:
        rows = [_at(v, genome) for v in vertices if v.held is not None]
        if len(rows) < 2:
            return None
        spread = _SCOUT * np.std(rows, axis=0)
        return np.asarray(np.mean(rows, axis=0) + spread * rng.standard_normal(len(spread)))

    # What came of it.

    def _arrive(self, index: int, member: Individual, around: Surroundings) -> None:
        vertex, scales = self._vertices[index], around.scales
        held, reflected = vertex.held, vertex.reflected
        if held is None or vertex.step in ("start", "shrink"):
            self._vertices[index] = Vertex(member, "reflect")
        elif vertex.step == "reflect":
            self._vertices[index] = self._after_reflection(index, held, member, scales)
        elif vertex.step == "expand" and reflected is not None:
            best = member if better(member, reflected, scales) else reflected
            self._vertices[index] = Vertex(best, "reflect")
        else:  # a contraction
            least = reflected if vertex.step == "outside" and reflected is not None else held
            if better(member, least, scales):
                self._vertices[index] = Vertex(member, "reflect")
            else:
                self._shrink(index, scales)

    def _after_reflection(
        self, index: int, held: Individual, member: Individual, scales: Mapping[str, float]
    ) -> Vertex:
        others = [v.held for i, v in enumerate(self._vertices) if i != index and v.held is not None]
        order = ranked(others, scales)
        if not order or better(member, order[0], scales):
            return Vertex(held, "expand", member)
        if better(member, order[-1], scales):
            return Vertex(member, "reflect")
        if better(member, held, scales):
            return Vertex(held, "outside", member)
        return Vertex(held, "inside")

    def _shrink(self, index: int, scales: Mapping[str, float]) -> None:
        """All vertices that wait go towards the best; those on their way decide when back."""
        self._vertices[index] = Vertex(self._vertices[index].held, "shrink")
        held = [v.held for v in self._vertices if v.held is not None]
        best = ranked(held, scales)[0]
        for i, vertex in enumerate(self._vertices):
            if vertex.held is best:
                if i == index:  # the best one contracted in vain: it stays
                    self._vertices[i] = Vertex(best, "reflect")
            elif vertex.trial is None and vertex.held is not None:
                self._vertices[i] = Vertex(vertex.held, "shrink")

    def _take_in(self, member: Individual, around: Surroundings) -> None:
        """Let what is better than the worst waiting vertex take its place.

        A vertex whose first trial has not come back by then may never hear of it.
        """
        numbers = {v.held.number for v in self._vertices if v.held is not None}
        late = next((i for i, v in enumerate(self._vertices) if self._is_late(v, member)), None)
        if late is not None and member.number not in numbers:
            self._vertices[late] = Vertex(member, "reflect")
            return
        waiting = [
            (i, v.held)
            for i, v in enumerate(self._vertices)
            if v.held is not None and v.trial is None and v.step == "reflect"
        ]
        if not waiting or member.number in numbers:
            return
        order = ranked([held for _, held in waiting], around.scales)
        if better(member, order[-1], around.scales):
            index = next(i for i, held in waiting if held is order[-1])
            self._vertices[index] = Vertex(member, "reflect")

    def _is_late(self, vertex: Vertex, member: Individual) -> bool:
        patience = _PATIENCE * len(self._vertices)
        return (
            vertex.held is None
            and vertex.trial is not None
            and member.number > vertex.trial + patience
        )

    def _begin_anew_if_small(self, genome: Genome) -> None:
        if any(v.held is None for v in self._vertices):
            return
        rows = np.array([_at(v, genome) for v in self._vertices])
        if np.ptp(rows, axis=0).max() < _SMALLEST:
            self._vertices = [Vertex() for _ in self._vertices]


def _at(vertex: Vertex, genome: Genome) -> Array:
    """Place of a vertex on the axes that are numbers, (d,)."""
    if vertex.held is None:
        raise RuntimeError("a vertex without a trial has no place")
    return genome.numbers_of(vertex.held.row)


def _number(vertex: Vertex) -> int:
    return -1 if vertex.held is None else vertex.held.number
