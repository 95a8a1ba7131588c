"""Configuration files and recipes: read, overridden by --set, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import islice, product
from pathlib import Path
from typing import Any, Final, final

import yaml
from pydantic import BaseModel

from spiketune.config.checking import check
from spiketune.config.command import CommandTrial, check_placeholders
from spiketune.config.function import FunctionTrial
from spiketune.config.inline import resolve, space_of
from spiketune.config.study import Study
from spiketune.config.training import TrainingTrial
from spiketune.errors import ConfigError, InputError, UnknownNameError
from spiketune.space import Choice, Parameter, Space

_KINDS: Mapping[str, type[BaseModel]] = {
    "network": TrainingTrial,
    "function": FunctionTrial,
    "command": CommandTrial,
}
_SETTINGS_TRIED: Final = 1000
_ODD_PLACE: Final = 0.6180339887  # a float range with whole ends is no int range


@dataclass(frozen=True, slots=True)
class Configuration:
    """A checked file.

    Attributes:
        study: The study section; None in a file for one training.
        trial: The trial section as written, ranges included.
        space: The search space that its ranges span.
        base_folder: The file's folder, first on the import path of function objectives.
    """

    study: Study | None
    trial: Mapping[str, Any]
    space: Space
    base_folder: str

    @property
    def kind(self) -> str:
        """Which kind of trial: `network`, `function` or `command`."""
        return kind_of(self.trial)


def load(source: str | Path, overrides: Sequence[str] = ()) -> Configuration:
    """Read a file or a shipped recipe, apply `path=value` overrides, check everything.

    Raises:
        InputError: If it cannot be read, or is wrong; the message names the place.
    """
    path = Path(source)
    if path.suffix in {".yaml", ".yml"} or path.exists():
        text, origin, base = _read(path), str(path), str(path.resolve().parent)
    else:
        text, origin, base = recipe_text(str(source)), f"recipe {source}", str(Path.cwd())
    document = parse_yaml(text, origin)
    for override in overrides:
        _apply(document, override)
    return configure(document, base)


def configure(document: Mapping[str, Any], base_folder: str) -> Configuration:
    """Check a document with a `trial:` section and, for a search, a `study:` section.

    Raises:
        ConfigError: Naming the path of what is wrong.
    """
    for key in document:
        if key not in {"study", "trial"}:
            raise ConfigError(str(key), "unknown section; a file has `study:` and `trial:`")
    if not isinstance(document.get("trial"), Mapping):
        raise ConfigError("trial", "the section is missing; it describes one training")
    study = check(Study, document["study"], "study") if "study" in document else None
    trial = document["trial"]
    space = space_of(trial, require=study.require if study else ())
    _check_trial(trial, space)
    return Configuration(study, trial, space, base_folder)


def kind_of(trial: Mapping[str, Any]) -> str:
    """Which kind of trial a section describes.

    Raises:
        ConfigError: If it holds the key of none.
    """
    for key in _KINDS:
        if key in trial:
            return key
    raise ConfigError("trial", "needs `network:` (and `dataset:`), `function:` or `command:`")


def check_resolved(section: Mapping[str, Any]) -> BaseModel:
    """The checked model of a trial section whose ranges are all replaced.

    Raises:
        ConfigError: Naming the leaf that is wrong.
    """
    return check(_KINDS[kind_of(section)], section, "trial")


def _check_trial(trial: Mapping[str, Any], space: Space) -> None:
    """Check the section at both ends of every range, so that no trial finds a wrong leaf."""
    free = trial.get("parameters", {})
    if not isinstance(free, Mapping):
        raise ConfigError("trial.parameters", "names free parameters: {n: {int: [1, 3]}}")
    if kind_of(trial) == "command":
        check_placeholders(trial)
    for values in corners(space):
        check_resolved(without_parameters(resolve(trial, values)))
        space.check_expressions(values)


def without_parameters(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section without `parameters:`, which only declares names for expressions."""
    return {key: value for key, value in section.items() if key != "parameters"}


def corners(space: Space) -> Iterator[dict[str, Any]]:
    """A middle configuration, then each parameter at its options, or at its ends and between."""
    middle = {name: parameter.from_unit(0.5) for name, parameter in space.items()}
    yield _configuration(space, middle)
    for name, parameter in space.items():
        around = {**middle, **_setting_for(space, name, middle)}
        for value in _extremes(parameter):
            yield _configuration(space, {**around, name: value})


def _extremes(parameter: Parameter) -> Sequence[Any]:
    if isinstance(parameter, Choice):
        return parameter.options
    return tuple(parameter.from_unit(unit) for unit in (0.0, _ODD_PLACE, 1.0))


def _setting_for(space: Space, name: str, middle: Mapping[str, Any]) -> dict[str, Any]:
    """Values of other parameters that let this one take part, if a short search finds them."""
    chosen = space.choices_around(name)
    others = [other for other in space.deciders(name) if other not in chosen]
    tried = [(*_extremes(space[other]), middle[other]) for other in others]
    for values in islice(product(*tried), _SETTINGS_TRIED):
        setting = {**chosen, **dict(zip(others, values, strict=True))}
        if name in _configuration(space, {**middle, **setting}):
            return setting
    return chosen


def _configuration(space: Space, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values, one for every parameter, whose parameters are active."""
    values: dict[str, Any] = {}
    for name in space.order:
        if space.is_active(name, values):
            values[name] = wanted[name]
    return values


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def recipes() -> dict[str, str]:
    """Name -> first comment line of every shipped recipe."""
    found = {}
    for entry in resources.files("spiketune.recipes").iterdir():
        if entry.name.endswith(".yaml"):
            first = entry.read_text(encoding="utf-8").splitlines()[0]
            found[entry.name.removesuffix(".yaml")] = first.lstrip("# ")
    return dict(sorted(found.items()))


def recipe_text(name: str) -> str:
    """Text of a shipped recipe.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in recipes():
        raise UnknownNameError("file or recipe", name, recipes())
    return resources.files("spiketune.recipes").joinpath(f"{name}.yaml").read_text(encoding="utf-8")


@final
class _Loader(yaml.SafeLoader):
    """Safe YAML where 1e-4 is a number, only true/false are booleans, and no key comes twice.

    A time such as 1:30 and a date stay text, and so does 010 (YAML 1.1 reads 90 and 8).
    """


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, rule)
        for tag, rule in rules
        if not tag.endswith((":bool", ":int", ":float", ":timestamp", ":value"))
    ]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^(?:[-+]?(?:0|[1-9][\d_]*)|0x[\da-fA-F_]+|0b[01_]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\d[\d_]*\.[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?"
        r"|[-+]?\d[\d_]*[eE][-+]?\d+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag.endswith(":merge"):
            continue
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, dict | list):
            raise yaml.constructor.ConstructorError(
                None, None, f"{key!r} cannot be a key; quote a text in braces", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key '{key}' stands twice", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_yaml(text: str, origin: str) -> dict[str, Any]:
    """A YAML document with keys.

    Raises:
        InputError: Naming file and line of what cannot be read.
    """
    document = _read_yaml(text, origin)
    if not isinstance(document, dict):
        raise InputError(f"{origin}: must hold `study:` and `trial:` sections")
    return document


def _read_yaml(text: str, origin: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{origin}: not valid YAML: {error}") from error


def _apply(document: dict[str, Any], override: str) -> None:
    """Set one leaf from a `path.to.leaf=value` text; the value is read as YAML."""
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise InputError(f"--set {override}: must be path.to.leaf=value")
    value = _read_yaml(text, f"--set {override}")
    *parents, leaf = path.strip().split(".")
    node: Any = document
    for depth, part in enumerate(parents):
        node = _child(node, part, ".".join(parents[: depth + 1]))
    if isinstance(node, list):
        node[_index(node, leaf, path)] = value
    elif isinstance(node, dict):
        node[leaf] = value
    else:
        raise InputError(f"--set {override}: {'.'.join(parents)} is a value, not a section")


def _child(node: Any, part: str, path: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, part, path)]
    if isinstance(node, dict):
        if node.get(part) is None:
            node[part] = {}
        if isinstance(node[part], dict | list):
            return node[part]
    raise InputError(f"--set {path}: is a value, not a section; nothing lies below it")


def _index(entries: list[Any], part: str, path: str) -> int:
    for index, entry in enumerate(entries):
        if isinstance(entry, Mapping) and entry.get("name") == part:
            return index
    if part.isdigit() and int(part) < len(entries):
        return int(part)
    raise InputError(f"--set {path}: the list has no entry '{part}'")
