"""The neurons of a layer: what they hold and learn, over all time steps in one call."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Generator, Tensor, nn

from spiketune.config.architecture import LayerPlan
from spiketune.config.network import Neuron
from spiketune.snn.neurons import lif
from spiketune.snn.spike_gradients import build_spike_gradient

# The decay where neither `beta` nor `tau_mem_ms` is given: snnTorch's tutorials, whose
# networks spike neither too little nor too much with it.
DEFAULT_BETA = 0.9
DEFAULT_ALPHA = 0.8


class Population(nn.Module, ABC):
    """Neurons that start at rest."""

    @abstractmethod
    def forward(self, currents: Tensor, steps: int) -> tuple[Tensor | None, Tensor]:
        """Spikes and membrane.

        Args:
            currents: (T, B, N), or (1, B, N) where they are the same at every step.
            steps: Number of time steps T.

        Returns:
            Spikes, zeros and ones, (T, B, N), or None of neurons that never spike; and the
            membrane, (T, B, N).
        """

    def operations(self, spike_counts: Tensor) -> int:
        """Weights within the layer that are used by so many spikes of each neuron, (N,)."""
        return 0


def decay(given: float | None, tau_ms: float | None, dt_ms: float | None, usual: float) -> float:
    """Decay per step from a number or a time constant.

    Raises:
        ValueError: If a time constant is given without the length of a step.
    """
    if tau_ms is None:
        return usual if given is None else given
    if dt_ms is None:
        raise ValueError("a time constant in ms needs dt_ms, the length of a time step")
    return math.exp(-dt_ms / tau_ms)


def membrane_decay(neuron: Neuron, dt_ms: float | None) -> float | None:
    """Decay per step of the membrane; None where each neuron draws its own from U(0, 1)."""
    if neuron.beta == "uniform":
        return None
    return decay(neuron.beta, neuron.tau_mem_ms, dt_ms, DEFAULT_BETA)


def hold(module: nn.Module, name: str, value: Tensor, *, learned: bool) -> None:
    """Register a value as a parameter if it is learned, as a buffer otherwise."""
    if learned:
        module.register_parameter(name, nn.Parameter(value))
    else:
        module.register_buffer(name, value)


def hold_beta(module: nn.Module, plan: LayerPlan, generator: Generator) -> None:
    """Register the decay of the membrane, one for all neurons or, if drawn, one for each."""
    beta = membrane_decay(plan.neuron, plan.dt_ms)
    drawn = torch.rand(plan.outputs[0], generator=generator) if beta is None else None
    value = torch.tensor(beta) if drawn is None else drawn
    hold(module, "beta", value, learned=plan.neuron.learn_beta)


@final
class Lif(Population):
    """Leaky integrate-and-fire neurons."""

    beta: Tensor

    def __init__(self, plan: LayerPlan, generator: Generator) -> None:
        super().__init__()
        neuron = plan.neuron
        self.threshold, self._reset = neuron.threshold, neuron.reset
        self.gradient = build_spike_gradient(neuron.spike_gradient)
        hold_beta(self, plan, generator)

    def forward(self, currents: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """See `Population.forward`."""
        return lif(
            currents, self.beta, self.threshold, self.gradient, reset=self._reset, steps=steps
        )


@final
class NoNeurons(Population):
    """Hands on what reaches it; its membrane is the current itself, never repeated."""

    def forward(self, currents: Tensor, steps: int) -> tuple[None, Tensor]:
        """See `Population.forward`."""
        return None, currents


def build_population(plan: LayerPlan, generator: Generator) -> Population:
    """The neurons of a layer."""
    if plan.neuron.kind == "lif":
        return Lif(plan, generator)
    return NoNeurons()
