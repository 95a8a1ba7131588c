"""Operations a network needs, counted as NeuroBench does.

A weight is used when its input is not zero; weights that are zero cost nothing, and neither
do biases. Inputs that are spikes cost an accumulate (AC) a weight, analogue inputs a
multiply-accumulate (MAC) a weight, at every time step.

Source: Yik et al. (2025), "The neurobench framework for benchmarking neuromorphic computing
algorithms and systems", arXiv:2304.04640.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional


def effective_operations(input_counts: Tensor, weight: Tensor) -> int:
    """Number of operations of one dense layer.

    Args:
        input_counts: How often each input was not zero, over samples and time steps, (N_in,).
        weight: (N, N_in).

    Returns:
        Sum over the inputs of count times number of weights that are not zero.
    """
    fan_out = weight.count_nonzero(dim=0)
    return int((input_counts.long() * fan_out).sum())


def activation_sparsity(n_spikes: int, n_possible: int) -> float:
    """Share of neuron outputs that are zero.

    Args:
        n_spikes: Spikes of all neurons, samples and time steps.
        n_possible: Number of neurons times samples times time steps.
    """
    return 1.0 - n_spikes / n_possible


def fan_out(
    connect: Callable[[Tensor, Tensor], Tensor], weight: Tensor, input_shape: Sequence[int]
) -> Tensor:
    """Number of weights that are not zero which each input of a linear map meets.

    With all weights that are not zero set to one, this is the derivative of the sum of the
    outputs: inputs at a border that a kernel reaches less often count less.

    Args:
        connect: The map without its bias, of inputs (1, ...) and a weight.
        weight: The weight; its type does not matter.
        input_shape: Shape of one input, (...).

    Returns:
        Whole numbers, (...), on the device of the weight.
    """
    place = weight.device
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(place.type, enabled=False),
    ):
        inputs = torch.zeros(1, *input_shape, device=place, requires_grad=True)
        present = (weight.detach() != 0).to(inputs.dtype)
        (met,) = torch.autograd.grad(connect(inputs, present).sum(), inputs)
    return met.squeeze(0).round().long()


def conv2d_fan_out(
    weight: Tensor,
    input_shape: Sequence[int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: str | int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Tensor:
    """Number of weights that are not zero which each input of a convolution meets.

    Args:
        weight: (C_out, C_in / groups, kernel height, kernel width).
        input_shape: (C_in, H, W).
        stride: As of `torch.nn.functional.conv2d`, like the rest.
        padding: Zeros around the input.
        dilation: Distance between the inputs of a kernel.
        groups: Blocks of channels.

    Returns:
        Whole numbers, (C_in, H, W). Times how often each input was not zero, summed: the
        effective operations of the layer.
    """

    def connect(inputs: Tensor, present: Tensor) -> Tensor:
        return functional.conv2d(inputs, present, None, stride, padding, dilation, groups)

    return fan_out(connect, weight, input_shape)
