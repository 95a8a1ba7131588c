"""Losses on first spike times, and the class that they tell. `B` batch, `K` classes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spiketune.config.first_spike import SpikeLoss
from spiketune.snn.first_spike import FirstSpikeNetwork

NO_CLASS = -1


def losses_and_gradients(times: Tensor, labels: Tensor, config: SpikeLoss) -> tuple[Tensor, Tensor]:
    """The loss of each sample, (B,), and its derivatives, (B, K); see `time_losses`."""
    from spiketune.snn.kernels import spike_losses as kernel

    kind, first, second = {
        "ttfs": (kernel.TTFS, config.xi, 0.0),
        "time_mse": (kernel.TIME_MSE, config.correct, config.wrong),
        "shift_invariant_mse": (kernel.SHIFT_INVARIANT_MSE, config.gap, 0.0),
    }[config.name]
    early = config.early_output
    alpha, beta = (0.0, 1.0) if early is None else (early.alpha, early.beta)
    losses, gradients = np.empty(len(times)), np.empty(tuple(times.shape))
    scales = np.array([first, second, alpha, beta])
    given = times.detach().contiguous().numpy()
    kernel.losses_and_gradients(given, labels.numpy(), kind, scales, losses, gradients)
    return torch.from_numpy(losses), torch.from_numpy(gradients)


class _Losses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, times: Tensor, labels: Tensor, config: SpikeLoss) -> Tensor:
        losses, ctx.gradients = losses_and_gradients(times, labels, config)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.gradients * grad.unsqueeze(1), None, None


def time_losses(times: Tensor, labels: Tensor, config: SpikeLoss) -> Tensor:
    """The loss of each sample; one whose label's neuron is silent costs 100, without gradient.

    Args:
        times: Spike times of the output, float64, (B, K).
        labels: (B,).
        config: Which loss.

    Returns:
        (B,).

    Source: Göltz et al. (2021), arXiv:1912.11443, equation 15, for `ttfs`.
    """
    losses = _Losses.apply(times.double(), labels, config)  # type: ignore[no-untyped-call]
    return cast(Tensor, losses)


def delay_penalty(network: FirstSpikeNetwork) -> Tensor:
    """`delay_l2` times the mean square of the delays of each layer, summed over layers."""
    strength = network.config.loss.delay_l2
    squares = [
        layer.delay.delays.square().mean() for layer in network.layers if layer.delay is not None
    ]
    if not squares or strength == 0.0:
        return torch.zeros((), dtype=torch.float64)
    return strength * torch.stack(squares).sum()


def classes(times: Tensor, config: SpikeLoss) -> Tensor:
    """Class that each sample is told to be, (B,); -1 where the neuron that tells is silent."""
    if config.name == "shift_invariant_mse" and config.gap < 0.0:
        told = times.argmax(dim=1)  # a silent one is later than all others
    else:
        distance = (times - config.correct).abs() if config.name == "time_mse" else times
        told = distance.argmin(dim=1)
    spiked = times.gather(1, told.unsqueeze(1)).squeeze(1).isfinite()
    return told.masked_fill(~spiked, NO_CLASS)
