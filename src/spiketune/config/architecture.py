"""What a network section comes to: its layers written out, with the shapes they pass on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from spiketune.config.network import Layer, Network, Neuron, copy_names
from spiketune.errors import ConfigError

Shape: TypeAlias = tuple[int, ...]
"""(N,) of plain neurons, (C, H, W) of channels with height and width."""


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """One layer of a network.

    Attributes:
        name: What it is called in reports.
        config: Its section.
        neuron: Its neuron, defaults filled in.
        inputs: Shape of what reaches it; (N,) for dense and recurrent layers.
        outputs: Shape of what it hands on.
        dt_ms: Length of a time step, for time constants given in ms.
        transmission_steps: Time steps that its spikes take to the next layer.
    """

    name: str
    config: Layer
    neuron: Neuron
    inputs: Shape
    outputs: Shape
    dt_ms: float | None = None
    transmission_steps: int = 0


def plan_layers(
    config: Network, input_shape: Shape, n_classes: int, dt_ms: float | None = None
) -> tuple[LayerPlan, ...]:
    """The layers of a network section, repeats written out.

    A layer without a name is called after its index; copies are called `name_0`, `name_1`, ...

    Args:
        config: The `network` section.
        input_shape: Shape of a sample at one time step.
        n_classes: Number of output neurons.
        dt_ms: Length of a time step, for time constants given in ms.

    Raises:
        ConfigError: If a kernel does not fit its input or its padding.
    """
    plans: list[LayerPlan] = []
    shape = input_shape
    for index, layer in enumerate(config.layers):
        neuron = config.neuron_of(layer)
        last = index == len(config.layers) - 1
        for name in copy_names(layer, index):
            outputs = _outputs(layer, name, shape, n_classes)
            spatial = layer.kind in ("conv", "pool")
            inputs = shape if spatial else (math.prod(shape),)
            steps = 0 if last else config.transmission_steps
            plans.append(LayerPlan(name, layer, neuron, inputs, outputs, dt_ms, steps))
            shape = outputs
    return tuple(plans)


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of a size that may be one number."""
    return (size, size) if isinstance(size, int) else size


def stride_of(layer: Layer) -> tuple[int, int]:
    """Height and width of the stride: 1 for a convolution, the kernel for a pool, unless given."""
    if layer.stride is not None:
        return pair(layer.stride)
    return (1, 1) if layer.kind == "conv" or layer.kernel is None else pair(layer.kernel)


def _outputs(layer: Layer, name: str, inputs: Shape, n_classes: int) -> Shape:
    if layer.kind == "dense":
        return (n_classes,) if layer.dense == "classes" else (int(layer.dense or 0),)
    if layer.recurrent is not None:
        return (layer.recurrent,)
    where = f"trial.network.layers.{name}"
    if len(inputs) != 3:
        raise ConfigError(
            where,
            f"`{layer.kind}` needs an input with height and width, got {math.prod(inputs)} values",
        )
    channels, *sizes = inputs
    kernel, stride, padding = pair(layer.kernel or 1), stride_of(layer), pair(layer.padding)
    if layer.pool is not None and any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ConfigError(
            f"{where}.padding",
            f"{padding[0]} x {padding[1]} is more than half the kernel of {kernel[0]} x "
            f"{kernel[1]}, so that some windows of the pool would be empty; take less",
        )
    left = []
    for size, k, s, p in zip(sizes, kernel, stride, padding, strict=True):
        if size + 2 * p < k:
            height, width = sizes
            raise ConfigError(
                where,
                f"the kernel of {kernel[0]} x {kernel[1]} does not fit its input of "
                f"{height} x {width}; take a smaller `kernel`, more `padding`, or fewer layers",
            )
        left.append((size + 2 * p - k) // s + 1)
    return (channels if layer.conv is None else layer.conv, *left)
