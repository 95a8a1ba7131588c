"""Command lines with `{placeholders}`: read, checked, and filled so that no value is ever split."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, Final

from spiketune.errors import ConfigError, UnknownNameError

ARGUMENTS: Final = "args"  # stands for all parameters that no other placeholder uses
_OPTION_BEFORE: Final = re.compile(r"(?:^|(?<=\s))-\S+\s+$")
_PATH: Final = "trial.command"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, and the placeholder that follows it.

    Attributes:
        text: The text, with `{{` and `}}` as single braces.
        name: Name in the placeholder; None at the end of the template.
        spec: Format of the value, such as `.3g`.
    """

    text: str
    name: str | None
    spec: str = ""


def pieces(template: str, path: str = _PATH) -> tuple[Piece, ...]:
    """The parts of a text with placeholders.

    Args:
        template: Such as `--lr={lr:.3g}`.
        path: Place in the file, for messages.

    Raises:
        ConfigError: If a brace stands alone, or a placeholder is empty.
    """
    try:
        parts = [
            Piece(text, name if conversion is None else f"{name}!{conversion}", spec or "")
            for text, name, spec, conversion in Formatter().parse(template)
        ]
    except ValueError as error:
        raise ConfigError(path, f"'{template}': {error}; write {{{{ for a brace") from error
    if any(piece.name == "" for piece in parts):
        raise ConfigError(path, f"'{template}': {{}} needs a name; write {{{{}}}} for braces")
    return tuple(parts)


def check_names(template: str, known: Sequence[str], path: str = _PATH) -> set[str]:
    """The names that a template uses.

    Raises:
        ConfigError: If it uses one that is not known.
    """
    names = {piece.name for piece in pieces(template, path) if piece.name is not None}
    for name in sorted(names - set(known)):
        message = UnknownNameError("placeholder", name, known)
        raise ConfigError(path, f"{message} (write {{{{ for a brace)")
    return names


def as_text(name: str, value: Any, spec: str = "") -> str:
    """A value as it stands on a command line: 1e-05, true, or 10,20 of a list.

    Raises:
        ConfigError: If it has no such form.
    """
    if isinstance(value, list | tuple):
        return ",".join(as_text(name, item, spec) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise ConfigError(f"trial.params.{name}", f"{value!r} cannot stand on a command line")
    try:
        text = format(value, spec)
    except ValueError as error:
        raise ConfigError(_PATH, f"{{{name}:{spec}}}: {error}, the value is {value!r}") from error
    if "\0" in text:
        raise ConfigError(f"trial.params.{name}", f"{value!r} holds a null character")
    return text


def as_options(values: Mapping[str, Any]) -> list[str]:
    """Parameters as `--name value`; true as `--name`, false and null as nothing."""
    arguments: list[str] = []
    for name, value in values.items():
        if value is True:
            arguments.append(f"--{name}")
        elif value is not None and value is not False:
            arguments += [f"--{name}", as_text(name, value)]
    return arguments


def fill(template: str, values: Mapping[str, Any], path: str = _PATH) -> str:
    """A text with its placeholders filled, as it is (environment variables)."""
    return "".join(
        piece.text + ("" if piece.name is None else _filled(piece, values.get(piece.name)))
        for piece in pieces(template, path)
    )


def fill_arguments(template: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """The arguments of a program, one string each, which no shell reads.

    An argument that is one placeholder and nothing else is left out, with the option before it,
    if its value is false or null; true leaves the option alone.

    Args:
        template: One text per argument.
        values: By name; the value of `{args}` is a list of arguments.
    """
    arguments: list[str] = []
    for i, text in enumerate(template):
        parts = pieces(text)
        names = [piece.name for piece in parts if piece.name is not None]
        if names == [ARGUMENTS] and text == f"{{{ARGUMENTS}}}":
            arguments += values[ARGUMENTS]
            continue
        alone = len(parts) == 1 and not parts[0].text and bool(names)
        after_option = i > 0 and template[i - 1].startswith("-") and not _has_names(template[i - 1])
        value = values.get(names[0]) if names else None
        if alone and isinstance(value, bool | None):
            if value and not after_option:
                arguments.append(f"--{names[0]}")
            elif not value and after_option:
                arguments.pop()
        elif not any(values.get(name or "") is None for name in names):
            arguments.append(fill(text, values))
    return arguments


def fill_shell(template: str, values: Mapping[str, Any]) -> str:
    """A line for the shell, every value quoted so that the shell reads none of it.

    Raises:
        ConfigError: If a placeholder stands in quotes, where quoting would not hold.
    """
    line, quote = "", ""
    parts = pieces(template)
    for piece, after in zip(parts, (*parts[1:], Piece("", None)), strict=True):
        line += piece.text
        quote = _open_quote(piece.text, quote)
        if piece.name is None:
            continue
        if quote:
            raise ConfigError(
                _PATH, f"{{{piece.name}}} stands in quotes; take them away, values are quoted"
            )
        value = values.get(piece.name)
        alone = (not line or line[-1].isspace()) and (not after.text or after.text[0].isspace())
        option = _OPTION_BEFORE.search(piece.text)
        if piece.name == ARGUMENTS:
            line += shlex.join(values[ARGUMENTS])
        elif alone and isinstance(value, bool | None):
            if value and not option:
                line += f"--{piece.name}"
            elif not value and option:
                line = line.removesuffix(option[0])
        else:
            line += shlex.quote(_filled(piece, value))
    return line


def _has_names(template: str) -> bool:
    return any(piece.name is not None for piece in pieces(template))


def _filled(piece: Piece, value: Any) -> str:
    return "" if value is None else as_text(piece.name or "", value, piece.spec)


def _open_quote(text: str, quote: str) -> str:
    """The quote that is open after a text of shell, if any."""
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
    return quote
