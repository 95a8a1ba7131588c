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
from torch.nn.functional import conv2d


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


def conv2d_operations(
    input_counts: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> int:
    """Number of operations of one convolution.

    Args:
        input_counts: How often each input was not zero, over samples and time steps, (C, H, W).
        weight: (C_out, C, kernel height, kernel width).
        stride: Height and width.
        padding: Height and width, zeros on every side.

    Returns:
        Sum over the inputs of count times number of weights, not zero, that meet it.
    """
    used = (weight != 0).double()
    return int(conv2d(input_counts.double().unsqueeze(0), used, None, stride, padding).sum())


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
    outputs: inputs at a border, which a kernel reaches less often, count less.

    Times how often each input was not zero, summed, this is the effective operations of the
    layer, without leaving the device.

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
