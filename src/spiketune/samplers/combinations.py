"""Every combination of a finite space, in turn or by its number.

The parameters that decide whether others take part are gone through one by one; between them
lie blocks in which the same parameters take part, whose combinations are counted, not listed.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from spiketune.errors import ConfigError
from spiketune.space import Float, Parameter, Space


@dataclass(frozen=True, slots=True)
class Block:
    """Combinations in which the same parameters take part.

    Attributes:
        decided: Values of those that decide.
        free: Names of the others.
    """

    decided: Mapping[str, Any]
    free: tuple[str, ...]


@final
class Combinations:
    """All combinations of a space, in a fixed order.

    Args:
        space: The space.
        levels: Into how many values, both ends among them, a continuum is divided on its scale.

    Raises:
        ConfigError: If a parameter has no finite number of values, and there are no levels.
    """

    def __init__(self, space: Space, levels: int | None = None) -> None:
        self._values = {name: values_of(name, space[name], levels) for name in space}
        self._space = space
        self._deciders = {decider for name in space for decider in space.deciders(name)}
        names = [name for name in space.order if name in self._deciders]
        decisions = _chosen(space, self._values, {}, names)
        self._blocks = [self._block(decided) for decided in decisions]
        sizes = [math.prod(len(self._values[name]) for name in b.free) for b in self._blocks]
        self._ends = list(itertools.accumulate(sizes))

    def _block(self, decided: Mapping[str, Any]) -> Block:
        free = [n for n in self._space.order if n not in self._deciders]
        return Block(decided, tuple(n for n in free if self._space.is_active(n, decided)))

    @property
    def n(self) -> int:
        """How many there are, which may be more than `len` could say."""
        return self._ends[-1]

    def __getitem__(self, index: int) -> dict[str, Any]:
        which = bisect.bisect_right(self._ends, index)
        if index < 0 or which == len(self._blocks):
            raise IndexError(index)
        block = self._blocks[which]
        rest = index - (self._ends[which - 1] if which else 0)
        values = dict(block.decided)
        for name in reversed(block.free):
            rest, place = divmod(rest, len(self._values[name]))
            values[name] = self._values[name][place]
        return {name: values[name] for name in self._space.order if name in values}


def listed(space: Space, levels: int | None = None) -> Iterator[dict[str, Any]]:
    """Every combination in turn, the last parameter fastest.

    Parameters that are not active in a combination are left out of it.

    Raises:
        ConfigError: If a parameter has no finite number of values, and there are no levels.
    """
    values = {name: values_of(name, parameter, levels) for name, parameter in space.items()}
    return _chosen(space, values, {}, list(space.order))


def _chosen(
    space: Space, values: Mapping[str, Sequence[Any]], chosen: dict[str, Any], names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """What has been chosen, with every choice of the names that are still open."""
    if not names:
        yield chosen
    elif not space.is_active(names[0], chosen):
        yield from _chosen(space, values, chosen, names[1:])
    else:
        for value in values[names[0]]:
            yield from _chosen(space, values, {**chosen, names[0]: value}, names[1:])


def values_of(name: str, parameter: Parameter, levels: int | None) -> Sequence[Any]:
    """All values of a parameter, in order.

    Raises:
        ConfigError: If it is a continuum, and there are no levels.
    """
    if (n := parameter.n_values) is not None:
        return _Values(parameter, n)
    if levels is None:
        raise ConfigError(
            name,
            f"the grid sampler needs a finite range; give {Float.__name__} a `step`, "
            "or the sampler `levels`",
        )
    return [parameter.from_unit(i / (levels - 1)) for i in range(levels)]


@dataclass(frozen=True, slots=True)
class _Values(Sequence[Any]):
    """The values of a finite parameter, made as they are needed."""

    parameter: Parameter
    n: int

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self.n:
            raise IndexError(index)
        return self.parameter.value_at(index)
