"""Losses on what a network did, and how a class is read. `T` steps, `B` batch, `K` classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from spiketune.config.training import Loss, RateRegularization, Training
from spiketune.snn.networks import Activity


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


def spike_rate(
    output_spikes: Tensor, labels: Tensor, correct_rate: float, incorrect_rate: float
) -> Tensor:
    """Squared distance of each class's spike rate from its target rate, summed.

    Args:
        output_spikes: Zeros and ones, (T, B, K).
        labels: (B,).
        correct_rate: Spikes per step wanted of the label's neuron, in [0, 1].
        incorrect_rate: Spikes per step wanted of the others.

    Returns:
        Scalar: the sum over batch and classes.

    Source: `SpikeRate` of SLAYER in lava-dl.
    """
    rates = output_spikes.mean(dim=0)
    targets = torch.full_like(rates, incorrect_rate)
    targets.scatter_(1, labels.unsqueeze(1), correct_rate)
    return functional.mse_loss(rates, targets, reduction="sum")


def membrane_cross_entropy(membrane: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the largest membrane over time.

    Args:
        membrane: Of the output layer, (T, B, K).
        labels: (B,).

    Returns:
        Scalar: the mean over the batch.

    Source: Cramer et al. (2022), "The Heidelberg Spiking Data Sets for the Systematic
    Evaluation of Spiking Neural Networks", arXiv:1910.07407, max-over-time loss.
    """
    return functional.cross_entropy(membrane.amax(dim=0), labels)


def rate_penalty(activity: Activity, config: RateRegularization) -> Tensor:
    """How far the rates of neurons lie outside what is wanted.

    Args:
        activity: Of a batch.
        config: The range of rates, and the strength.

    Returns:
        Scalar: `strength` times the mean over all neurons of the squared distance.
    """
    rates = torch.cat([spikes.mean(dim=(0, 1)).flatten() for spikes in activity.spikes])
    outside = rates - rates.clamp(config.min_rate, config.max_rate)
    return config.strength * outside.square().mean()


class BatchLoss(NamedTuple):
    """The loss of a batch: what is differentiated, and what is told.

    Attributes:
        minimised: Scalar whose gradients train the network; some losses are sums over the batch.
        mean: Scalar, the same per sample, so that batches of any size can be compared.
    """

    minimised: Tensor
    mean: Tensor


@dataclass(frozen=True, slots=True)
class LossFunction:
    """The loss of a training section, and the class scores that go with it.

    Attributes:
        of: The loss from what a network did and the labels, (B,).
        scores: Score of each class, (B, K), whose largest is the class.
    """

    of: Callable[[Activity, Tensor], BatchLoss]
    scores: Callable[[Activity], Tensor]

    def __call__(self, activity: Activity, labels: Tensor) -> BatchLoss:
        """The loss."""
        return self.of(activity, labels)


def sums_over_batch(loss: Loss) -> bool:
    """Whether a loss is the sum over the samples of a batch, not their mean."""
    return loss.name == "spike_rate"


def build_loss(config: Training) -> LossFunction:
    """The loss that a training section names, regularisation included."""
    loss, penalty = config.loss, config.rate_regularization

    def of(activity: Activity, labels: Tensor) -> BatchLoss:
        wanted = (loss.correct_rate, loss.incorrect_rate)
        match loss.name:
            case "rate_cross_entropy":
                value = rate_cross_entropy(activity.output, labels)
            case "count_mse":
                value = count_mse(activity.output, labels, *wanted)
            case "spike_rate":
                value = spike_rate(activity.output, labels, *wanted)
            case "membrane_cross_entropy":
                value = membrane_cross_entropy(activity.membrane, labels)
        mean = value / len(labels) if sums_over_batch(loss) else value
        if penalty is None:
            return BatchLoss(value, mean)
        more = rate_penalty(activity, penalty)
        return BatchLoss(value + more, mean + more)

    if loss.name == "membrane_cross_entropy":
        return LossFunction(of, lambda activity: activity.membrane.amax(dim=0))
    return LossFunction(of, lambda activity: activity.output.sum(dim=0))
