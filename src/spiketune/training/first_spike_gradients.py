"""Gradients of plain networks of first spike times without a tape, for little work per batch.

The same kernels in the same order as under autograd, and the chain rule of delays written out:
on small networks autograd would cost more than what it differentiates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketune.config.first_spike import SpikeLoss
from spiketune.snn.first_spike import FirstSpikeLayer, FirstSpikeNetwork
from spiketune.snn.spike_delays import SpikeDelays

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Passed:
    """What a layer keeps of a batch: its input, arrays of the kernel, and spikes."""

    times: Floats
    weights: Floats
    delays: Floats | None
    spikes: Any


@final
class PlainGradients:
    """Sets the gradients of a network that `is_plain`.

    Args:
        network: The network.
        loss: What is differentiated.
    """

    def __init__(self, network: FirstSpikeNetwork, loss: SpikeLoss) -> None:
        from spiketune.snn.kernels import first_spike as kernel

        self._kernel, self._layers, self._loss = kernel, network.layers, loss
        self._ratio = network.config.tau_ratio
        limit = network.config.largest_dw
        self._largest_dw = float("inf") if limit is None else limit
        self._passed: list[_Passed] = []

    def forward(self, times: Tensor) -> tuple[Tensor, ...]:
        """As the network's `forward`; keeps what `backward` needs."""
        self._passed, found = [], []
        values = times.numpy()
        for layer in self._layers:
            weights = np.ascontiguousarray(layer.weight.detach().numpy().T)
            delays, late = None, None
            if layer.delay is not None:
                late = _effective(layer.delay)
                if layer.delay.config.kind == "axonal":
                    values = values + late[:, 0]
                elif layer.delay.config.kind == "synaptic":
                    delays = np.ascontiguousarray(late.T)[np.newaxis]
            level = layer.thresholds.numpy() / self._ratio
            spikes = self._kernel.forward(values, weights, delays, self._ratio, level)
            self._passed.append(_Passed(values, weights, delays, spikes))
            values = spikes.times
            if late is not None and layer.delay is not None:
                values = values + late[0] if layer.delay.config.kind == "dendritic" else values
            found.append(torch.from_numpy(values))
        return tuple(found)

    def backward(self, grad: Tensor) -> None:
        """Set `grad` of every weight and delay, for that of the output, (B, K)."""
        values = grad.numpy()
        for layer, kept in zip(reversed(self._layers), reversed(self._passed), strict=True):
            found = self._kernel.backward(
                values,
                kept.times,
                kept.weights,
                kept.delays,
                self._ratio,
                kept.spikes,
                self._largest_dw,
            )
            layer.weight.grad = torch.from_numpy(np.ascontiguousarray(found.weights.T))
            if layer.delay is not None:
                kind = layer.delay.config.kind
                if kind == "axonal":
                    late = found.times.sum(axis=0)[:, np.newaxis]
                elif kind == "dendritic":
                    late = values.sum(axis=0)[np.newaxis]
                elif found.delays is not None:
                    late = found.delays[0].T
                _set_gradient(layer.delay, late)
            values = found.times


def is_plain(network: FirstSpikeNetwork) -> bool:
    """Whether a network has neither noise nor anything else that needs the tape."""
    config = network.config
    if config.euler is not None or config.weights.rounding is not None or network.is_noisy:
        return False
    return config.loss.delay_l2 == 0.0 and all(_layer_is_plain(layer) for layer in network.layers)


def _layer_is_plain(layer: FirstSpikeLayer) -> bool:
    config = layer.config
    return config.trainable and config.multiplex == 1 and not config.biases


def _effective(delay: SpikeDelays) -> Floats:
    config = delay.config
    values: Floats = delay.parameter.detach().numpy()
    if config.positivity == "sigmoid":
        values = config.shift + config.scale / (1.0 + np.exp(-values))
    if config.share_inputs > 1:
        values = values.repeat(config.share_inputs, axis=0)
    if config.share_neurons > 1:
        values = values.repeat(config.share_neurons, axis=1)
    return values


def _set_gradient(delay: SpikeDelays, late: Floats) -> None:
    """Give the parameter its gradient, for that of the effective delays."""
    config, parameter = delay.config, delay.parameter
    rows, columns = parameter.shape
    if config.share_inputs > 1 or config.share_neurons > 1:
        shared = (rows, config.share_inputs, columns, config.share_neurons)
        late = late.reshape(shared).sum(axis=(1, 3))
    if config.positivity == "sigmoid":
        share = 1.0 / (1.0 + np.exp(-parameter.detach().numpy()))
        late = config.scale * share * (1.0 - share) * late
    parameter.grad = torch.from_numpy(np.ascontiguousarray(late))
