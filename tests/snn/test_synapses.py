"""Dense, convolutional and pooling synapses, against PyTorch's own layers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spiketune.config.architecture import LayerPlan, plan_layers
from spiketune.config.network import Network
from spiketune.metrics.energy import conv2d_operations, effective_operations
from spiketune.snn.layers import SpikingLayer
from spiketune.snn.networks import SpikingNetwork, n_parameters
from spiketune.snn.synapses import build_synapses


def plan(layer: dict[str, Any], shape: tuple[int, ...]) -> LayerPlan:
    config = Network.model_validate({"layers": [layer, {"dense": "classes"}]})
    return plan_layers(config, shape, 3)[0]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def pictures(steps: int = 3, shape: tuple[int, ...] = (2, 7, 6)) -> Tensor:
    return (torch.rand(steps, 4, *shape, generator=generator()) < 0.3).float()


@pytest.mark.parametrize("weight_norm", [False, True])
def test_a_convolution_is_that_of_pytorch_at_every_step(weight_norm: bool) -> None:
    layer = {"conv": 5, "kernel": [3, 2], "stride": [2, 1], "padding": 1}
    synapses = build_synapses(plan({**layer, "weight_norm": weight_norm}, (2, 7, 6)), generator())
    reference = nn.Conv2d(2, 5, (3, 2), (2, 1), 1)
    reference.weight.data, reference.bias.data = synapses.weight.data, synapses.bias.data
    inputs = pictures()
    found = synapses(inputs, training=True)
    assert found.shape == (3, 4, 5, 4, 7)
    for currents, step in zip(found, inputs, strict=True):
        torch.testing.assert_close(currents, reference(step))


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("sum", lambda x: nn.AvgPool2d(2, 1)(x) * 4),
        ("average", nn.AvgPool2d(2, 1)),
        ("max", nn.MaxPool2d(2, 1)),
    ],
)
def test_a_pool_is_that_of_pytorch_and_learns_nothing(kind: str, reference: Any) -> None:
    synapses = build_synapses(
        plan({"pool": kind, "kernel": 2, "stride": 1}, (2, 7, 6)), generator()
    )
    inputs = pictures()
    for currents, step in zip(synapses(inputs, training=True), inputs, strict=True):
        torch.testing.assert_close(currents, reference(step))
    assert n_parameters(synapses) == 0


def test_weight_norm_starts_from_the_same_weights_and_learns_length_and_direction() -> None:
    plain = build_synapses(plan({"dense": 6}, (5,)), generator())
    normed = build_synapses(plan({"dense": 6, "weight_norm": True}, (5,)), generator())
    torch.testing.assert_close(normed.weight, plain.weight)
    assert n_parameters(normed) == n_parameters(plain) + 6


def test_a_layer_without_bias_has_none() -> None:
    synapses = build_synapses(plan({"dense": 6, "bias": False}, (5,)), generator())
    assert n_parameters(synapses) == 30


@pytest.mark.parametrize(
    "layer", [{"conv": 5, "kernel": 3, "stride": 2}, {"pool": "sum", "kernel": 3}]
)
def test_operations_count_every_spike_times_every_weight_it_meets(layer: dict[str, Any]) -> None:
    synapses = build_synapses(plan(layer, (2, 7, 6)), generator())
    with torch.no_grad():
        for parameter in synapses.parameters():
            parameter.masked_fill_(parameter.abs() < 0.1, 0.0)
    counts = pictures(9).sum(dim=(0, 1))
    met = 0
    for place in torch.nonzero(counts).tolist():
        lone = torch.zeros(1, 1, 2, 7, 6)
        lone[0, 0][tuple(place)] = 1.0
        outputs = synapses(lone, training=False)
        if getattr(synapses, "bias", None) is not None:
            outputs = outputs - synapses.bias.view(-1, 1, 1)
        met += int(counts[tuple(place)]) * int((outputs.abs() > 1e-6).sum())
    assert synapses.operations(counts) == met


def test_a_dense_layer_is_a_convolution_over_the_whole_picture() -> None:
    weight = torch.randn(4, 2, 3, 3, generator=generator()).round()
    counts = torch.randint(0, 5, (2, 3, 3), generator=generator())
    dense = effective_operations(counts.flatten(), weight.flatten(1))
    assert conv2d_operations(counts, weight, (1, 1), (0, 0)) == dense


def test_parameters_of_a_convolution_s_neurons_are_one_per_channel() -> None:
    layer = {"conv": 3, "kernel": 2, "neuron": {"beta": "uniform"}}
    built = SpikingLayer(plan(layer, (2, 7, 6)), generator())
    inputs = pictures(6)
    currents = built.synapses(inputs, training=False)
    found = built(inputs, 6)
    assert found.membrane.shape == currents.shape
    beta = built.neurons.beta
    assert beta.shape == (3,)
    expected = torch.zeros_like(currents[0])
    for t in range(6):
        spent = (expected > 1.0).float()
        expected = beta.view(-1, 1, 1) * expected + currents[t] - spent
        torch.testing.assert_close(found.membrane[t], expected, rtol=1e-5, atol=1e-6)
        assert torch.equal(found.spikes[t], (found.membrane[t] > 1.0).float())


def test_a_picture_given_once_acts_as_if_given_at_every_step() -> None:
    layers = [
        {"conv": 4, "kernel": 3, "neuron": {"kind": "none"}},
        {"pool": "max", "kernel": 2},
        {"dense": "classes"},
    ]
    config = Network.model_validate({"layers": layers})
    network = SpikingNetwork(plan_layers(config, (2, 8, 8), 3), seed=0)
    values = torch.rand(1, 5, 128, generator=generator()) * 6
    once, repeated = network(values, 7), network(values.expand(7, -1, -1), 7)
    assert once.layers[0].membrane.shape == (1, 5, 4, 6, 6)
    assert once.spikes[0].sum() > 0
    torch.testing.assert_close(once.spikes[0], repeated.spikes[0])


def test_gradients_reach_every_weight_of_a_mixed_network() -> None:
    layers = [
        {"conv": 4, "kernel": 3, "delay": {"kind": "axonal"}, "weight_norm": True},
        {"pool": "sum", "kernel": 2},
        {"dense": 6, "delay": {"kind": "synaptic", "max_steps": 3}},
        {"dense": "classes"},
    ]
    config = Network.model_validate({"layers": layers, "transmission_steps": 1})
    network = SpikingNetwork(plan_layers(config, (1, 8, 8), 3), seed=0)
    inputs = (torch.rand(9, 5, 64, generator=generator()) < 0.5).float() * 4
    network(inputs, 9, generator()).membrane.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().sum()) > 0, name
