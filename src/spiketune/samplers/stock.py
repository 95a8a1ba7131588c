"""Samplers by name."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from spiketune.errors import ConfigError, UnknownNameError
from spiketune.samplers.cascbo.sampler import CascboSampler
from spiketune.samplers.cmaes import needed_trials
from spiketune.samplers.grid import GridSampler
from spiketune.samplers.islands.sampler import IslandsSampler
from spiketune.space import Choice, Space

_OURS: Final = frozenset(  # not for the user
    {"seed", "self", "constraints_func", "search_space", "independent_sampler"}
)


@dataclass(frozen=True, slots=True)
class Stock:
    """A sampler that can be had by name.

    Attributes:
        make: Its class.
        blind: Whether it ignores constraints.
        learns: Whether it looks at results at all; one that does not sees them as they are.
        several: Whether it takes more than one objective.
        one_seed: Whether its seed belongs to the study, not to the single ask (sequences).
        finite: Whether it goes through a list, from which trials enqueued by hand take nothing.
        kept: Whether one sampler serves all asks (see `asker.Prepared`): it caches what it could
            compute again from the trials, and sees failures as they are.
        needed: Which trials it looks at, given all and its options, if that is not all.
        defaults: Options that differ from Optuna's defaults.
    """

    make: Callable[..., BaseSampler]
    blind: bool = False
    learns: bool = True
    several: bool = True
    one_seed: bool = False
    finite: bool = False
    kept: bool = False
    needed: Callable[[Sequence[FrozenTrial], Mapping[str, Any]], Sequence[FrozenTrial]] | None = (
        None
    )
    defaults: Mapping[str, Any] | None = None


SAMPLERS: Final[Mapping[str, Stock]] = {
    "tpe": Stock(optuna.samplers.TPESampler, defaults={"multivariate": True}),
    "random": Stock(optuna.samplers.RandomSampler, learns=False),
    "gp": Stock(optuna.samplers.GPSampler),
    "nsga2": Stock(optuna.samplers.NSGAIISampler),
    "nsga3": Stock(optuna.samplers.NSGAIIISampler),
    "cmaes": Stock(
        optuna.samplers.CmaEsSampler,
        blind=True,
        several=False,
        needed=needed_trials,
        defaults={"warn_independent_sampling": False},
    ),
    "qmc": Stock(
        optuna.samplers.QMCSampler,
        learns=False,
        one_seed=True,
        defaults={"warn_independent_sampling": False, "scramble": True},
    ),
    "cascbo": Stock(CascboSampler, kept=True),
    "scbo": Stock(CascboSampler, kept=True, defaults={"cost_aware": False}),
    "turbo": Stock(CascboSampler, kept=True, defaults={"cost_aware": False, "constraints": False}),
    "islands": Stock(IslandsSampler, kept=True),
    "grid": Stock(GridSampler, one_seed=True, finite=True, kept=True),
    "random-from-grid": Stock(
        GridSampler, one_seed=True, finite=True, kept=True, defaults={"order": "random"}
    ),
}


def get_stock(name: str) -> Stock:
    """The sampler registered under a name.

    Raises:
        UnknownNameError: If there is none.
    """
    if name not in SAMPLERS:
        raise UnknownNameError("sampler", name, {*SAMPLERS, "auto"})
    return SAMPLERS[name]


def takes_option(name: str, option: str) -> bool:
    """Whether a sampler has an option of that name."""
    return option in inspect.signature(get_stock(name).make).parameters


def check_sampler(name: str, options: Mapping[str, Any], n_objectives: int, space: Space) -> None:
    """Refuse a sampler that does not exist, or cannot do what is asked of it.

    Raises:
        InputError: Naming the option or the limit.
    """
    stock = get_stock(name)
    known = sorted(set(inspect.signature(stock.make).parameters) - _OURS - {"space"})
    for option in options:
        if option not in known:
            message = str(UnknownNameError("option", option, known))
            raise ConfigError(f"study.sampler.{option}", f"{message} (sampler '{name}')")
    if n_objectives > 1 and not stock.several:
        raise ConfigError(
            "study.sampler.name", f"'{name}' takes one objective, got {n_objectives}; try 'nsga2'"
        )
    numeric = [n for n, p in space.items() if not isinstance(p, Choice) and p.n_values != 1]
    if name == "cmaes" and sum(not space.is_conditional(n) for n in numeric) < 2:
        raise ConfigError(
            "study.sampler.name",
            "'cmaes' needs at least two numeric parameters of more than one value that are always "
            "active; try 'tpe' or 'cascbo'",
        )
    build(name, options, 0, space)


def build(
    name: str,
    options: Mapping[str, Any],
    seed: int,
    space: Space,
    *,
    independent_seed: int | None = None,
) -> BaseSampler:
    """A fresh sampler.

    Args:
        name: Its registered name.
        options: Arguments of its class.
        seed: Of its random numbers.
        space: The search space.
        independent_seed: Of the values that a sequence leaves to chance (those of conditional
            parameters); with the sequence's own seed they would be the same in every trial.

    Raises:
        ConfigError: If an option's value is refused.
    """
    stock = get_stock(name)
    arguments = {**(stock.defaults or {}), **options}
    accepted = inspect.signature(stock.make).parameters
    if "seed" in accepted:
        arguments["seed"] = seed
    if independent_seed is not None and "independent_sampler" in accepted:
        arguments["independent_sampler"] = optuna.samplers.RandomSampler(independent_seed)
    if "space" in accepted:
        arguments["space"] = space
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return stock.make(**arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError("study.sampler", f"{name}: {error}") from error
