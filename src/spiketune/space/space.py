"""The search space: named parameters, when each is active, and what must hold between them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, final

from spiketune.errors import ConfigError, ExpressionError, UnknownNameError
from spiketune.space.expressions import Expression, parse
from spiketune.space.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Condition:
    """When a parameter is active: its `when:`, and the sections chosen around it.

    Attributes:
        when: An expression over other parameters, or None.
        chosen: Pairs (parameter, option) that all must have been picked.
    """

    when: Expression | None = None
    chosen: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The parameters this depends on."""
        inside = self.when.names if self.when else frozenset()
        return inside | {name for name, _ in self.chosen}

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it holds; a condition on an inactive parameter does not."""
        if any(values.get(name) != option for name, option in self.chosen):
            return False
        if self.when is None:
            return True
        return self.when.names <= values.keys() and bool(self.when(values))


@final
class Space(Mapping[str, Parameter]):
    """What may be searched.

    Args:
        parameters: Parameter by name. A parameter's own `when` makes it conditional.
        require: Expressions over parameter names that a configuration must meet; one that
            speaks of an inactive parameter counts as met.
        conditions: More conditions by name; a parameter is active if any of them holds.

    Raises:
        ConfigError: If a condition or requirement names an unknown parameter, or conditions
            depend on each other in a circle.

    Example:
        >>> space = Space({"layers": Int(1, 3), "beta": Float(0.5, 1.0)}, require=["layers < 3"])
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        require: Sequence[str] = (),
        conditions: Mapping[str, Sequence[Condition]] | None = None,
    ) -> None:
        self._parameters = dict(parameters)
        self._conditions: dict[str, tuple[Condition, ...]] = {}
        for name, parameter in self._parameters.items():
            given = tuple((conditions or {}).get(name, ()))
            own = (Condition(_parse(parameter.when, f"{name}.when")),) if parameter.when else ()
            if own or given:
                self._conditions[name] = own + given
        self.require = tuple(_parse(text, "study.require") for text in require)
        self._check_names()
        self.order = self._sorted()

    def __getitem__(self, name: str) -> Parameter:
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def is_conditional(self, name: str) -> bool:
        """Whether the parameter is absent from some configurations."""
        return name in self._conditions

    def is_active(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a parameter takes part, given the values of those before it in `order`.

        A condition that has no value here (it divides by zero, say) does not hold.
        """
        conditions = self._conditions.get(name)
        return conditions is None or any(_is_true(c.holds, values) for c in conditions)

    def deciders(self, name: str) -> tuple[str, ...]:
        """The parameters that decide whether this one takes part, in `order`."""
        found: set[str] = set()
        fresh = frozenset({name})
        while fresh:
            conditions = [c for one in fresh for c in self._conditions.get(one, ())]
            fresh = frozenset().union(*(c.names for c in conditions)) - found
            found |= fresh
        return tuple(other for other in self.order if other in found)

    def choices_around(self, name: str) -> dict[str, str]:
        """The sections that must be chosen for the parameter to be active (its first way)."""
        first = self._conditions.get(name, (Condition(),))[0]
        return dict(first.chosen)

    def meets(self, values: Mapping[str, Any]) -> bool:
        """Whether every requirement is met; one of parameters that take no part always is."""
        return self.unmet(values) is None

    def unmet(self, values: Mapping[str, Any]) -> str | None:
        """Text of the first requirement that is not met; None if all are.

        One that has no value here (it divides by zero, say) is not met.
        """
        for rule in self.require:
            if rule.names <= values.keys() and not _is_true(rule, values):
                return rule.text
        return None

    def check_expressions(self, values: Mapping[str, Any]) -> None:
        """Refuse conditions and requirements that have no value for a configuration.

        Raises:
            ConfigError: Naming the first one.
        """
        for rule in self.require:
            if rule.names <= values.keys():
                _evaluate(rule, values, "study.require")
        for name, conditions in self._conditions.items():
            for condition in conditions:
                _evaluate(condition.holds, values, f"{name}.when")

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse a configuration that is not one of this space.

        Raises:
            ConfigError: Naming the first parameter that is unknown, missing or out of range.
        """
        for name in values:
            if name not in self._parameters:
                raise ConfigError("", str(UnknownNameError("parameter", name, self)))
        seen: dict[str, Any] = {}
        for name in self.order:
            if not self.is_active(name, seen):
                if name in values:
                    raise ConfigError(name, "is not active in this configuration; leave it out")
                continue
            if name not in values:
                raise ConfigError(name, "has no value")
            if values[name] not in self[name]:
                raise ConfigError(name, f"{values[name]!r} is outside {self[name]}")
            seen[name] = values[name]

    def fingerprint(self) -> str:
        """A short text that changes when the space does."""
        facts = {
            name: {
                "parameter": [type(parameter).__name__, {**asdict(parameter), "when": None}],
                "conditions": [
                    [condition.when.text if condition.when else None, condition.chosen]
                    for condition in self._conditions.get(name, ())
                ],
            }
            for name, parameter in sorted(self._parameters.items())
        }
        text = json.dumps([facts, [rule.text for rule in self.require]], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def _check_names(self) -> None:
        used = [("study.require", rule.names) for rule in self.require]
        used += [
            (f"{name}.when", condition.names)
            for name, conditions in self._conditions.items()
            for condition in conditions
        ]
        for place, names in used:
            for name in sorted(names - self._parameters.keys()):
                raise ConfigError(place, str(UnknownNameError("parameter", name, self)))

    def _sorted(self) -> tuple[str, ...]:
        parents = {
            name: frozenset().union(*(condition.names for condition in conditions))
            for name, conditions in self._conditions.items()
        }
        graph = {name: sorted(parents.get(name, ())) for name in self._parameters}
        try:
            return tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise ConfigError(
                "when", f"conditions depend on each other in a circle: {circle}"
            ) from error


def _is_true(rule: Callable[[Mapping[str, Any]], Any], values: Mapping[str, Any]) -> bool:
    try:
        return bool(rule(values))
    except ExpressionError:
        return False


def _evaluate(
    rule: Callable[[Mapping[str, Any]], Any], values: Mapping[str, Any], path: str
) -> None:
    try:
        rule(values)
    except ExpressionError as error:
        raise ConfigError(path, str(error)) from error


def _parse(text: str | None, place: str) -> Expression:
    try:
        return parse(text or "")
    except ExpressionError as error:
        raise ConfigError(place, str(error)) from error
