"""Grids of hardware: which values there are, and that gradients pass."""

import pytest
import torch

from spiketune.snn.neurons import AlifParameters, alif
from spiketune.snn.quantisation import quantized, quantized_alif, quantized_weights
from spiketune.snn.spike_gradients import ATan


def test_values_go_to_the_nearest_step_and_gradients_pass_straight_through() -> None:
    values = torch.tensor([0.0, 0.12, 0.13, -0.4, 0.375], requires_grad=True)
    found = quantized(values, 0.25)
    assert found.tolist() == [0.0, 0.0, 0.25, -0.5, 0.5]
    (found * torch.arange(5.0)).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert quantized(0.13, 0.25) == 0.25


def test_weights_have_256_values_and_no_gradient_beyond_the_ends() -> None:
    weights = torch.linspace(-6.0, 6.0, 20_001, requires_grad=True)
    found = quantized_weights(weights)
    found.sum().backward()
    values = found.detach().unique()
    assert len(values) == 256
    assert (values[0].item(), values[-1].item()) == (-4.0, 3.96875)
    assert values.diff().unique().tolist() == [2 / 64]
    inside = (weights.detach() >= -4.0) & (weights.detach() <= 3.96875)
    assert weights.grad is not None
    assert torch.equal(weights.grad, inside.float())


def test_a_quantized_neuron_is_the_neuron_of_the_rounded_parameters_and_learns() -> None:
    decay = torch.tensor(0.1234, requires_grad=True)
    given = AlifParameters(decay, 0.03, 0.1, 0.2, 1.26, 0.11)
    rounded = AlifParameters(505 / 4096, 123 / 4096, 410 / 4096, 819 / 4096, 81 / 64, 7 / 64)
    currents = torch.rand(20, 3, 4, generator=torch.Generator().manual_seed(0))
    spikes, membrane = alif(currents, quantized_alif(given), ATan())
    expected = alif(currents, rounded, ATan())
    assert spikes.any()
    assert torch.equal(spikes, expected[0])
    assert torch.equal(membrane, expected[1])
    membrane.sum().backward()
    assert decay.grad is not None
    assert decay.grad != 0


@pytest.mark.parametrize("low", [1e-6, 0.007, 1 / 128, 1 / 64])
def test_a_threshold_below_the_grid_is_one_step_and_without_input_nothing_spikes(
    low: float,
) -> None:
    for threshold in (low, torch.tensor([low, low])):
        found = quantized_alif(AlifParameters(0.1, 0.1, 0.1, 0.1, threshold, 0.001))
        assert torch.as_tensor(found.threshold).tolist() in (1 / 64, [1 / 64] * 2)
        assert found.threshold_step == 0.0
        spikes, _ = alif(torch.zeros(10, 3, 2), found, ATan())
        assert not spikes.any()
