"""Weights raised where too many spikes are missing, instead of a step of the optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, final

import torch
from torch import Tensor

from spiketune.snn.first_spike import FirstSpikeNetwork

# What a step was, beside the index of the layer whose weights it raised.
TRAINED, RAISED_OUTPUT = -2, -1
_NONE: Final = -1
# Doubling ends here: weights so large make anything spike.
_MOST_DOUBLINGS: Final = 60


@final
class WeightRaising:
    """What the rule `bumping` does to a network, and what it remembers of the steps before.

    Attributes:
        log: What every step did: -2 trained, -1 raised the output's weights, else which layer's.
    """

    def __init__(self, network: FirstSpikeNetwork) -> None:
        self._layers, self._rule = network.layers, network.config.bumping
        self._most = [layer.max_missing for layer in self._layers]
        self.log: list[int] = []
        # Which layer was raised last, from the input on, and how often in a row.
        self._last, self._again = _NONE, 0

    def raised(self, layers: Sequence[Tensor], n_missing: Sequence[int]) -> bool:
        """Raise the weights to the first layer that misses too many spikes, if one does.

        Args:
            layers: Spike times of each layer, (B, M).
            n_missing: How many are infinite, of each layer.
        """
        for index, (times, missing) in enumerate(zip(layers, n_missing, strict=True)):
            if missing > self._most[index] * times.numel():
                self._raise(index, times.detach().isinf())
                return True
        self._last, self._again = _NONE, 0
        self.log.append(TRAINED)
        return False

    def _raise(self, index: int, missing: Tensor) -> None:
        rule, layer = self._rule, self._layers[index]
        self._again = self._again + 1 if self._last == index else 0
        self._last = index
        doublings = min(self._again, _MOST_DOUBLINGS) if rule.doubling else 0
        which = missing.any(dim=0) if rule.targeted else torch.ones_like(missing[0])
        with torch.no_grad():
            layer.weight.add_(rule.value * 2.0**doublings * which.double())
        layer.settle()
        self.log.append(RAISED_OUTPUT if index == len(self._layers) - 1 else index)

    def forget(self, n_steps: int) -> None:
        """Drop what the log says of steps beyond so many."""
        del self.log[n_steps:]

    def tensors(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        log = torch.tensor(self.log, dtype=torch.int16)
        return {"network.raised": torch.tensor([self._last, self._again]), "network.step_log": log}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` took.

        Raises:
            KeyError: If it is not there.
        """
        self._last, self._again = map(int, tensors["network.raised"])
        self.log = tensors["network.step_log"].tolist()
