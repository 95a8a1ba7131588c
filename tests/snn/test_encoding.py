"""Values that become input over time."""

import pytest
import torch

from spiketune.snn.encoding import encode

VALUES = torch.tensor([[0.0, 0.25, 0.5, 1.0]])


def test_a_constant_input_is_kept_once() -> None:
    assert encode(VALUES, "constant", 10).shape == (1, 1, 4)


def test_rate_spikes_come_as_often_as_the_value_says() -> None:
    spikes = encode(VALUES, "rate", 4000, torch.Generator().manual_seed(0))
    assert spikes.shape == (4000, 1, 4)
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    rates = spikes.mean(dim=(0, 1)).tolist()
    assert rates[0] == 0.0
    assert rates[3] == 1.0
    assert rates[1:3] == pytest.approx([0.25, 0.5], abs=0.03)


def test_rate_spikes_depend_on_the_generator_alone() -> None:
    first, again = (encode(VALUES, "rate", 50, torch.Generator().manual_seed(7)) for _ in range(2))
    other = encode(VALUES, "rate", 50, torch.Generator().manual_seed(8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_latency_gives_one_spike_the_earlier_the_larger_the_value() -> None:
    spikes = encode(VALUES, "latency", 5)
    assert spikes.sum(dim=0).tolist() == [[0.0, 1.0, 1.0, 1.0]]
    assert spikes[:, 0, 1:].argmax(dim=0).tolist() == [3, 2, 0]


def test_latency_over_a_single_step_works() -> None:
    assert encode(VALUES, "latency", 1).tolist() == [[[0.0, 1.0, 1.0, 1.0]]]


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be >= 1, got 0"):
        encode(VALUES, "rate", 0)
