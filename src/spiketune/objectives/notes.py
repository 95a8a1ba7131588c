"""Facts that an objective keeps beside its metrics, as JSON takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from spiketune.errors import InputError


def plain(name: str, value: Any) -> Any:
    """A fact without NumPy's and PyTorch's types: numbers and lists for scalars and arrays.

    Args:
        name: Of the fact, for the message.
        value: As the objective has it.

    Raises:
        InputError: If it then cannot be written as JSON.
    """
    try:
        found = _plain(value)
        json.dumps(found)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"note '{name}': cannot be kept as JSON ({error}); give numbers, texts, lists or "
            "mappings"
        ) from error
    return found


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # told by what it can do: neither package is imported for this
        value = value.tolist()
    if isinstance(value, Mapping):
        return {_plain(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    if isinstance(value, tuple):
        return tuple(_plain(child) for child in value)
    return value
