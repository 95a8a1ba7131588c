"""Durations as people write them: `90`, `"45s"`, `"1h30m"`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LARGEST_S = 1e15  # infinity is no duration: for no limit, the key is left out


def seconds(text: Any) -> float:
    """A duration such as `90`, `"45s"`, `"90m"`, `"1h30m"` or `"2d"`, in seconds.

    Raises:
        ValueError: If it is none, or not above zero.
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and abs(text) < _LARGEST_S:
        value = float(text)
    elif isinstance(text, str) and re.fullmatch(r"\s*(\d+(\.\d+)?\s*[smhd]\s*)+", text):
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd])", text)
        value = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    else:
        raise ValueError(f"a duration is seconds or a text such as '90m' or '1h30m', got {text!r}")
    if not value > 0:
        raise ValueError(f"a duration must be > 0, got {text!r}")
    return value


Duration = Annotated[float, BeforeValidator(seconds)]
