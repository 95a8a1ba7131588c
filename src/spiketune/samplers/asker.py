"""Asks a sampler for the next configuration, outside the storage."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast, final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from spiketune.errors import ConfigError
from spiketune.logs import quiet_optuna
from spiketune.samplers.common_space import CommonSpace
from spiketune.samplers.stock import build, get_stock
from spiketune.samplers.view import SamplerView
from spiketune.seeding import child_seed
from spiketune.space import Parameter, Space
from spiketune.space.distributions import (
    from_stored,
    mirrored,
    sampler_distribution,
    stored_distribution,
    to_stored,
)

SPENT_KEY: Final = "spiketune:spent"  # with a trial: what its sampler was told of the budget
REDRAWS: Final = 100  # draws until a configuration meets the requirements, or is rejected
MODEL_DRAWS: Final = 20  # of them by the sampler: a model that insists wants help from chance


class Prepared(Protocol):
    """A sampler that serves all asks of a session, and is told what each is made with."""

    def prepare(self, seed: int, spent: float | None) -> None:
        """Take up the seed of the next ask, and the share of the budget that is spent."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration that was asked and not yet written down.

    Attributes:
        values: Value by parameter name.
        stored: The same as the journal holds them (labels for options that are no scalars).
        distributions: Optuna distribution by parameter name.
        system_attrs: What the sampler wants kept with the trial.
        study_attrs: What the sampler wants kept with the study.
    """

    values: Mapping[str, Any]
    stored: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    system_attrs: Mapping[str, Any]
    study_attrs: Mapping[str, Any]


@final
class Asker:
    """Asks for configurations that meet the space's requirements.

    The sampler is made anew before every ask, from a seed that belongs to that ask alone, or is
    kept and told that seed; all else it knows comes from the journal. An interrupted study thus
    asks what an uninterrupted one would have asked.

    Args:
        storage: The storage of the study.
        study_id: The study.
        study_name: Its name.
        space: The search space.
        sampler: Registered name of the sampler.
        options: The sampler's options.
        seed: The study's seed.
        fits: Whether a configuration can be built at all; None if all can.

    Attributes:
        spent: Share of the budget that is spent at the next ask, if known.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study_id: int,
        study_name: str,
        space: Space,
        *,
        sampler: str = "tpe",
        options: Mapping[str, Any] | None = None,
        seed: int = 0,
        fits: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:
        self._space, self._fits = space, fits
        self._name = sampler
        self._options = dict(options or {})
        self._seed = seed
        self._stock = get_stock(sampler)
        self._seen = {name: sampler_distribution(p) for name, p in space.items()}
        self._kept = {name: stored_distribution(p) for name, p in space.items()}
        plain = self._stock.kept or not self._stock.learns
        self._view = SamplerView(storage, study_id, space, blind=self._stock.blind, plain=plain)
        self.spent: float | None = None
        self._kept_sampler: BaseSampler | None = None
        self._common_space: CommonSpace | None = None
        self._study = optuna.load_study(study_name=study_name, storage=self._view)

    def ask(self) -> tuple[Proposal, bool]:
        """The next configuration, and whether it meets the requirements and can be built.

        Raises:
            GridExhaustedError: If the sampler has nothing left to ask.
        """
        values, accepted = self._choose({}, by_hand=False)
        return self._proposal(values), accepted

    def complete(self, fixed: Mapping[str, Any]) -> Proposal:
        """The configuration of a trial enqueued by hand; what it leaves out is the sampler's.

        Args:
            fixed: Stored values to take as they are.

        Raises:
            ConfigError: If a value is none of its parameter, or a requirement is not met.
        """
        # A grid gives none of its combinations away, and no model is asked for what is known.
        by_hand = self._stock.finite or self._is_whole(fixed)
        values, _ = self._choose(fixed, by_hand=by_hand)
        if (unmet := self._space.unmet(values)) is not None:
            raise ConfigError("study.require", f"{unmet} does not hold for a trial enqueued")
        return self._proposal(values)

    def _choose(self, fixed: Mapping[str, Any], *, by_hand: bool) -> tuple[dict[str, Any], bool]:
        draft = self._view.start_draft()
        picky = bool(self._space.require) or self._fits is not None
        for draw in range(REDRAWS if picky else 1):
            by_chance = by_hand or (draw >= MODEL_DRAWS and not self._stock.one_seed)
            values = self._draw(draft, draw, fixed, by_chance=by_chance)
            if self._space.meets(values) and (self._fits is None or self._fits(values)):
                return values, True
        return values, False

    def enqueued(self) -> FrozenTrial | None:
        """The first trial that waits to be run, enqueued with Optuna's own tools."""
        return self._view.waiting()

    def _is_whole(self, fixed: Mapping[str, Any]) -> bool:
        """Whether values taken as they are leave nothing to ask for."""
        values: dict[str, Any] = {}
        for name in self._space.order:
            if self._space.is_active(name, values):
                if name not in fixed:
                    return False
                values[name] = from_stored(self._space[name], fixed[name])
        return True

    def _proposal(self, values: Mapping[str, Any]) -> Proposal:
        told = {SPENT_KEY: self.spent} if self._stock.kept and self.spent is not None else {}
        return Proposal(
            values=values,
            stored={name: to_stored(self._space[name], value) for name, value in values.items()},
            distributions={name: self._kept[name] for name in values},
            system_attrs=told
            | {
                key: value
                for key, value in self._view.draft.system_attrs.items()
                if not key.partition(":")[2].startswith("relative_params")  # a copy of `stored`
            },
            study_attrs=self._view.study_attrs,
        )

    def _sampler(self, number: int, draw: int, *, by_chance: bool) -> BaseSampler:
        own_seed = child_seed(self._seed, "ask", number, draw)
        one_seed = self._stock.one_seed
        if by_chance:
            return build("random", {}, own_seed, self._space)
        seed = child_seed(self._seed, "sampler") if one_seed else own_seed
        if self._stock.kept:
            kept = self._kept_sampler or build(self._name, self._options, seed, self._space)
            cast("Prepared", kept).prepare(own_seed, self.spent)
            self._kept_sampler = kept
            return kept
        apart = own_seed if one_seed else None
        sampler = build(self._name, self._options, seed, self._space, independent_seed=apart)
        if isinstance(known := getattr(sampler, "_search_space", None), IntersectionSearchSpace):
            # What all trials have in common is found incrementally, and depends on them alone.
            self._common_space = self._common_space or CommonSpace(known._include_pruned)
            sampler._search_space = self._common_space  # type: ignore[attr-defined]
        return sampler

    def _draw(
        self, draft: FrozenTrial, draw: int, fixed: Mapping[str, Any], *, by_chance: bool
    ) -> dict[str, Any]:
        self._study._thread_local.cached_all_trials = None
        sampler = self._sampler(self._view.n_asked, draw, by_chance=by_chance)
        study = self._study
        draft.params, draft.distributions = {}, {}
        if by_chance:
            draft.system_attrs = {}  # what the sampler said of its own draw
        # Optuna's GP divides zero by zero where no place looks better than another.
        quiet_numpy = np.errstate(divide="ignore", invalid="ignore")
        with quiet_optuna(), warnings.catch_warnings(), quiet_numpy:
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler.before_trial(study, draft)
            searched = sampler.infer_relative_search_space(study, draft)
            if self._stock.needed is not None:
                known = study._get_trials(deepcopy=False, use_cache=True)
                needed = self._stock.needed(known, self._options)
                study._thread_local.cached_all_trials = list(needed)
            together = sampler.sample_relative(study, draft, searched)
            values: dict[str, Any] = {}
            for name in self._space.order:
                if not self._space.is_active(name, values):
                    continue
                parameter = self._space[name]
                if name in fixed:
                    values[name] = _fixed(name, parameter, fixed[name])
                else:
                    value = self._value(sampler, draft, name, together)
                    values[name] = from_stored(parameter, mirrored(parameter, value))
        return values

    def _value(
        self, sampler: BaseSampler, draft: FrozenTrial, name: str, together: Mapping[str, Any]
    ) -> Any:
        distribution = self._seen[name]
        if name in together:
            value = together[name]
        elif distribution.single():
            value = _only_value(distribution)
        else:
            value = sampler.sample_independent(self._study, draft, name, distribution)
        draft.params = {**draft.params, name: value}
        draft.distributions = {**draft.distributions, name: distribution}
        return value


def rehearse(space: Space, sampler: str, options: Mapping[str, Any], n_objectives: int) -> None:
    """Ask once on an empty study, to find an option of the wrong kind before the first trial.

    Raises:
        ConfigError: If the sampler cannot ask with these options.
    """
    storage = optuna.storages.InMemoryStorage()
    minimize = [optuna.study.StudyDirection.MINIMIZE] * n_objectives
    with quiet_optuna():
        study_id = storage.create_new_study(minimize, "rehearsal")
    asker = Asker(storage, study_id, "rehearsal", space, sampler=sampler, options=options)
    try:
        asker.ask()
    except (TypeError, ValueError, AttributeError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise ConfigError("study.sampler", f"{sampler} cannot ask with {given}: {error}") from error


def _fixed(name: str, parameter: Parameter, stored: Any) -> Any:
    value = from_stored(parameter, stored)
    if value not in parameter:
        raise ConfigError(name, f"a trial was enqueued with {stored!r}, outside {parameter}")
    return value


def _only_value(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    return distribution.to_external_repr(distribution.low)  # type: ignore[attr-defined]
