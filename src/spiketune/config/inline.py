"""Ranges inside a trial section: found, named, and replaced by values again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from spiketune.errors import ConfigError, ExpressionError, UnknownNameError
from spiketune.space import Choice, Condition, Expression, Float, Int, Parameter, Space, parse

_KINDS: Final = ("float", "int", "choice", "grid", "choose", "value")
_OPTIONS: Final = ("scale", "step", "name", "when")
_DROPPED: Final = object()  # stands for a leaf that is not active


def space_of(
    section: Mapping[str, Any], *, require: Sequence[str] = (), root: str = "trial"
) -> Space:
    """The search space that the ranges of a trial section span.

    A parameter's name is its path below `root` (list entries by their `name`, else by index),
    unless the range has a `name:` of its own. Names below `params:` (of functions and programs)
    and `parameters:` (free parameters that only expressions use) are relative to those.

    Raises:
        ConfigError: Naming the path of the range that is wrong.
    """
    found = _Found(root)
    _collect(section, root, (), found)
    for path, names in found.used:
        for name in sorted(names - found.parameters.keys()):
            raise ConfigError(path, str(UnknownNameError("parameter", name, found.parameters)))
    conditions = {
        name: conditions
        for name, conditions in found.conditions.items()
        if all(c.when or c.chosen for c in conditions)
    }
    return Space(found.parameters, require, conditions)


def resolve(
    section: Mapping[str, Any], values: Mapping[str, Any], *, root: str = "trial"
) -> dict[str, Any]:
    """The section with every range replaced by its value.

    A leaf whose parameter is not active is left out, so that its default applies; a `value:`
    leaf is computed from the values.

    Args:
        section: A trial section with ranges.
        values: Value by parameter name.
        root: Path of the section, for messages.

    Raises:
        ConfigError: If a parameter that the section needs has no value.
    """
    resolved = _resolve(section, root, values, root)
    return dict(resolved)


def as_range(parameter: Parameter) -> dict[str, Any]:
    """A parameter as it stands in a file."""
    when = {"when": parameter.when} if parameter.when else {}
    match parameter:
        case Choice():
            return {"choice": list(parameter.options), **when}
        case Int():
            step: dict[str, Any] = {"step": parameter.step} if parameter.step != 1 else {}
            return {
                "int": [parameter.low, parameter.high],
                "scale": parameter.scale,
                **step,
                **when,
            }
        case Float():
            step = {} if parameter.step is None else {"step": parameter.step}
            ends = [parameter.low, parameter.high]
            return {"float": ends, "scale": parameter.scale, **step, **when}


@dataclass
class _Found:
    """What `_collect` gathers; `used` are the names that each `when:` speaks of, by path."""

    root: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    conditions: dict[str, list[Condition]] = field(default_factory=dict)
    used: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    def add(self, path: str, name: str | None, parameter: Parameter, condition: Condition) -> str:
        key = name or _short(path, self.root)
        if repr(self.parameters.setdefault(key, parameter)) != repr(parameter):  # 1 is not 1.0
            raise ConfigError(path, f"name '{key}' has a different range elsewhere")
        self.conditions.setdefault(key, []).append(condition)
        return key

    def when(self, node: Mapping[str, Any], path: str) -> Expression | None:
        when = _when(node, path)
        if when is not None:
            self.used.append((f"{path}.when", when.names))
        return when


def _short(path: str, root: str) -> str:
    name = path.removeprefix(f"{root}.")
    return name.removeprefix("params.").removeprefix("parameters.")


def range_kind(node: Any, path: str) -> str | None:
    """Which kind of range a node is, or None for an ordinary part of the section.

    Raises:
        ConfigError: If it is a range with a key that no range has.
    """
    if not isinstance(node, Mapping):
        return None
    kinds = [kind for kind in _KINDS if kind in node]
    if len(kinds) > 1:
        raise ConfigError(path, f"a range is of one kind, got {' and '.join(kinds)}")
    if len(kinds) != 1 or (kinds == ["value"] and not isinstance(node["value"], str)):
        return None
    if rest := node.keys() - {*kinds, *_OPTIONS}:
        raise ConfigError(
            path, f"a range has no key '{min(map(str, rest))}'; known: {', '.join(_OPTIONS)}"
        )
    return kinds[0]


def parameter_name(node: Mapping[str, Any], path: str, root: str = "trial") -> str:
    """Name of the parameter that a range stands for."""
    return _name(node, path) or _short(path, root)


def parts_of(node: Any, path: str) -> list[tuple[Any, Any, str]]:
    """Key, child and the child's path, for each part of a mapping or list."""
    if isinstance(node, Mapping):
        return [(key, child, f"{path}.{key}") for key, child in node.items()]
    if isinstance(node, list | tuple):
        return [
            (index, child, f"{path}.{_entry_name(child, index)}")
            for index, child in enumerate(node)
        ]
    return []


def _entry_name(entry: Any, index: int) -> str:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) else str(index)


def _collect(node: Any, path: str, chosen: tuple[tuple[str, str], ...], found: _Found) -> None:
    kind = range_kind(node, path)
    if kind is None:
        for _, child, child_path in parts_of(node, path):
            _collect(child, child_path, chosen, found)
    elif kind == "value":
        _expression(node["value"], path)
        found.when(node, path)
        if rest := node.keys() - {"value", "when"}:
            raise ConfigError(path, f"`{min(rest)}` does not go with `value`")
    else:
        condition = Condition(found.when(node, path), chosen)
        key = found.add(path, _name(node, path), _parameter(node, kind, path), condition)
        if kind == "choose":
            for option, section in node["choose"].items():
                _collect(section, f"{path}.{option}", (*chosen, (key, option)), found)


def _parameter(node: Mapping[str, Any], kind: str, path: str) -> Parameter:
    try:
        return _MAKERS[kind](node)
    except ConfigError as error:
        raise ConfigError(path, error.problem) from error


def _pair(node: Mapping[str, Any], kind: str) -> tuple[Any, Any]:
    given = node[kind]
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ConfigError("", f"a range is {{{kind}: [low, high]}}, got {given!r}")
    return given[0], given[1]


def _float(node: Mapping[str, Any]) -> Float:
    return Float(*_pair(node, "float"), node.get("scale", "linear"), node.get("step"))


def _int(node: Mapping[str, Any]) -> Int:
    return Int(*_pair(node, "int"), node.get("scale", "linear"), node.get("step", 1))


def _choice(kind: str) -> Callable[[Mapping[str, Any]], Choice]:
    def make(node: Mapping[str, Any]) -> Choice:
        if "scale" in node or "step" in node:
            raise ConfigError("", f"`scale` and `step` do not go with `{kind}`")
        choice = Choice(node[kind])
        if any(_holds_range(option) for option in choice.options):
            raise ConfigError("", "an option holds a range; use {choose: {a: {...}, b: {...}}}")
        return choice

    return make


def _holds_range(node: Any) -> bool:
    return range_kind(node, "") is not None or any(
        _holds_range(c) for _, c, _ in parts_of(node, "")
    )


def _choose(node: Mapping[str, Any]) -> Choice:
    sections = node["choose"]
    if not isinstance(sections, Mapping) or not all(isinstance(name, str) for name in sections):
        raise ConfigError("", "choose takes named sections: {choose: {a: {...}, b: {...}}}")
    if "scale" in node or "step" in node:
        raise ConfigError("", "`scale` and `step` do not go with `choose`")
    return Choice(list(sections))


_MAKERS: Final[dict[str, Callable[[Mapping[str, Any]], Parameter]]] = {
    "float": _float,
    "int": _int,
    "choice": _choice("choice"),
    "grid": _choice("grid"),
    "choose": _choose,
}


def _name(node: Mapping[str, Any], path: str) -> str | None:
    name = node.get("name")
    if name is not None and (not isinstance(name, str) or not name):
        raise ConfigError(f"{path}.name", f"must be a text, got {name!r}")
    return name


def _when(node: Mapping[str, Any], path: str) -> Expression | None:
    return _expression(node["when"], f"{path}.when") if "when" in node else None


def _expression(text: Any, path: str) -> Expression:
    try:
        return parse(text if isinstance(text, str) else str(text))
    except ExpressionError as error:
        raise ConfigError(path, str(error)) from error


def _resolve(node: Any, path: str, values: Mapping[str, Any], root: str) -> Any:
    kind = range_kind(node, path)
    if kind == "value":
        if not Condition(_when(node, path)).holds(values):
            return _DROPPED
        try:
            return _expression(node["value"], path)(values)
        except ExpressionError as error:
            raise ConfigError(path, str(error)) from error
    if kind is not None:
        name = parameter_name(node, path, root)
        if name not in values:
            if "when" in node:
                return _DROPPED
            raise ConfigError(path, f"no value for the searched parameter '{name}'")
        if "when" in node and not Condition(_when(node, path)).holds(values):
            return _DROPPED
        if kind == "choose":
            option = values[name]
            return _resolve(node["choose"][option], f"{path}.{option}", values, root)
        return values[name]
    if isinstance(node, Mapping | list | tuple):
        parts = [(key, _resolve(child, p, values, root)) for key, child, p in parts_of(node, path)]
        kept = [(key, part) for key, part in parts if part is not _DROPPED]
        return dict(kept) if isinstance(node, Mapping) else [part for _, part in kept]
    return node
