"""Networks built from configurations."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from spiketune.config.architecture import plan_layers
from spiketune.config.network import Network
from spiketune.snn.layers import dropped
from spiketune.snn.networks import SpikingNetwork, n_parameters


def plans(*layers: dict[str, Any], dt_ms: float | None = None, **neuron: Any) -> Any:
    config = Network.model_validate({"neuron": neuron, "layers": layers})
    return plan_layers(config, (4,), 3, dt_ms)


def test_repeats_are_written_out_with_numbered_names() -> None:
    found = plans({"name": "hidden", "dense": 7, "repeat": 2}, {"name": "out", "dense": "classes"})
    assert [(s.name, s.inputs, s.outputs) for s in found] == [
        ("hidden_0", (4,), (7,)),
        ("hidden_1", (7,), (7,)),
        ("out", (7,), (3,)),
    ]


def test_one_copy_keeps_the_plain_name_and_unnamed_layers_their_index() -> None:
    found = plans({"name": "hidden", "dense": 7, "repeat": 1}, {"dense": "classes"})
    assert [s.name for s in found] == ["hidden", "1"]


def test_a_layer_repeated_zero_times_is_left_out() -> None:
    found = plans({"dense": 7, "repeat": 0}, {"dense": "classes"})
    assert [(s.inputs, s.outputs) for s in found] == [((4,), (3,))]


def test_the_decay_is_a_default_a_number_a_time_constant_or_drawn() -> None:
    layers: tuple[dict[str, Any], ...] = (
        {"dense": 5},
        {"dense": 5, "neuron": {"beta": 0.5}},
        {"dense": 5, "neuron": {"tau_mem_ms": 20.0}},
        {"dense": "classes", "neuron": {"beta": "uniform"}},
    )
    network = SpikingNetwork(plans(*layers, dt_ms=5.0), seed=0)
    *fixed, drawn = (layer.neurons.beta for layer in network.layers)
    beta = torch.as_tensor(drawn)
    assert torch.stack(fixed).tolist() == pytest.approx([0.9, 0.5, math.exp(-5.0 / 20.0)])
    assert beta.shape == (3,)
    assert bool(((beta >= 0) & (beta <= 1)).all())


def test_only_learned_decays_are_parameters() -> None:
    fixed = SpikingNetwork(plans({"dense": "classes"}), seed=0)
    learned = SpikingNetwork(plans({"dense": "classes"}, learn_beta=True), seed=0)
    uniform = plans({"dense": "classes"}, learn_beta=True, beta="uniform")
    assert n_parameters(fixed) == 4 * 3 + 3
    assert n_parameters(learned) == 4 * 3 + 3 + 1
    assert n_parameters(SpikingNetwork(uniform, seed=0)) == 4 * 3 + 3 + 3


def test_weights_start_as_those_of_a_linear_layer() -> None:
    network = SpikingNetwork(plan_layers(Network(layers=({"dense": "classes"},)), (100,), 300), 0)
    reference = nn.Linear(100, 300)
    layer = network.layers[0].synapses
    for ours, theirs in ((layer.weight, reference.weight), (layer.bias, reference.bias)):
        assert ours.abs().max() <= 0.1
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.15)


def test_weights_depend_on_the_seed_and_leave_the_global_generator_alone() -> None:
    state = torch.random.get_rng_state()
    first, again, other = (SpikingNetwork(plans({"dense": "classes"}), seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(first.layers[0].weight, again.layers[0].weight)
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)


def test_an_input_given_once_acts_as_if_given_at_every_step() -> None:
    network = SpikingNetwork(plans({"dense": 20}, {"dense": "classes"}), seed=0)
    values = torch.rand(1, 6, 4, generator=torch.Generator().manual_seed(0)) * 4
    once, repeated = network(values, 12), network(values.expand(12, -1, -1), 12)
    assert once.output.shape == (12, 6, 3)
    assert once.spikes[0].sum() > 0
    torch.testing.assert_close(once.spikes[0], repeated.spikes[0])


def test_a_dropout_mask_is_held_over_time_and_scales_what_it_keeps() -> None:
    kept = dropped(torch.ones(5, 40, 50), 0.25, torch.Generator().manual_seed(0))
    assert torch.equal(kept, kept[:1].expand_as(kept))
    assert kept.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert (kept == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_evaluation_drops_nothing() -> None:
    spikes = torch.ones(2, 3, 4)
    assert dropped(spikes, 0.5, None) is spikes
