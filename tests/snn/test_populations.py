"""The neurons of layers: what a configuration makes of them."""

import math
from typing import Any

import pytest
import torch

from spiketune.config.architecture import plan_layers
from spiketune.config.network import Network
from spiketune.snn import neurons
from spiketune.snn.networks import SpikingNetwork, n_parameters
from spiketune.snn.spike_gradients import Exponential


def built(*layers: dict[str, Any], dt_ms: float | None = None, **rest: Any) -> SpikingNetwork:
    config = Network.model_validate({"layers": layers, **rest})
    return SpikingNetwork(plan_layers(config, (6,), 3, dt_ms), seed=0)


def inputs(steps: int = 9) -> torch.Tensor:
    return torch.rand(steps, 4, 6, generator=torch.Generator().manual_seed(0)) * 4


def test_slayer_s_neurons_take_their_numbers_from_the_configuration() -> None:
    neuron = {
        "kind": "alif",
        "current_decay": 0.3,
        "voltage_decay": 0.1,
        "threshold_decay": 0.2,
        "refractory_decay": 0.4,
        "threshold": 0.7,
        "threshold_step": 0.25,
        "spike_gradient": {"name": "exponential", "tau": 2.0, "scale": 0.5},
    }
    network = built({"dense": "classes"}, neuron=neuron)
    found = network(inputs(), 9).layers[0]
    parameters = neurons.AlifParameters(0.3, 0.1, 0.2, 0.4, 0.7, 0.25)
    currents = network.layers[0].synapses(inputs(), training=False)
    spikes, membrane = neurons.alif(currents, parameters, Exponential(2.0, 0.5))
    assert spikes.sum() > 0
    torch.testing.assert_close(found.spikes, spikes)
    torch.testing.assert_close(found.membrane, membrane)
    assert n_parameters(network) == 6 * 3 + 3
    learned = built({"dense": "classes"}, neuron={**neuron, "learn_decays": True})
    assert n_parameters(learned) == 6 * 3 + 3 + 4


def test_synaptic_currents_decay_by_number_or_time_constant() -> None:
    by_number = built(
        {"dense": "classes"}, neuron={"kind": "cuba", "alpha": math.exp(-0.5), "beta": 0.9}
    )
    by_time = built(
        {"dense": "classes"}, neuron={"kind": "cuba", "tau_syn_ms": 10.0, "beta": 0.9}, dt_ms=5.0
    )
    found = by_number(inputs(), 9).membrane
    torch.testing.assert_close(found, by_time(inputs(), 9).membrane)
    plain = built({"dense": "classes"}, neuron={"beta": 0.9})(inputs(), 9).membrane
    assert not torch.allclose(found, plain)


def test_an_integrator_sums_with_a_leak_and_never_spikes() -> None:
    network = built(
        {"dense": 5}, {"dense": "classes", "neuron": {"kind": "integrator", "beta": 0.5}}
    )
    activity = network(inputs(), 9)
    assert len(activity.spikes) == 1
    currents = network.layers[1].synapses(activity.spikes[0], training=False)
    expected = torch.zeros_like(currents[0])
    for t in range(9):
        expected = 0.5 * expected + currents[t]
        torch.testing.assert_close(activity.membrane[t], expected)
    assert activity.output is activity.membrane
    assert activity.counts.shape == (4, 5)


def test_recurrent_spikes_arrive_one_step_later() -> None:
    network = built({"recurrent": 5, "neuron": {"beta": 0.8}}, {"dense": "classes"})
    layer = network.layers[0]
    weight = layer.neurons.recurrent_weight
    assert weight.shape == (5, 5)
    found = network(inputs(), 9).layers[0]
    currents = layer.synapses(inputs(), training=False)
    membrane, spikes = torch.zeros(4, 5), torch.zeros(4, 5)
    for t in range(9):
        membrane = 0.8 * membrane + currents[t] + spikes @ weight.T - spikes
        spikes = (membrane > 1.0).float()
        torch.testing.assert_close(found.membrane[t], membrane, rtol=1e-5, atol=1e-5)
    assert spikes.shape == found.spikes[-1].shape
    counts = torch.tensor([1, 0, 2, 0, 0])
    assert layer.neurons.operations(counts) == 15


@pytest.mark.parametrize("kind", ["lif", "cuba"])
@pytest.mark.parametrize("reset", ["zero", "none"])
def test_resets_come_from_the_configuration(kind: str, reset: str) -> None:
    subtract = built({"dense": "classes"}, neuron={"kind": kind, "threshold": 0.3})
    other = built({"dense": "classes"}, neuron={"kind": kind, "threshold": 0.3, "reset": reset})
    assert not torch.allclose(subtract(inputs(), 9).membrane, other(inputs(), 9).membrane)


def test_a_quantised_layer_computes_with_values_on_the_grid_of_hardware() -> None:
    neuron = {"kind": "alif", "current_decay": 0.3001, "threshold": 0.71, "voltage_decay": 0.1}
    fine = built({"dense": "classes"}, neuron=neuron)
    coarse = built({"dense": "classes"}, neuron={**neuron, "quantize": True})
    synapses = coarse.layers[0].synapses
    steps = synapses.used_weight * 32
    assert torch.equal(steps, steps.round())
    assert torch.equal(synapses.weight, fine.layers[0].synapses.weight)
    currents = synapses(inputs(), training=True)
    parameters = neurons.AlifParameters(
        round(0.3001 * 4096) / 4096, round(0.1 * 4096) / 4096, 0.0, 0.0, round(0.71 * 64) / 64, 0.0
    )
    spikes, membrane = neurons.alif(currents, parameters, Exponential())
    found = coarse(inputs(), 9).layers[0]
    torch.testing.assert_close(found.membrane, membrane)
    torch.testing.assert_close(found.spikes, spikes)
    assert not torch.allclose(found.membrane, fine(inputs(), 9).layers[0].membrane)
    found.membrane.sum().backward()
    assert bool(synapses.weight.grad.abs().sum() > 0)
