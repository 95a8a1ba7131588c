"""Measuring a network, against an example counted by hand."""

import numpy as np
import pytest
import torch

from spiketune.config.architecture import plan_layers
from spiketune.config.network import Network
from spiketune.data.splits import Labelled
from spiketune.snn.networks import SpikingNetwork
from spiketune.training.batches import on_device
from spiketune.training.evaluation import Evaluation, evaluate

from .sections import points, trial

CPU = torch.device("cpu")


def by_hand(encoding: str) -> Evaluation:
    """Two inputs, one hidden neuron and two outputs; ones as inputs in two steps.

    The first input drives the hidden neuron over the threshold at every step; the hidden
    neuron drives the second output at every step. The other weights are zero.
    """
    config = trial(dataset={"encoding": encoding, "steps": 2}, neuron={"beta": 0.0})
    hidden_layer, output_layer = config.network.layers
    one_neuron = hidden_layer.model_copy(update={"dense": 1})
    layers = config.network.model_copy(update={"layers": (one_neuron, output_layer)})
    network = SpikingNetwork(plan_layers(layers, (2,), 2), seed=0)
    hidden, output = (layer.synapses for layer in network.layers)
    with torch.no_grad():
        hidden.weight.copy_(torch.tensor([[5.0, 0.0]]))
        output.weight.copy_(torch.tensor([[0.0], [5.0]]))
        hidden.bias.zero_()
        output.bias.zero_()
    # The second sample is silent throughout.
    data = Labelled(np.array([[1.0, 1.0], [0.0, 1.0]], dtype=np.float32), np.array([1, 1]))
    return evaluate(network, on_device(data, CPU, config.dataset), config, study_seed=0)


def test_every_metric_of_a_constant_input_is_as_counted_by_hand() -> None:
    found = by_hand("constant")
    assert found.predictions.tolist() == [1, 0]
    expected = {
        "accuracy": 0.5,
        "silent_share": 0.5,
        "spikes_per_sample": (2 + 2) / 2,
        "effective_macs_per_sample": 2 * 1 / 2,
        "effective_acs_per_sample": 2 * 1 / 2,
        "activation_sparsity": 1 - 4 / (3 * 2 * 2),
    }
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected)
    assert found.firing_rates == pytest.approx({"hidden": 2 / 4, "out": 2 / 8})


def test_an_input_of_spikes_makes_accumulates_only() -> None:
    found = by_hand("rate")
    assert found.metrics["effective_macs_per_sample"] == 0.0
    assert found.metrics["effective_acs_per_sample"] == pytest.approx((2 + 2) / 2)


@pytest.mark.parametrize("transmission_steps", [0, 2])
@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_a_spike_that_a_delay_spreads_over_two_steps_is_accumulated_once(
    transmission_steps: int, fraction: float
) -> None:
    config = trial(dataset={"steps": 7}, neuron={"beta": 0.5, "threshold": 0.2})
    section = {
        "neuron": {"beta": 0.5, "threshold": 0.2},
        "layers": [
            {"conv": 3, "kernel": 2, "bias": False, "delay": {"kind": "axonal"}},
            {"dense": "classes"},
        ],
        "transmission_steps": transmission_steps,
    }
    network = SpikingNetwork(plan_layers(Network.model_validate(section), (1, 4, 4), 2), seed=0)
    delays = torch.tensor([0.0, 2.0, 9.0])
    with torch.no_grad():
        network.layers[0].get_parameter("delay.delay").copy_(delays + fraction)
    inputs = np.random.default_rng(0).random((30, 1, 4, 4)).astype(np.float32)
    data = on_device(Labelled(inputs, np.zeros(30, dtype=np.int64)), CPU, config.dataset)
    found = evaluate(network, data, config, study_seed=0).metrics
    spikes = network(data.batch(slice(None), torch.Generator())[0], 7).spikes[0]
    assert len(spikes) == 7
    arriving = 0
    for channel, whole in enumerate(delays.tolist()):
        in_time = max(7 - transmission_steps - int(whole), 0)
        arriving += int(spikes[:in_time, :, channel].sum())
    assert arriving > 0
    assert found["effective_acs_per_sample"] == pytest.approx(arriving * 2 / 30)


def test_validation_draws_come_from_the_study_seed_alone() -> None:
    config = trial(dataset={"encoding": "rate"})
    network = SpikingNetwork(plan_layers(config.network, (4,), 2), seed=0)
    data = on_device(points(300, 3), CPU, config.dataset)
    first, again = (evaluate(network, data, config, study_seed=5) for _ in range(2))
    other = evaluate(network, data, config, study_seed=6)
    assert first.metrics == again.metrics
    assert first.metrics != other.metrics


def test_batches_do_not_change_what_is_measured() -> None:
    config = trial()
    network = SpikingNetwork(plan_layers(config.network, (4,), 2), seed=0)
    data = on_device(points(300, 3), CPU, config.dataset)  # more than one batch
    inputs, labels = data.batch(slice(None), torch.Generator())
    activity = network(inputs, data.steps)
    found = evaluate(network, data, config, study_seed=0)
    predictions = activity.output.sum(dim=0).argmax(dim=1)
    assert found.metrics["accuracy"] == (predictions == labels).double().mean().item()
    assert found.metrics["spikes_per_sample"] == pytest.approx(
        sum(spikes.sum().item() for spikes in activity.spikes) / 300
    )


def test_bytes_are_scaled_to_zero_to_one_when_a_batch_is_taken() -> None:
    pixels = np.array([[[0, 255], [51, 102]]], dtype=np.uint8)
    pictures = Labelled(pixels, np.array([0]), full_scale=255.0)
    data = on_device(pictures, CPU, trial().dataset)
    assert data.n_inputs == 4
    for which in (slice(0, 1), torch.tensor([0])):
        values, _ = data.batch(which, torch.Generator())
        assert values[0].tolist() == [pytest.approx([0.0, 1.0, 0.2, 0.4])]
