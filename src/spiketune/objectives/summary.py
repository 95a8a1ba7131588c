"""What a program measured: its summary file, and its standard output."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from spiketune.errors import TrialError

_NUMBER: Final = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|inf(?:inity)?)", re.IGNORECASE
)
_WORDS: Final = {"true": 1.0, "false": 0.0}
_SHOWN: Final = 60  # characters of a line that cannot be read

Values = Mapping[str, float | tuple[float, ...] | str]


def number(text: str) -> float | None:
    """The number that a whole text is, sign and exponent included; None if it is none.

    >>> number("1e-05"), number("-5"), number("1e-05, 3")
    (1e-05, -5.0, None)
    """
    word = text.strip()
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    return float(word) if _NUMBER.fullmatch(word) else None


def read_file(path: Path, *, is_json: bool) -> Values:
    """Every value of a summary file.

    Args:
        path: The file.
        is_json: Whether it is a JSON object; else lines `keyword value`, where a value is a
            number, several (`"1, 2"`, `[1 2]`) or a text.

    Raises:
        TrialError: If it is missing, empty or cannot be read; names the line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise TrialError("crash", f"the program ended without writing {path}") from None
    except OSError as error:
        raise TrialError("crash", f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TrialError("crash", f"{path}: is no text: {error}") from error
    if not text.strip():
        raise TrialError("crash", f"{path}: is empty")
    return dict(_json_values(text, path) if is_json else _keyword_values(text, path))


def _keyword_values(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    for i, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        keyword, _, rest = line.strip().partition(" ")
        if "\t" in keyword:
            keyword, _, rest = line.strip().partition("\t")
        if not rest.strip():
            raise TrialError(
                "crash", f"{path}: line {i} is no 'keyword value': {line.strip()[:_SHOWN]!r}"
            )
        yield keyword.rstrip(":="), _value(rest)


def _value(text: str) -> float | tuple[float, ...] | str:
    inner = text.strip().strip("\"'").strip().removeprefix("[").removesuffix("]")
    words = [word for word in re.split(r"[\s,]+", inner) if word]
    numbers = [number(word) for word in words]
    found = [value for value in numbers if value is not None]
    if not words or len(found) < len(words):
        return text.strip()
    return found[0] if len(found) == 1 else tuple(found)


def _json_values(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise TrialError("crash", f"{path}: is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise TrialError("crash", f"{path}: must hold a JSON object, got {text.strip()[:_SHOWN]!r}")
    return _flat(document, "")


def _flat(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Every leaf by its dotted path."""
    for key, child in node.items():
        if isinstance(child, Mapping):
            yield from _flat(child, f"{prefix}{key}.")
        elif isinstance(child, int | float):
            yield f"{prefix}{key}", float(child)
        elif isinstance(child, list) and all(isinstance(item, int | float) for item in child):
            yield f"{prefix}{key}", tuple(map(float, child))
        else:
            yield f"{prefix}{key}", json.dumps(child)


def read_stdout(text: str, patterns: Mapping[str, str]) -> dict[str, float]:
    """By metric, the number in the last match of its pattern; metrics without one are absent.

    Raises:
        TrialError: If what matches is no number.
    """
    found = {}
    for name, pattern in patterns.items():
        matches = list(re.finditer(pattern, text, re.MULTILINE))
        if matches:
            value = number(matches[-1][1] or "")
            if value is None:
                raise TrialError("crash", f"stdout: '{name}' is no number: {matches[-1][1]!r}")
            found[name] = value
    return found


def reports_in(text: str, pattern: str, fidelity: str) -> Iterator[tuple[float, dict[str, float]]]:
    """Fidelity and metrics of each match that holds numbers; others are passed over."""
    for match in re.finditer(pattern, text, re.MULTILINE):
        values = {name: number(group or "") for name, group in match.groupdict().items()}
        metrics = {name: value for name, value in values.items() if value is not None}
        reached = metrics.pop(fidelity, 0.0)
        if math.isfinite(reached) and reached > 0:
            yield reached, metrics
