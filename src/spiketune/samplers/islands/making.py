"""Dataclasses of options made from what a study says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from spiketune.errors import ConfigError, UnknownNameError

PATH = "study.sampler"
Made = TypeVar("Made")


def make(cls: type[Made], given: Mapping[str, Any], path: str) -> Made:
    """A dataclass of options from what the user wrote.

    Raises:
        ConfigError: Naming the option that does not exist or has a value that makes no sense.
    """
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise ConfigError(f"{path}.{name}", str(UnknownNameError("option", name, known)))
    try:
        return cls(**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(path, str(error)) from error
