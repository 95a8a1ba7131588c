"""Networks of first spike times: delays, layers, and what reaches them."""

import math

import pytest
import torch

from spiketune.config.first_spike import InputNoise, InputTimes, SpikeDelay
from spiketune.snn.first_spike import first_spikes, input_times, noisy_input
from spiketune.snn.networks import n_parameters
from spiketune.snn.spike_delays import SpikeDelays

from .first_spike_networks import generator, network, times


def test_delays_of_every_kind_are_delays_of_single_synapses() -> None:
    weight = torch.rand(4, 3, generator=generator(1), dtype=torch.float64) + 0.5
    late = torch.rand(4, 3, generator=generator(2), dtype=torch.float64)
    for kind, row in (("axonal", late[:, :1]), ("dendritic", late[:1])):
        every = first_spikes(times(), weight, row.expand(1, 4, 3))
        if kind == "axonal":
            found = first_spikes(times() + row.squeeze(1), weight)
        else:
            found = first_spikes(times(), weight) + row.squeeze(0)
        torch.testing.assert_close(found, every)


def test_delays_stay_positive_by_sigmoid_clip_or_shift() -> None:
    for positivity, expected in (
        ("sigmoid", [2 / (1 + math.exp(1.0)), 1.0, 2 / (1 + math.exp(-3.0))]),
        ("clip", [0.0, 0.0, 3.0]),
        ("shift", [0.0, 1.0, 4.0]),
    ):
        scale = {"scale": 2.0} if positivity == "sigmoid" else {}
        config = SpikeDelay(kind="axonal", positivity=positivity, **scale)
        delays = SpikeDelays(config, 3, 5, generator())
        with torch.no_grad():
            delays.parameter.copy_(torch.tensor([[-1.0], [0.0], [3.0]]))
        delays.settle()
        assert delays.delays.flatten().tolist() == pytest.approx(expected)


def test_a_shift_leaves_delays_alone_that_are_positive_already() -> None:
    delays = SpikeDelays(
        SpikeDelay(kind="axonal", positivity="shift", mean=5.0, std=0.1), 3, 5, generator()
    )
    before = delays.delays.clone()
    delays.settle()
    assert torch.equal(delays.delays, before)


def test_parameters_are_counted_by_the_shape_of_delays() -> None:
    synaptic, axonal = {"kind": "synaptic"}, {"kind": "axonal"}
    assert n_parameters(network(None, None)) == 4 * 5 + 5 * 3
    assert n_parameters(network(synaptic, axonal)) == 2 * 4 * 5 + 5 * 3 + 5


def test_values_become_times_early_or_late_or_never() -> None:
    values = torch.tensor([[0.0, 0.25, 1.0]])
    assert input_times(values, InputTimes(early=1.0, late=3.0)).tolist() == [[1.0, 1.5, 3.0]]
    bright = InputTimes(early=1.0, late=3.0, inverted=True, silent_zero=True)
    assert input_times(values, bright).tolist() == [[math.inf, 2.5, 1.0]]
    with pytest.raises(ValueError, match=r"`early` 2\.0 must be below"):
        InputTimes(early=2.0, late=2.0)


def test_input_that_never_comes_moves_nothing() -> None:
    built = network({"kind": "synaptic"}, None)
    given = times()
    given[:, 2] = math.inf
    hidden, output = built(given)
    output[output.isfinite()].sum().backward()
    assert hidden.shape == (7, 5)
    first = built.layers[0]
    assert not first.weight.grad[2].any()
    assert not first.delay.parameter.grad[2].any()
    assert bool(first.weight.grad.isfinite().all())


def test_multiplexed_inputs_and_biases_have_weights_of_their_own() -> None:
    built = network(None, None, multiplex=3, biases=[0.5, 1.0])
    layer = built.layers[0]
    assert layer.weight.shape == (4 * 3 + 2, 5)
    always = torch.tensor([0.5, 1.0]).double().expand(7, 2)
    by_hand = torch.cat([times().repeat_interleave(3, dim=1), always], dim=1)
    torch.testing.assert_close(layer(times()), first_spikes(by_hand, layer.weight))


def test_noise_is_drawn_by_the_generator_and_fixed_patterns_by_the_seed() -> None:
    noise = {"fixed_std": 0.1, "sample_std": 0.1}
    built = network({"kind": "synaptic", "jitter": 0.1}, None, threshold_noise=noise)
    assert built.is_noisy
    quiet = built(times())[-1]
    assert torch.equal(built(times())[-1], quiet)
    drawn = built(times(), generator(1))[-1]
    assert torch.equal(built(times(), generator(1))[-1], drawn)
    assert not torch.equal(drawn, quiet)
    assert not torch.equal(drawn, built(times(), generator(2))[-1])
    thresholds = built.layers[0].thresholds
    assert 0.02 < float(thresholds.std()) < 0.4
    assert "stack.0.thresholds" in built.state_dict()
    other = network({"kind": "synaptic"}, None, threshold_noise=noise, seed=1)
    assert not torch.equal(other.layers[0].thresholds, thresholds)


def test_input_noise_mirrors_what_would_come_before_the_start() -> None:
    given = torch.zeros(1000, 1, dtype=torch.float64)
    noisy = noisy_input(given, InputNoise(std=0.5), generator())
    assert float(noisy.min()) >= 0.0
    assert float(noisy.mean()) == pytest.approx(0.5 * math.sqrt(2 / math.pi), abs=0.05)
    never = noisy_input(torch.full((2, 2), math.inf).double(), InputNoise(std=0.5), generator())
    assert bool(never.isinf().all())


def test_a_network_integrated_by_euler_comes_close_to_the_exact_one() -> None:
    exact = network({"kind": "synaptic"}, None, tau_ratio=1.7)
    off = []
    for step in (4e-3, 1e-3):
        stepped = network({"kind": "synaptic"}, None, tau_ratio=1.7, euler={"step": step})
        both = zip(stepped(times()), exact(times()), strict=True)
        apart = [(ours - theirs).detach().abs().flatten() for ours, theirs in both]
        off.append(float(torch.cat(apart).mean()))
    assert off[1] < 1e-3
    assert 3.0 < off[0] / off[1] < 5.5  # of the first order
