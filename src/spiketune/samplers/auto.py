"""The sampler of a study that names none: a table of rules, the first that applies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from spiketune.config.study import Named, Study
from spiketune.errors import ConfigError
from spiketune.space import Choice, Space

AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a choice of sampler depends on; not constraints, as all of the table take them.

    Attributes:
        n_parameters: Parameters with more than one value.
        n_numeric: Those of them that are numbers.
        n_combinations: Configurations there are at most; infinite for a continuum.
        n_objectives: Objectives.
        n_trials: Budget in trials; infinite if there is none.
        time_s: Budget of time in seconds; infinite if there is none.
        has_rungs: Whether a fidelity rule stops weak trials.
    """

    n_parameters: int
    n_numeric: int
    n_combinations: float
    n_objectives: int
    n_trials: float
    time_s: float
    has_rungs: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A sampler, when it is taken, and why; `why` may name facts in braces."""

    sampler: str
    applies: Callable[[Facts], bool]
    why: str


_FEW_COMBINATIONS: Final = 100
_MANY_TRIALS: Final = 1_000
_MANY_PARAMETERS: Final = 60
_LONG_S: Final = 6 * 3600.0

# As benchmarks/RESULTS.md stands: cascbo leads on problems of one and two objectives (three were
# not measured) within some hundred trials, and on the logs of 14-hour searches without rungs; with
# them nsga2 does. docs/samplers.md tells it.
RULES: Final[Sequence[Rule]] = (
    Rule(
        "grid",
        lambda f: f.n_combinations <= f.n_trials < math.inf,
        "the budget of {n_trials:g} trials covers all {n_combinations:g} combinations",
    ),
    Rule(
        "random-from-grid",  # whatever the time allows is spread over the space
        lambda f: f.n_combinations <= _FEW_COMBINATIONS and f.n_trials == math.inf,
        "{n_combinations:g} combinations, few enough to try them all",
    ),
    Rule("nsga3", lambda f: f.n_objectives > 3, "{n_objectives} objectives"),
    Rule(
        "nsga2",
        lambda f: _MANY_TRIALS < f.n_trials < math.inf or f.n_trials == f.time_s == math.inf,
        "a great many trials, whose asks must cost nothing",
    ),
    Rule(
        "nsga2",
        lambda f: f.n_trials == math.inf and f.time_s > _LONG_S and f.has_rungs,
        "a long search that stops weak trials early",
    ),
    Rule(
        "tpe",
        lambda f: f.n_parameters > _MANY_PARAMETERS,
        "{n_parameters} parameters, too many for a model of all together",
    ),
    Rule(
        "tpe",
        lambda f: 2 * f.n_numeric < f.n_parameters,
        "{n_numeric} of {n_parameters} parameters are numbers, the others choices",
    ),
    Rule(
        "cascbo",
        lambda f: True,
        "a moderate budget, {n_numeric} numbers among {n_parameters} parameters",
    ),
)


def facts_of(study: Study, space: Space) -> Facts:
    """What is known of a study before its first trial."""
    searched = [p for p in space.values() if p.n_values != 1]
    return Facts(
        n_parameters=len(searched),
        n_numeric=sum(not isinstance(p, Choice) for p in searched),
        n_combinations=math.prod(math.inf if p.n_values is None else p.n_values for p in searched),
        n_objectives=len(study.objectives),
        n_trials=study.budget.trials or math.inf,
        time_s=study.budget.time or math.inf,
        has_rungs=study.fidelity is not None,
    )


def choose(facts: Facts) -> tuple[str, str]:
    """The sampler for a study, and why."""
    rule = next(rule for rule in RULES if rule.applies(facts))
    values = {name: getattr(facts, name) for name in Facts.__slots__}
    return rule.sampler, rule.why.format(**values)


def settled(study: Study, space: Space) -> tuple[Study, str | None]:
    """The study with a sampler in place of `auto`, and the sentence that explains it, if any.

    Raises:
        ConfigError: If `auto` was given options, which belong to one sampler.
    """
    if study.sampler.name != AUTO:
        return study, None
    if study.sampler.options:
        option = next(iter(study.sampler.options))
        raise ConfigError(
            f"study.sampler.{option}", "options belong to one sampler; name it instead of `auto`"
        )
    sampler, why = choose(facts_of(study, space))
    chosen = study.model_copy(update={"sampler": Named(name=sampler)})
    return chosen, f"auto chose {sampler}: {why}"
