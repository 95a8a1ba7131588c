"""Gradients of plain networks of first spike times without a tape, several networks at once.

The same kernels in the same order as under autograd, and the chain rule of delays written out:
on small networks autograd, and every call beside the kernels, would cost more than what is
differentiated. Parameters of a pack of networks lie in one array per layer, so that a call serves
them all; a network alone is a pack of one. Letters: `G` networks, `B` batch, `M` neurons,
`n` inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spiketune.config.first_spike import SpikeDelay, is_plain
from spiketune.snn.first_spike import FirstSpikeLayer, FirstSpikeNetwork
from spiketune.snn.spike_delays import SpikeDelays

Floats = NDArray[np.float64]


@final
class PackGradients:
    """Spike times of a pack of networks of one shape, and the gradients of what they learn.

    From here on the parameters of the networks are views into the arrays of the pack.

    Args:
        networks: Networks of one configuration, which `is_plain`.
    """

    def __init__(self, networks: Sequence[FirstSpikeNetwork]) -> None:
        config = networks[0].config
        if not is_plain(config) or any(network.config != config for network in networks):
            raise ValueError("a pack takes plain networks of one configuration")
        stacks = zip(*(network.layers for network in networks), strict=True)
        self._layers = [_PackedLayer(layers) for layers in stacks]

    def forward(self, times: Floats, *, keep: bool = True) -> list[Floats]:
        """Spike times of every layer, (G, B, M) each.

        Args:
            times: Of the inputs, (G, B, n).
            keep: Whether `backward` will follow.
        """
        found = []
        for layer in self._layers:
            times = layer.forward(times, keep=keep)
            found.append(times)
        return found

    def backward(self, grad: Floats, which: Sequence[bool] | None = None) -> None:
        """Set `grad` of every weight and delay.

        Args:
            grad: Of the output's times, (G, B, K).
            which: Networks that are to learn; the others have None as gradients. All if None.
        """
        for layer in reversed(self._layers):
            grad = layer.backward(grad, which)


@dataclass(frozen=True, slots=True)
class _Passed:
    """What a layer keeps of a batch: its input, arrays of the kernel, and spikes."""

    times: Floats
    weights: Floats
    delays: Floats
    spikes: Any


@final
class _PackedLayer:
    """A layer of all networks of a pack."""

    def __init__(self, layers: Sequence[FirstSpikeLayer]) -> None:
        from spiketune.snn.kernels import first_spike as kernel

        network = layers[0].network
        self._kernel, self._layers, self._ratio = kernel, layers, network.tau_ratio
        self._largest_dw = float("inf") if network.largest_dw is None else network.largest_dw
        self._weights = _Stack([layer.weight for layer in layers])
        self._config = layers[0].config.delay
        delays = [layer.delay for layer in layers if layer.delay is not None]
        self._delays = _PackedDelays(delays, self._config) if self._config is not None else None
        self._passed: _Passed | None = None

    def forward(self, times: Floats, *, keep: bool) -> Floats:
        """Spike times, (G, B, M)."""
        weights = np.ascontiguousarray(self._weights.values.transpose(0, 2, 1))
        delays, late = np.empty((len(weights), 0, *weights.shape[1:])), None
        kind = None if self._config is None else self._config.kind
        if self._delays is not None:
            late = self._delays.effective()
            if kind == "axonal":
                times = times + late.transpose(0, 2, 1)
            elif kind == "synaptic":
                delays = np.ascontiguousarray(late.transpose(0, 2, 1))[:, np.newaxis]
        level = np.stack([layer.thresholds.numpy() for layer in self._layers]) / self._ratio
        spikes = self._kernel.forward_pack(times, weights, delays, self._ratio, level)
        if keep:
            self._passed = _Passed(times, weights, delays, spikes)
        return spikes.times + late if late is not None and kind == "dendritic" else spikes.times

    def backward(self, grad: Floats, which: Sequence[bool] | None) -> Floats:
        """Set the gradients of weights and delays; that of the input times, (G, B, n)."""
        if self._passed is None:
            raise ValueError("backward before a forward that keeps what it needs")
        kept, self._passed = self._passed, None
        found = self._kernel.backward_pack(
            grad,
            kept.times,
            kept.weights,
            kept.delays,
            self._ratio,
            kept.spikes,
            self._largest_dw,
        )
        self._weights.learn(found.weights.transpose(0, 2, 1), which)
        if self._delays is not None and self._config is not None:
            if self._config.kind == "axonal":
                late = found.times.sum(axis=1)[:, :, np.newaxis]
            elif self._config.kind == "dendritic":
                late = grad.sum(axis=1)[:, np.newaxis]
            elif found.delays is not None:
                late = found.delays[:, 0].transpose(0, 2, 1)
            self._delays.learn(late, which)
        times: Floats = found.times
        return times


@final
class _Stack:
    """The same parameter of all networks, in one array, (G, ., .), and its gradients."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        stacked = torch.stack([parameter.detach() for parameter in parameters])
        for parameter, own in zip(parameters, stacked, strict=True):
            parameter.data = own
        gradients = torch.empty_like(stacked)
        self._own = list(gradients)
        self.values: Floats = stacked.numpy()
        self._gradients: Floats = gradients.numpy()

    def learn(self, gradients: Floats, which: Sequence[bool] | None) -> None:
        """Give every parameter its gradient, or None where it is not to learn."""
        self._gradients[...] = gradients
        for g, (parameter, own) in enumerate(zip(self._parameters, self._own, strict=True)):
            parameter.grad = own if which is None or which[g] else None


@final
class _PackedDelays:
    """The delays of a layer of all networks."""

    def __init__(self, delays: Sequence[SpikeDelays], config: SpikeDelay) -> None:
        self._config = config
        self._stack = _Stack([delay.parameter for delay in delays])

    def effective(self) -> Floats:
        """As `SpikeDelays.delays`, (G, ., .)."""
        config, values = self._config, self._stack.values
        if config.positivity == "sigmoid":
            values = config.shift + config.scale / (1.0 + np.exp(-values))
        if config.share_inputs > 1:
            values = values.repeat(config.share_inputs, axis=1)
        if config.share_neurons > 1:
            values = values.repeat(config.share_neurons, axis=2)
        return values

    def learn(self, late: Floats, which: Sequence[bool] | None) -> None:
        """Give the parameters their gradients, for those of the effective delays."""
        config, values = self._config, self._stack.values
        if config.share_inputs > 1 or config.share_neurons > 1:
            G, rows, columns = values.shape
            shared = (G, rows, config.share_inputs, columns, config.share_neurons)
            late = late.reshape(shared).sum(axis=(2, 4))
        if config.positivity == "sigmoid":
            share = 1.0 / (1.0 + np.exp(-values))
            late = config.scale * share * (1.0 - share) * late
        self._stack.learn(late, which)
