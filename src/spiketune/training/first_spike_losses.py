"""Losses on first spike times, and the class that they tell. `B` batch, `K` classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spiketune.config.first_spike import SpikeLoss

COST_OF_SILENCE = 100.0
NO_CLASS = -1


def time_losses(times: Tensor, labels: Tensor, config: SpikeLoss) -> Tensor:
    """The loss of each sample; one whose label's neuron is silent costs 100, without gradient.

    Args:
        times: Spike times of the output, (B, K).
        labels: (B,).
        config: Which loss.

    Returns:
        (B,).

    Source: Göltz et al. (2021), arXiv:1912.11443, equation 15, for `ttfs`.
    """
    own = times.gather(1, labels.unsqueeze(1))
    silent = times.isinf() if config.name != "ttfs" else own.isinf()
    lost = silent.any(dim=1)
    # Infinite times would turn gradients of 0 into no numbers.
    there = times.isfinite()
    safe = torch.where(there, times, times.new_zeros(()))
    safe_own = torch.where(own.isfinite(), own, own.new_zeros(()))
    match config.name:
        case "ttfs":
            scores = (-safe / config.xi).masked_fill(~there, -torch.inf)
            scores = torch.where(lost.unsqueeze(1), torch.zeros_like(scores), scores)
            losses = functional.cross_entropy(scores, labels, reduction="none")
        case "time_mse":
            wanted = torch.full_like(safe, config.wrong).scatter(
                1, labels.unsqueeze(1), config.correct
            )
            losses = 0.5 * (safe - wanted).square().sum(dim=1)
        case "shift_invariant_mse":
            wanted = torch.full_like(safe, config.gap)
            wanted = wanted.scatter(1, labels.unsqueeze(1), 0.0)
            losses = 0.5 * (safe - safe_own - wanted).square().sum(dim=1)
    return torch.where(lost, losses.new_full((), COST_OF_SILENCE), losses)


def classes(times: Tensor, config: SpikeLoss) -> Tensor:
    """Class that each sample is told to be, (B,); -1 where no output neuron spikes."""
    distance = (times - config.correct).abs() if config.name == "time_mse" else times
    nearest = distance.argmin(dim=1)
    return nearest.masked_fill(times.isinf().all(dim=1), NO_CLASS)
