"""Hooks that do not travel with copies of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final


@final
class Hook:
    """Calls a function; a copied or stored model gets a hook that does nothing.

    `copy.deepcopy(model)` and `torch.save(model)` take hooks along. What a copy does is not what
    the watched model does.
    """

    __slots__ = ("_act",)

    def __init__(self, act: Callable[..., None]) -> None:
        self._act = act

    def __call__(self, *args: Any) -> None:
        """Called by the module, with what the kind of hook gives."""
        self._act(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return Hook, (ignore,)


def ignore(*args: Any) -> None:
    """The hook of a copy."""
