"""A dense layer of leaky integrate-and-fire neurons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from spiketune.config.training import Neuron
from spiketune.snn.neurons import lif
from spiketune.snn.spike_gradients import build_spike_gradient

# The decay where neither `beta` nor `tau_mem_ms` is given: snnTorch's tutorials, whose
# networks spike neither too little nor too much with it.
DEFAULT_BETA = 0.9


def decay(neuron: Neuron, dt_ms: float | None) -> float | None:
    """Decay per step of a neuron; None where each neuron draws its own from U(0, 1).

    Raises:
        ValueError: If a time constant is given without the length of a step.
    """
    if neuron.tau_mem_ms is not None:
        if dt_ms is None:
            raise ValueError("tau_mem_ms needs dt_ms, the length of a time step")
        return math.exp(-dt_ms / neuron.tau_mem_ms)
    if neuron.beta == "uniform":
        return None
    return DEFAULT_BETA if neuron.beta is None else neuron.beta


@dataclass(frozen=True, slots=True)
class DenseShape:
    """What one dense layer is: its name and sizes, its neuron, and its dropout."""

    name: str
    n_inputs: int
    n_neurons: int
    neuron: Neuron
    beta: float | None
    dropout: float = 0.0


class DenseLif(nn.Module):
    """Weights and bias into leaky integrate-and-fire neurons.

    Weights start as those of `torch.nn.Linear`: uniform within 1/sqrt(n_inputs).

    Args:
        shape: What the layer is.
        generator: Draws weights, bias and, where asked for, the decays, in this order.
    """

    beta: Tensor

    def __init__(self, shape: DenseShape, generator: Generator) -> None:
        super().__init__()
        self.name = shape.name
        self.dropout = shape.dropout
        self.threshold = shape.neuron.threshold
        self.gradient = build_spike_gradient(shape.neuron.spike_gradient)
        bound = 1.0 / math.sqrt(shape.n_inputs)
        weight = torch.empty(shape.n_neurons, shape.n_inputs)
        bias = torch.empty(shape.n_neurons)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(bias.uniform_(-bound, bound, generator=generator))
        if shape.beta is None:
            beta = torch.rand(shape.n_neurons, generator=generator)
        else:
            beta = torch.tensor(shape.beta)
        if shape.neuron.learn_beta:
            self.beta = nn.Parameter(beta)
        else:
            self.register_buffer("beta", beta)

    def forward(self, inputs: Tensor, steps: int) -> Tensor:
        """Spikes of all steps.

        Args:
            inputs: (T, B, N_in), or (1, B, N_in) where the input is the same at every step.
            steps: Number of time steps T.

        Returns:
            Zeros and ones, (T, B, N).
        """
        currents = nn.functional.linear(inputs, self.weight, self.bias)
        return lif(currents, self.beta, self.threshold, self.gradient, steps=steps)[0]


def dropped(spikes: Tensor, share: float, generator: Generator | None) -> Tensor:
    """Spikes with a share of the neurons of each sample left out, the same at every step.

    Args:
        spikes: (T, B, N).
        share: Probability with which a neuron is left out; the rest is scaled up.
        generator: Draws the mask; None means no dropout.

    Returns:
        (T, B, N).
    """
    if generator is None or share == 0.0:
        return spikes
    keep = torch.full(spikes.shape[1:], 1.0 - share, dtype=spikes.dtype, device=spikes.device)
    mask = torch.bernoulli(keep, generator=generator).div_(1.0 - share)
    return spikes * mask
