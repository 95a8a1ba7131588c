"""Networks of neurons that spike at most once, with exact gradients of when they do.

Times are in units of the synaptic time constant; a spike that never comes has an infinite time.
Letters: `B` batch, `M` neurons, `n` inputs.

Source: Göltz et al. (2021), arXiv:1912.11443; for delays Göltz et al. (2025), "DelGrad: exact
event-based gradients for training delays and weights on spiking neuromorphic hardware".
"""

from __future__ import annotations

import math
from typing import Any, cast, final

import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import once_differentiable

from spiketune.config.first_spike import FirstSpike, InputTimes, SpikeDelay, SpikeLayer, layer_name
from spiketune.seeding import child_seed


class _FirstSpikes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, times: Tensor, weight: Tensor, ratio: int, c: float, largest_dw: float
    ) -> Tensor:
        # Here and not above: a process that never trains such a network needs no compiler.
        from spiketune.snn.kernels import first_spike as kernel

        given = (times.numpy(), weight.numpy(), ratio, c)
        spikes, order, n_causal = kernel.forward(*given)
        ctx.kept = (given, order, spikes, n_causal, largest_dw)
        return torch.from_numpy(spikes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        from spiketune.snn.kernels import first_spike as kernel

        (times, weight, ratio, c), order, spikes, n_causal, largest_dw = ctx.kept
        weight_grad, times_grad, _ = kernel.backward(
            grad.numpy(),
            times,
            order,
            weight,
            ratio,
            c,
            spikes,
            n_causal,
            largest_dw=largest_dw,
        )
        return torch.from_numpy(times_grad), torch.from_numpy(weight_grad), None, None, None


def first_spikes(
    times: Tensor,
    weight: Tensor,
    *,
    ratio: int = 2,
    threshold: float = 1.0,
    largest_dw: float = math.inf,
) -> Tensor:
    """When neurons spike first.

    Args:
        times: Of the inputs, float64 on the CPU, (B, n), or (B, M, n) where every neuron has
            its own.
        weight: (n, M), float64.
        ratio: Time constant of the membrane over that of the synapses, 1 or 2.
        threshold: Above rest.
        largest_dw: A neuron passes no gradient for a sample that would change a weight by more.

    Returns:
        (B, M), infinite for silent neurons, which pass no gradient.
    """
    packed = times.unsqueeze(1) if times.dim() == 2 else times
    spikes = _FirstSpikes.apply(packed, weight, ratio, threshold / ratio, largest_dw)  # type: ignore[no-untyped-call]
    return cast(Tensor, spikes)


@final
class SpikeDelays(nn.Module):
    """Positive delays, (n, 1), (1, M) or (n, M)."""

    def __init__(self, config: SpikeDelay, n: int, n_neurons: int, generator: Generator) -> None:
        super().__init__()
        self.config = config
        shape = {"axonal": (n, 1), "dendritic": (1, n_neurons), "synaptic": (n, n_neurons)}
        start = torch.randn(shape[config.kind], generator=generator, dtype=torch.float64)
        self.parameter = nn.Parameter(config.mean + config.std * start)
        self.settle()

    @property
    def delays(self) -> Tensor:
        """Effective delays."""
        if self.config.positivity == "sigmoid":
            return self.config.scale * torch.sigmoid(self.parameter)
        return self.parameter

    def settle(self) -> None:
        """Make negative delays positive again, after a step of the optimiser."""
        with torch.no_grad():
            if self.config.positivity == "clip":
                self.parameter.clamp_(min=0.0)
            elif self.config.positivity == "shift":
                self.parameter.sub_(self.parameter.min().clamp(max=0.0))


@final
class FirstSpikeLayer(nn.Module):
    """Weights, and delays of what reaches them, into neurons that spike at most once."""

    def __init__(
        self, config: SpikeLayer, network: FirstSpike, n: int, n_neurons: int, generator: Generator
    ) -> None:
        super().__init__()
        self.max_missing = config.max_missing
        self._ratio, self._threshold = network.tau_ratio, network.threshold
        self._largest_dw = math.inf if network.largest_dw is None else network.largest_dw
        start = torch.randn(n, n_neurons, generator=generator, dtype=torch.float64)
        self.weight = nn.Parameter(config.weights_mean + config.weights_std * start)
        self.delay: SpikeDelays | None = None
        if config.delay is not None:
            self.delay = SpikeDelays(config.delay, n, n_neurons, generator)

    def forward(self, times: Tensor) -> Tensor:
        """Spike times.

        Args:
            times: Of the inputs, (B, n).

        Returns:
            (B, M).
        """
        kind = None if self.delay is None else self.delay.config.kind
        if self.delay is not None and kind == "axonal":
            times = times + self.delay.delays.squeeze(1)
        elif self.delay is not None and kind == "synaptic":
            times = times.unsqueeze(1) + self.delay.delays.t()
        spikes = first_spikes(
            times,
            self.weight,
            ratio=self._ratio,
            threshold=self._threshold,
            largest_dw=self._largest_dw,
        )
        if self.delay is not None and kind == "dendritic":
            return spikes + self.delay.delays.squeeze(0)  # later inputs move the spike as much
        return spikes


@final
class FirstSpikeNetwork(nn.Module):
    """Layers one after the other.

    Args:
        config: The `network` section.
        n_inputs: Number of inputs.
        n_classes: Number of output neurons.
        seed: Weights and delays of a layer come from a child seed of its position.
    """

    def __init__(self, config: FirstSpike, n_inputs: int, n_classes: int, seed: int) -> None:
        super().__init__()
        self.config, self.n_inputs, self.n_classes = config, n_inputs, n_classes
        self.names = tuple(layer_name(layer, i) for i, layer in enumerate(config.layers))
        self.stack = nn.ModuleList()
        n = n_inputs
        for index, layer in enumerate(config.layers):
            n_neurons = n_classes if layer.neurons == "classes" else layer.neurons
            generator = Generator().manual_seed(child_seed(seed, "weights", index))
            self.stack.append(FirstSpikeLayer(layer, config, n, n_neurons, generator))
            n = n_neurons

    @property
    def layers(self) -> tuple[FirstSpikeLayer, ...]:
        """The layers from input to output."""
        return tuple(cast("list[FirstSpikeLayer]", list(self.stack)))

    def forward(self, times: Tensor) -> tuple[Tensor, ...]:
        """Spike times of every layer, (B, M) each.

        Args:
            times: Of the inputs, (B, n).
        """
        found = []
        for layer in self.layers:
            times = layer(times)
            found.append(times)
        return tuple(found)

    def settle(self) -> None:
        """Make negative delays positive again, after a step of the optimiser."""
        for layer in self.layers:
            if layer.delay is not None:
                layer.delay.settle()


def input_times(values: Tensor, config: InputTimes) -> Tensor:
    """When inputs spike, for values in [0, 1].

    Args:
        values: (B, n).
        config: Earliest and latest time, and which way round.

    Returns:
        (B, n), float64.
    """
    values = values.double()
    share = 1.0 - values if config.inverted else values
    times = config.early + (config.late - config.early) * share
    return times.masked_fill(values == 0.0, math.inf) if config.silent_zero else times
