"""What carries spikes to the neurons of a layer: dense and convolutional weights, and pools."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, cast, final

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from spiketune.config.architecture import LayerPlan, pair, stride_of
from spiketune.metrics.energy import conv2d_operations, effective_operations
from spiketune.snn.quantisation import quantized_weights
from spiketune.snn.sparse import Input, SparseFrames, event_linear


class Synapses(nn.Module, ABC):
    """Turns what reaches a layer into the currents of its neurons, at all time steps at once.

    Attributes:
        needs_every_step: Whether an input that is the same at every step must be repeated.
    """

    needs_every_step = False

    @abstractmethod
    def forward(self, inputs: Tensor, *, training: bool) -> Tensor:
        """Currents.

        Args:
            inputs: (T, B, *inputs), or (1, B, *inputs) where they are the same at every step.
            training: Whether weights are being learned.

        Returns:
            (T, B, *outputs), or (1, B, *outputs).
        """

    @abstractmethod
    def operations(self, input_counts: Tensor) -> int:
        """Weights that are used, for inputs that were not zero so many times, (*inputs)."""


class WeightedSynapses(Synapses):
    """Synapses with weights, which are used as they are or on the grid of hardware."""

    weight: Tensor
    bias: Tensor | None
    on_grid = False

    @property
    def used_weight(self) -> Tensor:
        """The weights that spikes meet."""
        return quantized_weights(self.weight) if self.on_grid else self.weight


def draw_weights(
    owner: nn.Module, shape: tuple[int, ...], generator: Generator, *, bias: bool, norm: bool
) -> None:
    """Give a module `weight` and `bias` as `torch.nn.Linear` starts them.

    Uniform within 1/sqrt(fan in).

    Args:
        owner: The module.
        shape: Of the weight, outputs first.
        generator: Draws weight and bias, in this order.
        bias: Whether there is one; None is registered otherwise.
        norm: Whether each output's weights are held as direction and length, as in Salimans
            and Kingma (2016), arXiv:1602.07868.
    """
    bound = 1.0 / math.sqrt(math.prod(shape[1:]))
    weight = torch.empty(shape).uniform_(-bound, bound, generator=generator)
    owner.weight = nn.Parameter(weight)
    if bias:
        start = torch.empty(shape[0]).uniform_(-bound, bound, generator=generator)
        owner.bias = nn.Parameter(start)
    else:
        owner.register_parameter("bias", None)
    if norm:
        parametrizations.weight_norm(owner)


@final
class Dense(WeightedSynapses):
    """A weight from every input to every neuron."""

    def __init__(self, plan: LayerPlan, generator: Generator) -> None:
        super().__init__()
        self.on_grid = plan.neuron.quantize
        layer, shape = plan.config, (plan.outputs[0], plan.inputs[0])
        draw_weights(self, shape, generator, bias=layer.bias, norm=layer.weight_norm)

    def forward(self, inputs: Input, *, training: bool) -> Tensor:
        """See `Synapses.forward`; takes lists of events too."""
        if isinstance(inputs, SparseFrames):
            return event_linear(inputs, self.used_weight, self.bias)
        return functional.linear(inputs, self.used_weight, self.bias)

    def operations(self, input_counts: Tensor) -> int:
        """See `Synapses.operations`."""
        return effective_operations(input_counts, self.used_weight)


@final
class Conv(WeightedSynapses):
    """A convolution over height and width; memory is laid out channels last."""

    def __init__(self, plan: LayerPlan, generator: Generator) -> None:
        super().__init__()
        self.on_grid = plan.neuron.quantize
        layer = plan.config
        self._stride, self._padding = stride_of(layer), pair(layer.padding)
        shape = (plan.outputs[0], plan.inputs[0], *pair(layer.kernel or 1))
        draw_weights(self, shape, generator, bias=layer.bias, norm=layer.weight_norm)

    def forward(self, inputs: Tensor, *, training: bool) -> Tensor:
        """See `Synapses.forward`."""
        pictures = as_pictures(inputs)
        weight = self.used_weight.contiguous(memory_format=torch.channels_last)
        currents = functional.conv2d(pictures, weight, self.bias, self._stride, self._padding)
        return currents.view(*inputs.shape[:2], *currents.shape[1:])

    def operations(self, input_counts: Tensor) -> int:
        """See `Synapses.operations`."""
        return conv2d_operations(input_counts, self.used_weight, self._stride, self._padding)


def _sum_pool(
    pictures: Tensor, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    return functional.avg_pool2d(pictures, kernel, stride, padding, divisor_override=1)


_POOLS: Final[dict[str, Callable[..., Tensor]]] = {
    "sum": _sum_pool,
    "average": functional.avg_pool2d,
    "max": functional.max_pool2d,
}


@final
class Pool(Synapses):
    """The sum, average or maximum over a window, without weights of its own."""

    def __init__(self, plan: LayerPlan) -> None:
        super().__init__()
        layer = plan.config
        self._kind = layer.pool or "sum"
        self._window = (pair(layer.kernel or 1), stride_of(layer), pair(layer.padding))

    def forward(self, inputs: Tensor, *, training: bool) -> Tensor:
        """See `Synapses.forward`."""
        pooled = _POOLS[self._kind](as_pictures(inputs), *self._window)
        return pooled.view(*inputs.shape[:2], *pooled.shape[1:])

    def operations(self, input_counts: Tensor) -> int:
        """See `Synapses.operations`; a maximum is a comparison, which is not counted."""
        if self._kind == "max":
            return 0
        return int(_sum_pool(input_counts.double().unsqueeze(0), *self._window).sum())


def as_pictures(values: Tensor) -> Tensor:
    """(T, B, C, H, W) as (T * B, C, H, W), channels last in memory."""
    return values.flatten(0, 1).contiguous(memory_format=torch.channels_last)


def build_synapses(plan: LayerPlan, generator: Generator) -> Synapses:
    """The synapses of a layer."""
    layer = plan.config
    if layer.kind == "pool":
        return Pool(plan)
    if layer.kind == "conv":
        return Conv(plan, generator)
    if layer.delay is not None and layer.delay.kind == "synaptic":
        from spiketune.snn.delays import DelayedDense

        return cast(Synapses, DelayedDense(plan, generator))
    return Dense(plan, generator)
