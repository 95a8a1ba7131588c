"""The neurons of a layer: what they hold and learn, over all time steps in one call."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Generator, Tensor, nn

from spiketune.config.architecture import LayerPlan
from spiketune.config.network import ALIF_DECAYS, Neuron
from spiketune.metrics.energy import effective_operations
from spiketune.snn.neurons import (
    AlifParameters,
    alif,
    cuba_lif,
    leaky_integrator,
    lif,
    recurrent_lif,
)
from spiketune.snn.quantisation import quantized_alif
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
class Cuba(Population):
    """Leaky integrate-and-fire neurons that integrate a synaptic current."""

    alpha: Tensor
    beta: Tensor

    def __init__(self, plan: LayerPlan, generator: Generator) -> None:
        super().__init__()
        neuron = plan.neuron
        self.threshold, self._reset = neuron.threshold, neuron.reset
        self.gradient = build_spike_gradient(neuron.spike_gradient)
        hold_beta(self, plan, generator)
        alpha = decay(neuron.alpha, neuron.tau_syn_ms, plan.dt_ms, DEFAULT_ALPHA)
        hold(self, "alpha", torch.tensor(alpha), learned=neuron.learn_alpha)

    def forward(self, currents: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """See `Population.forward`."""
        return cuba_lif(
            currents,
            self.alpha,
            self.beta,
            self.threshold,
            self.gradient,
            reset=self._reset,
            steps=steps,
        )


@final
class Alif(Population):
    """The adaptive neurons of SLAYER; decays, if learned, are one of each for the layer."""

    current_decay: Tensor
    voltage_decay: Tensor
    threshold_decay: Tensor
    refractory_decay: Tensor

    def __init__(self, plan: LayerPlan) -> None:
        super().__init__()
        neuron = plan.neuron
        self._neuron = neuron
        self.gradient = build_spike_gradient(neuron.spike_gradient)
        for name in ALIF_DECAYS:
            hold(self, name, torch.tensor(getattr(neuron, name)), learned=neuron.learn_decays)

    def forward(self, currents: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """See `Population.forward`."""
        decays = {name: getattr(self, name) for name in ALIF_DECAYS}
        thresholds = (self._neuron.threshold, self._neuron.threshold_step)
        parameters = AlifParameters(**decays, threshold=thresholds[0], threshold_step=thresholds[1])
        if self._neuron.quantize:
            parameters = quantized_alif(parameters)
        return alif(currents, parameters, self.gradient, steps=steps)


@final
class Integrator(Population):
    """Leaky integrators, which never spike."""

    beta: Tensor

    def __init__(self, plan: LayerPlan, generator: Generator) -> None:
        super().__init__()
        hold_beta(self, plan, generator)

    def forward(self, currents: Tensor, steps: int) -> tuple[None, Tensor]:
        """See `Population.forward`."""
        return None, leaky_integrator(currents, self.beta, steps=steps)


@final
class RecurrentLif(Population):
    """Leaky integrate-and-fire neurons whose spikes reach each other one step later."""

    beta: Tensor

    def __init__(self, plan: LayerPlan, generator: Generator) -> None:
        super().__init__()
        neuron, n = plan.neuron, plan.outputs[0]
        self.threshold, self._reset = neuron.threshold, neuron.reset
        self.gradient = build_spike_gradient(neuron.spike_gradient)
        hold_beta(self, plan, generator)
        bound = 1.0 / math.sqrt(n)
        weight = torch.empty(n, n).uniform_(-bound, bound, generator=generator)
        self.recurrent_weight = nn.Parameter(weight)

    def forward(self, currents: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """See `Population.forward`."""
        return recurrent_lif(
            currents,
            self.recurrent_weight,
            self.beta,
            self.threshold,
            self.gradient,
            reset=self._reset,
            steps=steps,
        )

    def operations(self, spike_counts: Tensor) -> int:
        """See `Population.operations`."""
        return effective_operations(spike_counts, self.recurrent_weight)


@final
class NoNeurons(Population):
    """Hands on what reaches it; its membrane is the current itself, never repeated."""

    def forward(self, currents: Tensor, steps: int) -> tuple[None, Tensor]:
        """See `Population.forward`."""
        return None, currents


def build_population(plan: LayerPlan, generator: Generator) -> Population:
    """The neurons of a layer."""
    if plan.config.kind == "recurrent":
        return RecurrentLif(plan, generator)
    match plan.neuron.kind:
        case "lif":
            return Lif(plan, generator)
        case "cuba":
            return Cuba(plan, generator)
        case "alif":
            return Alif(plan)
        case "integrator":
            return Integrator(plan, generator)
        case "none":
            return NoNeurons()
