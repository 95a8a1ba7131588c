"""How much a network spikes. Letters: `T` time steps, `B` batch, `N` neurons, `K` classes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def n_silent(output_counts: Tensor, min_spikes: int) -> Tensor:
    """Number of samples whose output layer emits fewer than `min_spikes` spikes.

    Args:
        output_counts: Spikes of each output neuron summed over time, (B, K).
        min_spikes: Spikes below which a sample counts as silent, summed over K.

    Returns:
        Scalar integer.

    Raises:
        ValueError: If `min_spikes` is less than 1.
    """
    if min_spikes < 1:
        raise ValueError(f"min_spikes must be >= 1, got {min_spikes}")
    return (output_counts.sum(dim=1) < min_spikes).sum()


def silent_share(output_spikes: Tensor, min_spikes: int) -> Tensor:
    """Share of samples whose output layer emits fewer than `min_spikes` spikes.

    Args:
        output_spikes: Zeros and ones, (T, B, K).
        min_spikes: Spikes below which a sample counts as silent, summed over K and T.

    Returns:
        Scalar in [0, 1].

    Raises:
        ValueError: If `min_spikes` is less than 1.

    Source: Firmin et al. (2024), "Parallel Hyperparameter Optimization Of Spiking Neural
    Networks", arXiv:2403.00450.
    """
    return n_silent(output_spikes.sum(dim=0), min_spikes) / output_spikes.shape[1]


def spikes_per_sample(spikes: Sequence[Tensor]) -> Tensor:
    """Spikes of all layers together, averaged over the samples.

    Args:
        spikes: Zeros and ones of each layer, (T, B, N) each; the input is not among them.

    Returns:
        Scalar.
    """
    total = sum((layer.sum() for layer in spikes), start=spikes[0].new_zeros(()))
    return total / spikes[0].shape[1]


def firing_rate(spikes: Tensor) -> Tensor:
    """Spikes per neuron and step of one layer.

    Args:
        spikes: Zeros and ones, (T, B, N).

    Returns:
        Scalar in [0, 1].
    """
    return spikes.mean()
