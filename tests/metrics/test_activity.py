"""Activity measures, against examples written by hand."""

import pytest
import torch

from spiketune.metrics.activity import firing_rate, n_silent, silent_share, spikes_per_sample

# Three samples over two steps and two neurons, with 0, 1 and 3 spikes.
SPIKES = torch.tensor([[[0, 0], [1, 0], [1, 1]], [[0, 0], [0, 0], [0, 1]]]).float()


@pytest.mark.parametrize(("min_spikes", "share"), [(1, 1 / 3), (2, 2 / 3), (3, 2 / 3), (4, 1.0)])
def test_a_sample_with_fewer_spikes_than_the_bound_is_silent(min_spikes: int, share: float) -> None:
    assert silent_share(SPIKES, min_spikes).item() == pytest.approx(share)


def test_silent_samples_are_counted_from_counts_too() -> None:
    assert n_silent(SPIKES.sum(dim=0), 2) == 2


def test_a_bound_of_zero_spikes_is_refused() -> None:
    with pytest.raises(ValueError, match="min_spikes must be >= 1, got 0"):
        silent_share(SPIKES, 0)


def test_spikes_of_all_layers_are_averaged_over_samples() -> None:
    assert spikes_per_sample([SPIKES, SPIKES]).item() == pytest.approx(8 / 3)


def test_the_firing_rate_is_spikes_per_neuron_and_step() -> None:
    assert firing_rate(SPIKES).item() == pytest.approx(4 / 12)
