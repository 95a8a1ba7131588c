"""Loss and gradients of very small networks in one compiled call, instead of autograd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketune.config.training import Training
from spiketune.metrics.activity import n_silent
from spiketune.snn.kernels import fused as kernel
from spiketune.snn.layers import SpikingLayer
from spiketune.snn.networks import SpikingNetwork
from spiketune.snn.populations import Lif
from spiketune.snn.sparse import SparseFrames
from spiketune.snn.synapses import Dense
from spiketune.training.losses import sums_over_batch

# Products of the layers' sizes, summed over all layers: measured, up to where one call is
# faster than matrix products over the whole batch.
MAX_PRODUCTS: Final = 8192
_LANES: Final = 16  # numbers that a compiled loop takes at once
_KINDS: Final = {"squared": 1, "absolute": 2, "hat": 3}
_TYPES: Final = (torch.float32, torch.float64)


@dataclass(frozen=True, slots=True)
class Told:
    """What a train step says of its batch.

    Attributes:
        loss: Mean over the batch.
        counts: Spikes of the output layer, (B, K).
    """

    loss: float
    counts: Tensor

    def summary(self, labels: Tensor, min_spikes: int) -> Tensor:
        """Mean loss, correct and silent samples, (3,)."""
        correct = int((self.counts.argmax(dim=1) == labels).sum())
        silent = int(n_silent(self.counts, min_spikes))
        return torch.tensor([self.loss, correct, silent], dtype=torch.float64)


@final
class FusedGradients:
    """Sets the gradients of all weights of a network from a batch.

    Args:
        network: Made of layers that `can_fuse` accepts.
        config: Its training, with a loss that `can_fuse` accepts.
        steps: Time steps T.
    """

    def __init__(self, network: SpikingNetwork, config: Training, steps: int) -> None:
        self._layers, self._config, self._steps = network.layers, config, steps
        self._table, sizes = _layout(self._layers)
        n_values, n_back, n_neurons = sizes
        like = self._layers[0].weight.detach()
        self._values, self._grad = like.new_zeros(n_values), like.new_zeros(n_values)
        self._back, self._back_grad = like.new_zeros(n_back), like.new_zeros(n_back)
        self._beta, self._beta_grad = like.new_zeros(n_neurons), like.new_zeros(n_neurons)
        self._membranes = like.new_empty(steps * n_neurons).numpy()
        self._events = np.empty(steps * n_neurons, np.int32)
        self._n_events = np.empty((len(self._layers), steps), np.int64)
        self._scratch = like.new_empty((3, n_neurons)).numpy()
        forms = [_form(layer) for layer in self._layers]
        self._forms = torch.tensor(forms, dtype=like.dtype).numpy()
        self._pair_up()

    @torch.no_grad()
    def __call__(self, inputs: Tensor | SparseFrames, labels: Tensor) -> Told:
        """Set `grad` of every weight, whatever it was.

        Args:
            inputs: (T, B, ...), or (1, B, ...) where it is the same at every step.
            labels: (B,).
        """
        frames = inputs if isinstance(inputs, SparseFrames) else SparseFrames.of(inputs)
        given, B, _ = frames.shape
        if given not in (1, self._steps):
            raise ValueError(f"inputs must have 1 or {self._steps} steps, got {given}")
        self._lay_out()
        n_classes = self._layers[-1].plan.outputs[0]
        counts = self._values.new_empty((B, n_classes))
        loss, wanted = self._loss(B, n_classes)
        value: float = kernel.loss_and_gradients(
            frames.starts,
            frames.inputs,
            frames.values.astype(counts.numpy().dtype, copy=False),
            int(given == self._steps),
            labels.numpy(),
            self._steps,
            self._table,
            self._values.numpy(),
            self._back.numpy(),
            self._beta.numpy(),
            self._forms,
            loss,
            wanted,
            bool(self._betas),
            self._grad.numpy(),
            self._back_grad.numpy(),
            self._beta_grad.numpy(),
            counts.numpy(),
            self._membranes,
            self._events,
            self._n_events,
            self._scratch,
        )
        self._hand_out()
        # The kernel's loss and gradients are of one scale, that of the gradients.
        return Told(value / B if sums_over_batch(self._config.loss) else value, counts)

    def _loss(self, n_samples: int, n_classes: int) -> tuple[int, NDArray[np.float64]]:
        loss, T = self._config.loss, self._steps
        if loss.name == "rate_cross_entropy":
            return kernel.CROSS_ENTROPY, np.zeros(3)
        right, wrong = loss.correct_rate * T, loss.incorrect_rate * T
        if loss.name == "spike_rate":
            return kernel.SQUARED, np.array([right, wrong, 1.0 / T**2])
        return kernel.SQUARED, np.array([int(right), int(wrong), 1.0 / (n_samples * n_classes * T)])

    def _pair_up(self) -> None:
        """Find out once what is copied where: weights for the kernel, gradients from it."""
        self._rooms: list[Tensor] = []
        self._given: list[Tensor] = []
        self._learned: list[Tensor] = []
        self._found: list[Tensor] = []
        self._betas: list[tuple[Tensor, Tensor]] = []
        for k, layer in enumerate(self._layers):
            weight, bias, beta, back = self._views(k, self._values, self._beta, self._back)
            found, bias_found, beta_found, back_found = self._views(
                k, self._grad, self._beta_grad, self._back_grad
            )
            narrow = k > 0 and len(layer.weight) <= kernel.NARROW
            self._learn(layer.weight, weight.t(), back_found if narrow else found.t())
            if (own := _bias(layer)) is not None:
                self._learn(own, bias, bias_found)
            decay = _neurons(layer).beta
            self._rooms.append(beta)
            self._given.append(decay.detach().expand_as(beta))
            if decay.requires_grad:
                self._betas.append((decay, beta_found))
            if k > 0:
                self._rooms.append(back)
                self._given.append(layer.weight.detach())
        self._gradients = [torch.empty_like(weight) for weight in self._learned]

    def _learn(self, weight: Tensor, room: Tensor, found: Tensor) -> None:
        self._rooms.append(room)
        self._given.append(weight.detach())
        self._learned.append(weight)
        self._found.append(found)

    def _lay_out(self) -> None:
        """Copy the weights to where the kernel wants them, and forget gradients."""
        torch._foreach_zero_([self._grad, self._back_grad, self._beta_grad])
        torch._foreach_copy_(self._rooms, self._given)
        if self._betas:
            self._beta.clamp_(0.0, 1.0)

    def _hand_out(self) -> None:
        """Give every weight its gradient."""
        torch._foreach_copy_(self._gradients, self._found)
        for weight, gradient in zip(self._learned, self._gradients, strict=True):
            weight.grad = gradient
        for decay, beta in self._betas:
            inside = (decay >= 0.0) & (decay <= 1.0)  # as `clamp` has it
            found = beta.sum() if decay.dim() == 0 else beta
            decay.grad = torch.where(inside, found, 0.0).to(decay.dtype)

    def _views(
        self, k: int, values: Tensor, neurons: Tensor, backs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weight, (n_inputs, n), bias, (n,), decays, (n,), and weight the other way round."""
        n_in, n, width, values_at, back_at, at, _ = self._table[k].tolist()
        bias_at = values_at + n_in * width
        weight = values[values_at:bias_at].view(n_in, width)[:, :n]
        bias, decays = values[bias_at : bias_at + n], neurons[at : at + n]
        below = int(self._table[k - 1, kernel.WIDTH]) if k > 0 else 0
        back = backs[back_at : back_at + n * below].view(n, below)[:, : n_in if k else 0]
        return weight, bias, decays, back


def can_fuse(network: SpikingNetwork, config: Training) -> bool:
    """Whether one call can train a network: its kinds of layers, sizes, loss and device."""
    if config.loss.name == "membrane_cross_entropy" or config.rate_regularization is not None:
        return False
    layers = network.layers
    if not all(_is_simple(layer) for layer in layers):
        return False
    weights = [layer.weight for layer in layers]
    if any(w.device.type != "cpu" or w.dtype not in _TYPES for w in weights):
        return False
    return sum(w.numel() for w in weights) <= MAX_PRODUCTS


def _is_simple(layer: SpikingLayer) -> bool:
    plan = layer.plan
    if plan.config.dropout or plan.config.delay or plan.transmission_steps:
        return False
    if not isinstance(layer.synapses, Dense) or plan.config.weight_norm:
        return False
    neurons = layer.neurons
    if not isinstance(neurons, Lif) or plan.neuron.reset != "subtract":
        return False
    form = neurons.gradient.simple_form()
    return form is not None and form.kind in _KINDS


def _layout(layers: Sequence[SpikingLayer]) -> tuple[NDArray[np.int64], tuple[int, int, int]]:
    """The kernel's table, and the number of weights, of weights back, and of neurons."""
    table = np.zeros((len(layers), 7), np.int64)
    values_at = back_at = neurons_at = below = 0
    for k, layer in enumerate(layers):
        n, n_in = layer.weight.shape
        width = -(-n // _LANES) * _LANES
        form = _neurons(layer).gradient.simple_form()
        kind = _KINDS["hat" if form is None else form.kind]
        table[k] = n_in, n, width, values_at, back_at, neurons_at, kind
        values_at += (n_in + 1) * width
        back_at += width * below
        neurons_at += width
        below = width
    return table, (values_at, back_at, neurons_at)


def _form(layer: SpikingLayer) -> tuple[float, float, float]:
    neurons = _neurons(layer)
    form = neurons.gradient.simple_form()
    if form is None:
        raise ValueError(f"layer '{layer.plan.name}' has a spike gradient without a simple form")
    return neurons.threshold, form.scale, form.gain


def _neurons(layer: SpikingLayer) -> Lif:
    if not isinstance(layer.neurons, Lif):
        raise ValueError(f"layer '{layer.plan.name}' has no plain leaky neurons")
    return layer.neurons


def _bias(layer: SpikingLayer) -> Tensor | None:
    bias = layer.synapses.bias
    return bias if isinstance(bias, Tensor) else None
