"""Which of the spiking layers is the output: the one whose spikes reach no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from torch import Tensor

from spiketune.errors import InputError
from spiketune.snn.monitoring.libraries import tensors_in


@final
class OutputSearch:
    """Follows spikes from layer to layer through the gradient graph of one call of the model.

    Without a graph (no gradients asked) the layer that is called last is taken.
    """

    def __init__(self) -> None:
        self._sources: dict[Any, str] = {}
        self._called: dict[str, None] = {}  # in the order of their first calls
        self._feeding: set[str] = set()
        self._whole = True

    def saw(
        self, layer: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> None:
        """Take up one call of a spiking layer."""
        if layer not in self._called:
            inputs = next(tensors_in([args, kwargs]), None)
            self._feeding |= self._behind(inputs)
            self._called[layer] = None
        spikes = next(tensors_in(output), None)
        node = None if spikes is None else spikes.grad_fn
        if node is None:
            self._whole = False
        else:
            self._sources[node] = layer

    @property
    def seen(self) -> bool:
        """Whether any spiking layer was called."""
        return bool(self._called)

    def found(self) -> str:
        """The output layer.

        Raises:
            InputError: If there are several, with their names.
        """
        if not self._whole:
            return list(self._called)[-1]
        ends = [layer for layer in self._called if layer not in self._feeding]
        if len(ends) == 1:
            return ends[0]
        names = ends or list(self._called)
        raise InputError(
            "monitor: cannot tell the output layer: the spikes of "
            f"{', '.join(map(repr, names))} reach no other spiking layer; name it, e.g. "
            f"output={names[-1]!r}, or all of them, output={names!r}"
        )

    def _behind(self, inputs: Tensor | None) -> set[str]:
        """Spiking layers whose spikes reach a tensor through no other spiking layer."""
        found: set[str] = set()
        waiting = [inputs.grad_fn if inputs is not None else None]
        visited: set[Any] = set()
        while waiting:
            node = waiting.pop()
            if node is None or node in visited:
                continue
            visited.add(node)
            if node in self._sources:
                found.add(self._sources[node])
            else:
                waiting += [before for before, _ in node.next_functions]
        return found
