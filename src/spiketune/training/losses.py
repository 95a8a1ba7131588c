"""Losses on the output spikes. Letters: `T` time steps, `B` batch, `K` classes."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from spiketune.config.training import Loss

LossFunction = Callable[[Tensor, Tensor], Tensor]


def count_mse(
    output_spikes: Tensor, labels: Tensor, correct_rate: float, incorrect_rate: float
) -> Tensor:
    """Squared distance of each class's spike count from its target count.

    Args:
        output_spikes: Zeros and ones, (T, B, K).
        labels: (B,).
        correct_rate: Spikes per step wanted of the label's neuron, in [0, 1]; the target count
            is int(correct_rate * T).
        incorrect_rate: Spikes per step wanted of the others.

    Returns:
        Scalar: the mean over batch and classes, divided by T.

    Source: `mse_count_loss` of snnTorch.
    """
    T = output_spikes.shape[0]
    counts = output_spikes.sum(dim=0)
    targets = counts.new_full(counts.shape, int(incorrect_rate * T))
    targets.scatter_(1, labels.unsqueeze(1), int(correct_rate * T))
    return functional.mse_loss(counts, targets) / T


def rate_cross_entropy(output_spikes: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the output at every step, averaged over steps and batch.

    Args:
        output_spikes: Zeros and ones, (T, B, K), taken as logits.
        labels: (B,).

    Returns:
        Scalar.

    Source: `ce_rate_loss` of snnTorch.
    """
    return functional.cross_entropy(
        output_spikes.flatten(0, 1), labels.repeat(output_spikes.shape[0])
    )


def build_loss(config: Loss) -> LossFunction:
    """The loss that a configuration names, as a function of output spikes and labels."""
    if config.name == "rate_cross_entropy":
        return rate_cross_entropy

    def loss(output_spikes: Tensor, labels: Tensor) -> Tensor:
        return count_mse(output_spikes, labels, config.correct_rate, config.incorrect_rate)

    return loss
