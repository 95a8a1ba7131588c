"""How loops are compiled: at the first import ever, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numba

# Python's check of every division for zero would keep loops from vector instructions.
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy"}


def compiled(
    signatures: Sequence[Any] | None, *, any_order: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile at once, or load from the cache; without one where no folder can be written.

    Without signatures a function is compiled as part of those that call it. Sums in `any_order`
    go through vector instructions, and round a little differently on other processors.
    """
    options = {**_OPTIONS, "fastmath": {"reassoc", "nsz"}} if any_order else _OPTIONS

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        result: Callable[..., Any]
        try:
            result = numba.njit(signatures, cache=signatures is not None, **options)(function)
        except RuntimeError:  # "no locator available": nowhere to keep the cache
            result = numba.njit(signatures, **options)(function)
        return result

    return decorate
