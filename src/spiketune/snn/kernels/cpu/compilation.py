"""How loops are compiled: at the first import ever, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numba

# Python's check of every division for zero would keep loops from vector instructions.
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy"}


def compiled(signatures: list[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Compile at once, or load from the cache; without one where no folder can be written."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        try:
            return numba.njit(signatures, cache=True, **_OPTIONS)(function)
        except RuntimeError:  # "no locator available": nowhere to keep the cache
            return numba.njit(signatures, **_OPTIONS)(function)

    return decorate
