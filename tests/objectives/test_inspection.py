"""What is kept of a trained network: all of its weights and delays, as spikes meet them."""

from typing import Any

import numpy as np
import pytest
import torch

from spiketune.config.architecture import plan_layers
from spiketune.config.training import TrainingTrial
from spiketune.objectives.inspection import Arrays, inspect_network
from spiketune.report.networks.learned import parameters
from spiketune.report.networks.record import NetworkRecord
from spiketune.snn.networks import SpikingNetwork


def inspected(*layers: dict[str, Any], **neuron: Any) -> tuple[SpikingNetwork, Arrays]:
    """A network from 5 inputs, or from a 1x5x5 map where its first layer is a convolution."""
    section = {
        "dataset": {"name": "yin-yang", "steps": 5},
        "network": {"layers": [*layers, {"name": "out", "dense": "classes"}], "neuron": neuron},
    }
    config = TrainingTrial.model_validate(section)
    shape = (1, 5, 5) if "conv" in layers[0] else (5,)
    network = SpikingNetwork(plan_layers(config.layered, shape, 3), seed=0)
    return network, inspect_network(network, config)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ({"dense": 4}, (5, 4)),
        ({"conv": 2, "kernel": 3}, (9, 2)),
        ({"dense": 4, "delay": {"kind": "synaptic"}}, (5, 4)),
        ({"dense": 4, "delay": {"kind": "axonal"}}, (5, 4)),
    ],
)
def test_weights_are_kept_however_a_layer_holds_them(
    layer: dict[str, Any], shape: tuple[int, int], norm: bool
) -> None:
    network, arrays = inspected({"name": "hidden", "weight_norm": norm, **layer})
    assert arrays["weights:hidden"].shape == shape
    weight = network.layers[0].get_submodule("synapses").weight  # direction times length
    expected = torch.as_tensor(weight).detach().flatten(1).t().numpy()
    np.testing.assert_array_equal(arrays["weights:hidden"], expected)
    assert "weights:out" in arrays
    assert ("delays:hidden" in arrays) == ("delay" in layer)


def test_weights_on_a_grid_are_kept_as_spikes_meet_them() -> None:
    _, arrays = inspected({"name": "hidden", "dense": 4}, kind="alif", quantize=True)
    steps = arrays["weights:hidden"] * 32
    np.testing.assert_array_equal(steps, steps.round())


def test_a_recurrent_layer_keeps_both_of_its_weights_and_both_are_drawn() -> None:
    network, arrays = inspected({"name": "hidden", "recurrent": 4})
    assert arrays["weights:hidden"].shape == (5, 4)
    recurrent = network.layers[0].get_parameter("neurons.recurrent_weight")
    found = arrays["recurrent_weights:hidden"]
    np.testing.assert_array_equal(found, recurrent.detach().t().numpy())
    figure = parameters(NetworkRecord(arrays))
    assert figure is not None
    titles = {annotation.text for annotation in figure.layout.annotations}
    assert {"weights to hidden", "recurrent weights to hidden", "weights to out"} <= titles
