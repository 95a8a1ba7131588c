"""The network of Diehl & Cook: what it is made of, learns and keeps."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spiketune.config.stdp import Stdp
from spiketune.snn.networks import n_parameters
from spiketune.snn.stdp import StdpNetwork, trace


def section(**keys: Any) -> Stdp:
    return Stdp.model_validate({"kind": "stdp", "neurons": 8, **keys})


def trains(n: int, inputs: range, seed: int = 0) -> Tensor:
    """Spikes of some of 30 inputs, for n samples and 60 steps."""
    generator = torch.Generator().manual_seed(seed)
    spikes = torch.zeros(60, n, 30)
    spikes[:, :, inputs] = (torch.rand(60, n, len(inputs), generator=generator) < 0.3).float()
    return spikes


STRONG: dict[str, Any] = {"norm": 40.0, "plasticity": {"max_weight": 9.0}}


def test_weights_start_normalised_and_from_their_own_seed() -> None:
    first, again, other = (StdpNetwork(section(), 30, 2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.weights, again.weights)
    assert not torch.equal(first.weights, other.weights)
    assert first.weights.sum(dim=0).tolist() == pytest.approx([3.0] * 8, rel=1e-5)
    assert (first.weights >= 0).all()
    assert not first.theta.any()


def test_weights_and_thresholds_are_what_is_learned() -> None:
    network = StdpNetwork(section(), 30, 2)
    assert n_parameters(network) == 30 * 8 + 8
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_learning_keeps_the_sum_of_weights_and_raises_thresholds_of_neurons_that_spike() -> None:
    network = StdpNetwork(section(**STRONG), 30, 2)
    before = network.weights.clone()
    response = network.learn(trains(1, range(15)))
    assert response.counts.sum() > 0
    assert not torch.equal(network.weights, before)
    assert network.weights.sum(dim=0).tolist() == pytest.approx([40.0] * 8, rel=1e-5)
    spiked = response.counts[0] > 0
    assert np.array_equal(network.theta.numpy() > 0, spiked)


def test_weights_of_inputs_that_spike_grow_at_the_cost_of_the_others() -> None:
    network = StdpNetwork(section(**STRONG), 30, 2)
    before = network.weights[:15].sum(dim=0).clone()
    counts = sum(network.learn(trains(1, range(15), seed)).counts[0] for seed in range(20))
    assert isinstance(counts, np.ndarray)
    gained = (network.weights[:15].sum(dim=0) - before).numpy()
    assert (gained[counts > 0] > 0).all()


def test_looking_on_changes_nothing() -> None:
    network = StdpNetwork(section(**STRONG), 30, 2)
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    assert network(trains(4, range(30))).counts.sum() > 0
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())


def test_at_most_one_neuron_spikes_in_a_step_unless_told_otherwise() -> None:
    inputs = trains(3, range(30))
    single = StdpNetwork(section(**STRONG), 30, 2)(inputs).spikes
    several = StdpNetwork(section(**STRONG, one_spike=False), 30, 2)(inputs).spikes
    assert single.sum(axis=2).max() == 1
    assert several.sum(axis=2).max() > 1


def test_time_constants_are_in_milliseconds() -> None:
    neuron = {"tau_mem_ms": 100.0, "refractory_ms": 4.0, "tau_theta_ms": 1e3}
    doubled = {"tau_mem_ms": 200.0, "refractory_ms": 8.0, "tau_theta_ms": 2e3}
    inhibitory = {"tau_mem_ms": 20.0, "refractory_ms": 4.0}
    slow = section(norm=20.0, excitatory=neuron, inhibitory={"refractory_ms": 2.0})
    fast = section(
        norm=20.0, excitatory=doubled, inhibitory=inhibitory, plasticity={"tau_trace_ms": 40.0}
    )
    one, two = StdpNetwork(slow, 30, 2, dt_ms=1.0), StdpNetwork(fast, 30, 2, dt_ms=2.0)
    inputs = trains(2, range(30))
    assert np.array_equal(one.learn(inputs).spikes, two.learn(inputs).spikes)
    assert torch.equal(one.weights, two.weights)
    assert torch.equal(one.theta, two.theta)


def test_a_trace_decays_in_closed_form() -> None:
    assert trace(4, 2.0, 10.0) == pytest.approx([math.exp(-0.2 * k) for k in range(4)], rel=1e-12)


@pytest.mark.parametrize("readout", ["all", "vote", "2gram"])
def test_it_tells_two_patterns_apart_after_looking_at_them(readout: str) -> None:
    network = StdpNetwork(section(**STRONG, readout=readout), 30, 2)
    parts, labels = (range(15), range(15, 30)), np.arange(40) % 2
    samples = [trains(1, parts[label], seed) for seed, label in enumerate(labels)]
    for sample in samples:
        network.learn(sample)
    response = network(torch.cat(samples, dim=1))
    of, pairs = network.pairs(response)
    network.label(response.counts, pairs, of, labels)
    scores = network.scores(response.counts, pairs, of)
    assert scores.shape == (40, 2)
    assert (scores.argmax(axis=1) == labels).mean() > 0.9
    again = StdpNetwork.restored(section(**STRONG, readout=readout), network.state_dict())
    assert np.array_equal(again.scores(response.counts, pairs, of), scores)
    assert (len(network.pair_keys) > 0) == (readout == "2gram")


def test_values_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="'weights' is of another network"):
        StdpNetwork(section(), 30, 2).restore(StdpNetwork(section(), 31, 2).state_dict())
