"""Values on the grids of neuromorphic hardware, with gradients as if they were not.

Forward, a value is rounded to the nearest step; backward, the gradient passes straight through
(Bengio et al. (2013), arXiv:1308.3432). The grids are those of SLAYER's blocks: decays in steps
of 1/4096, thresholds in steps of 1/64 from 1/64 on, weights in steps of 2/64 from -4 to 4 - 2/64.
"""

from __future__ import annotations

from typing import Final, cast, overload

import torch
from torch import Tensor

from spiketune.snn.neurons import AlifParameters

DECAY_STEP: Final = 1.0 / 4096
THRESHOLD_STEP: Final = 1.0 / 64
WEIGHT_STEP: Final = 2.0 / 64
LOWEST_WEIGHT: Final = -4.0
HIGHEST_WEIGHT: Final = 4.0 - WEIGHT_STEP


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, values: Tensor, step: float) -> Tensor:
        return values.div(step).round_().mul_(step)

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


@overload
def quantized(values: Tensor, step: float) -> Tensor: ...
@overload
def quantized(values: float, step: float) -> float: ...
def quantized(values: float | Tensor, step: float) -> float | Tensor:
    """Values rounded to multiples of a step, halves to even ones.

    Args:
        values: Any shape; or one number.
        step: Positive; a power of two is exact in binary.

    Returns:
        Shaped as the values; the gradient passes as if nothing had happened.
    """
    if not isinstance(values, Tensor):
        return round(values / step) * step
    return cast(Tensor, _Rounded.apply(values, step))  # type: ignore[no-untyped-call]


def quantized_weights(weights: Tensor) -> Tensor:
    """Weights in steps of 2/64, clamped to [-4, 3.96875], outside of which the gradient is 0."""
    return quantized(weights.clamp(LOWEST_WEIGHT, HIGHEST_WEIGHT), WEIGHT_STEP)


def quantized_alif(parameters: AlifParameters) -> AlifParameters:
    """Decays in steps of 1/4096, thresholds in steps of 1/64.

    A threshold is at least one step: at zero a neuron would spike at every step, input or none.
    What a spike adds to it may be zero.
    """
    threshold = parameters.threshold
    if isinstance(threshold, Tensor):
        threshold = threshold.clamp(min=THRESHOLD_STEP)
    else:
        threshold = max(threshold, THRESHOLD_STEP)
    return AlifParameters(
        current_decay=quantized(parameters.current_decay, DECAY_STEP),
        voltage_decay=quantized(parameters.voltage_decay, DECAY_STEP),
        threshold_decay=quantized(parameters.threshold_decay, DECAY_STEP),
        refractory_decay=quantized(parameters.refractory_decay, DECAY_STEP),
        threshold=quantized(threshold, THRESHOLD_STEP),
        threshold_step=quantized(parameters.threshold_step, THRESHOLD_STEP),
    )
