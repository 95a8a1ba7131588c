"""Models checked so that every message names the path in the file, the rule and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from spiketune.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def check(model: type[Model], data: Any, path: str) -> Model:
    """The checked model of a section.

    Args:
        model: The pydantic model.
        data: What the file holds.
        path: Path of the section in the file.

    Raises:
        ConfigError: Naming every leaf that is wrong.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(path, f"must be a section with keys, got {data!r}")
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        details = error.errors(include_url=False)
        places = [".".join([path, *_location(detail)]) for detail in details]
        lines = [_explain(model, detail) for detail in details]
        rest = [f"{place}: {line}" for place, line in zip(places[1:], lines[1:], strict=True)]
        raise ConfigError(places[0], "\n".join([lines[0], *dict.fromkeys(rest)])) from error


def _location(detail: ErrorDetails) -> list[str]:
    return [str(part) for part in detail["loc"] if not _is_branch(part)]


def _is_branch(part: int | str) -> bool:
    """Whether a part of a location names a branch of a union instead of a key."""
    return isinstance(part, str) and (
        "[" in part or part in {"float", "int", "str"} or part.startswith("constrained-")
    )


def _explain(model: type[BaseModel], detail: ErrorDetails) -> str:
    given = detail.get("input")
    message = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "extra_forbidden":
            key = str(detail["loc"][-1])
            known = _keys_at(model, detail["loc"][:-1])
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean '{close[0]}'? " if close else ""
            return f"unknown key; {hint}known: {', '.join(known) or 'none'}"
        case "missing":
            return "is required"
        case "value_error" | "kind":
            return message
    return f"{message[0].lower()}{message[1:]}, got {given!r}"


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Keys of the section at a location, found by walking the models' annotations."""
    current: type[BaseModel] = model
    annotation: Any = model
    for part in location:
        if isinstance(part, str) and part in current.model_fields:
            annotation = current.model_fields[part].annotation
        elif (annotation := _tagged(annotation, part)) is None:
            continue
        if (inner := _model_in(annotation)) is None:
            return []
        current = inner
    return list(current.model_fields)


def _tagged(annotation: Any, tag: int | str) -> Any:
    """The member of a union that has this tag, if one has."""
    for member in getattr(annotation, "__args__", ()):
        if Tag(str(tag)) in getattr(member, "__metadata__", ()):
            return member
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None
