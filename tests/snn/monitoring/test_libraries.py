"""Which modules of the three libraries count as spiking."""

from types import ModuleType

import torch
from torch import nn

from spiketune.snn.monitoring.libraries import (
    NORSE_SEQUENCE,
    NORSE_STEP,
    SNNTORCH_SEQUENCE,
    SNNTORCH_STEP,
    SPIKINGJELLY,
    recognise,
)


def test_neurons_of_snntorch_are_recognised(snntorch: ModuleType) -> None:
    for layer in (
        snntorch.Leaky(beta=0.9),
        snntorch.Synaptic(alpha=0.9, beta=0.8),
        snntorch.RLeaky(beta=0.9, linear_features=3),
        snntorch.Lapicque(beta=0.9),
        snntorch.Alpha(alpha=0.9, beta=0.8),
    ):
        assert recognise(layer) is SNNTORCH_STEP
    parallel = snntorch.LeakyParallel(input_size=2, hidden_size=3)
    assert recognise(parallel) is SNNTORCH_SEQUENCE


def test_a_layer_of_snntorch_that_returns_membranes_only_does_not_spike(
    snntorch: ModuleType,
) -> None:
    assert recognise(snntorch.StateLeaky(beta=0.9, channels=3, output=True)) is SNNTORCH_SEQUENCE
    assert recognise(snntorch.StateLeaky(beta=0.9, channels=3, output=False)) is None


def test_neurons_of_spikingjelly_are_recognised_in_either_mode(spikingjelly: ModuleType) -> None:
    from spikingjelly.activation_based import layer, neuron

    for node in (neuron.IFNode(), neuron.LIFNode(), neuron.ParametricLIFNode(), neuron.PSN(4)):
        assert recognise(node) is SPIKINGJELLY
    assert not SPIKINGJELLY.takes_sequence(neuron.LIFNode())
    assert SPIKINGJELLY.takes_sequence(neuron.LIFNode(step_mode="m"))
    assert recognise(neuron.NonSpikingLIFNode()) is None
    assert recognise(layer.Dropout()) is None


def test_neurons_of_norse_are_recognised_but_not_its_leaky_integrators(norse: ModuleType) -> None:
    for cell in (norse.LIFCell(), norse.LIFRecurrentCell(2, 3), norse.LSNNCell()):
        assert recognise(cell) is NORSE_STEP
    for layer in (norse.LIF(), norse.LIFRecurrent(2, 3), norse.LIFAdEx()):
        assert recognise(layer) is NORSE_SEQUENCE
    for other in (norse.LI(), norse.LICell(), norse.PoissonEncoder(5), norse.Lift(nn.Identity())):
        assert recognise(other) is None


def test_a_subclass_of_a_neuron_is_recognised_like_it(snntorch: ModuleType) -> None:
    class Mine(snntorch.Leaky):  # type: ignore[name-defined,misc]
        pass

    assert recognise(Mine(beta=0.9)) is SNNTORCH_STEP


def test_ordinary_modules_do_not_spike() -> None:
    assert recognise(nn.ReLU()) is None
    assert recognise(nn.Linear(1, 1)) is None
    assert recognise(torch.nn.Sequential()) is None
