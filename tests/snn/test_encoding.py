"""Values that become input over time."""

import math

import pytest
import torch

from spiketune.snn.encoding import encode, poisson_trains

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


def test_poisson_trains_have_the_mean_rate_that_their_intervals_give() -> None:
    rates = torch.tensor([[0.0, 0.01, 0.1, 0.5]])
    spikes = poisson_trains(rates, 100_000, torch.Generator().manual_seed(1))
    assert spikes.shape == (100_000, 1, 4)
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    found = spikes.mean(dim=(0, 1)).tolist()
    expected = [0.0, *(1.0 / (1 / r + math.exp(-1 / r)) for r in (0.01, 0.1, 0.5))]
    assert found == pytest.approx(expected, rel=0.02)


def test_the_intervals_of_poisson_trains_are_poisson_numbers_with_one_in_place_of_zero() -> None:
    mean, n_trains = 4.0, 2000
    rates = torch.full((1, n_trains), 1 / mean)
    spikes = poisson_trains(rates, 60, torch.Generator().manual_seed(2))[:, 0]
    first = spikes.argmax(dim=0) + 1  # the first interval ends with the first spike
    share = torch.bincount(first, minlength=15)[:15] / n_trains
    poisson = [math.exp(-mean) * mean**k / math.factorial(k) for k in range(15)]
    expected = [0.0, poisson[0] + poisson[1], *poisson[2:]]
    assert share.tolist() == pytest.approx(expected, abs=0.035)
    rest = spikes.clone()
    rest[first - 1, torch.arange(n_trains)] = 0.0
    later = rest.argmax(dim=0) + 1 - first
    assert float(later.float().mean()) == pytest.approx(mean + math.exp(-mean), abs=0.2)
    assert float(later.float().var()) == pytest.approx(mean, abs=0.4)


def test_poisson_trains_depend_on_the_generator_alone() -> None:
    state = torch.random.get_rng_state()
    first, again, other = (
        encode(VALUES, "poisson", 50, torch.Generator().manual_seed(seed)) for seed in (7, 7, 8)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_value_one_stands_for_the_maximal_rate() -> None:
    ones = torch.ones(1, 50)
    slow, fast = (
        float(encode(ones, "poisson", 5000, torch.Generator().manual_seed(0), rate).mean())
        for rate in (0.02, 0.04)
    )
    assert (slow, fast) == pytest.approx((0.02, 0.04), rel=0.03)


def test_nothing_but_zeros_makes_no_poisson_spikes() -> None:
    assert not encode(torch.zeros(2, 3), "poisson", 5, torch.Generator()).any()
