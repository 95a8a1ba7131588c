"""What a user may set, read from the study section."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from spiketune.errors import ConfigError, UnknownNameError
from spiketune.option_checks import check_count
from spiketune.samplers.islands.cma_es import CmaEs, CmaEsOptions
from spiketune.samplers.islands.evolution import Evolution, EvolutionOptions
from spiketune.samplers.islands.making import PATH, make
from spiketune.samplers.islands.migration import MigrationOptions
from spiketune.samplers.islands.nelder_mead import NelderMead, NelderMeadOptions
from spiketune.samplers.islands.parts import PARTS, Part, Select
from spiketune.samplers.islands.propagator import Propagator
from spiketune.samplers.islands.pso import PsoOptions, Swarm

MakePropagator: TypeAlias = Callable[[], Propagator]
PROPAGATORS: Final = ("default", "pso", "cma-es", "nelder-mead")
POPULATION: Final = 8


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of the search.

    Attributes:
        make: Makes the propagator of each island; islands beyond the last take turns.
        n_islands: How many islands there are.
        population: Members of a full island.
        migration: How islands exchange members.
        matrix: Migrants from each island to each other.
        pollination: Whether migrants stay at home as well.
    """

    make: tuple[MakePropagator, ...]
    n_islands: int
    population: int
    migration: MigrationOptions
    matrix: tuple[tuple[int, ...], ...]
    pollination: bool

    def propagator(self, island: int, *, has_numbers: bool) -> Propagator:
        """The propagator of an island."""
        if not has_numbers:
            return Evolution(EvolutionOptions().parts())
        return self.make[island % len(self.make)]()


def read(
    propagator: object,
    islands: object,
    population: object,
    migration: object,
    pollination: object,
) -> Options:
    """The options as the study section has them.

    Raises:
        ConfigError: Naming the option, with the near match or the rule.
    """
    try:
        if not isinstance(islands, list | tuple):
            check_count("islands", islands)
        check_count("population", population, least=2)
    except ValueError as error:
        raise ConfigError(PATH, str(error)) from error
    if not isinstance(pollination, bool):
        path = f"{PATH}.pollination"
        raise ConfigError(path, f"must be true or false, got {pollination!r}")
    if isinstance(islands, list | tuple):
        if not islands:
            raise ConfigError(f"{PATH}.islands", "needs at least one propagator, got none")
        makers = tuple(_maker(one, f"{PATH}.islands[{i}]") for i, one in enumerate(islands))
        n_islands = len(makers)
    else:
        makers, n_islands = (_maker(propagator, f"{PATH}.propagator"),), int(str(islands))
    path = f"{PATH}.migration"
    if migration is not None and not isinstance(migration, Mapping):
        raise ConfigError(path, f"takes a mapping such as {{probability: 0.9}}, got {migration!r}")
    ways = make(MigrationOptions, migration or {}, path)
    try:
        matrix = ways.matrix(n_islands)
    except ValueError as error:
        raise ConfigError(path, str(error)) from error
    return Options(makers, n_islands, int(str(population)), ways, matrix, pollination)


def _maker(given: object, path: str) -> MakePropagator:
    """What makes a propagator: of a name, a name with options, or a list of parts."""
    if isinstance(given, list | tuple):
        parts = _parts(given, path)
        return lambda: Evolution(parts)
    options: dict[str, Any] = {}
    name = given
    if isinstance(given, Mapping):
        options = {str(key): value for key, value in given.items()}
        name = options.pop("name", None)
    match name:
        case "default":
            composed = make(EvolutionOptions, options, path).parts()
            return lambda: Evolution(composed)
        case "pso":
            swarm = make(PsoOptions, options, path)
            return lambda: Swarm(swarm)
        case "cma-es":
            gaussian = make(CmaEsOptions, options, path)
            return lambda: CmaEs(gaussian)
        case "nelder-mead":
            simplex = make(NelderMeadOptions, options, path)
            return lambda: NelderMead(simplex)
    raise ConfigError(path, str(UnknownNameError("propagator", name, PROPAGATORS)))


def _parts(given: Sequence[object], path: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    for i, one in enumerate(given):
        place = f"{path}[{i}]"
        if not isinstance(one, Mapping):
            raise ConfigError(place, f"a part is a mapping such as {{select: best}}, got {one!r}")
        kinds = [key for key in one if key in PARTS]
        if len(kinds) != 1:
            name = next(iter(one), None)
            problem = str(UnknownNameError("part", name, PARTS))
            raise ConfigError(place, problem if not kinds else "one part has one kind, got several")
        parts.append(make(PARTS[kinds[0]], {str(k): v for k, v in one.items()}, place))
    if not parts or not isinstance(parts[0], Select):
        raise ConfigError(path, "the first part selects parents, such as {select: best}")
    return tuple(parts)
