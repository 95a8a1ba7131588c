"""Small spiking networks of our own, whose spikes are easy to count by hand."""

from typing import Any

import torch
from torch import Tensor, nn


class Threshold(nn.Module):
    """Spikes wherever the input exceeds one half; keeps no state."""

    def forward(self, inputs: Tensor) -> Tensor:
        # The second term has no value, only a gradient.
        return (inputs > 0.5).to(inputs.dtype) + (inputs - inputs.detach())


class Accumulator(nn.Module):
    """Adds up its input, spikes above one, and returns spikes and state."""

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = inputs if state is None else state + inputs
        spikes = (total > 1.0).to(inputs.dtype)
        return spikes, total - spikes


class Looped(nn.Module):
    """Runs layers in a loop of its own: the same input at every step."""

    def __init__(self, *layers: nn.Module, steps: int = 2) -> None:
        super().__init__()
        self.body, self.steps = nn.Sequential(*layers), steps

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.stack([self.body(inputs) for _ in range(self.steps)])


class TwoHeads(nn.Module):
    """Two output layers behind a hidden one."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.hidden, self.left, self.right = (
            nn.Sequential(nn.Linear(3, 3), make()),
            nn.Sequential(nn.Linear(3, 2), make()),
            nn.Sequential(nn.Linear(3, 2), make()),
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        spikes = self.hidden(inputs)
        return self.left(spikes), self.right(spikes)


def dense(weight: list[list[float]]) -> nn.Linear:
    """A dense layer without bias that has these weights, (N, N_in)."""
    values = torch.tensor(weight)
    layer = nn.Linear(values.shape[1], values.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(values)
    return layer
