"""Finding the output layer, in models of every build."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spiketune
from spiketune.errors import InputError

from .models import Looped, Threshold, TwoHeads

INPUTS = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))


class Shuffled(nn.Module):
    """Layers registered in another order than they are called in."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.first = Threshold(), Threshold()
        self.weights = nn.Linear(3, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.weights(self.first(self.weights(inputs))))


class Forked(nn.Module):
    """A side branch that is called last, but whose spikes go on to the output."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.hidden, self.side, self.out = make(), make(), make()
        self.weights = nn.Linear(3, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        spikes = self.hidden(self.weights(inputs))
        return self.out(self.weights(spikes + self.side(self.weights(spikes))))


def test_the_output_is_the_layer_whose_spikes_reach_no_other() -> None:
    for model, expected in (
        (Shuffled(), "last"),
        (Forked(Threshold), "out"),
        (Looped(nn.Linear(3, 3), Threshold(), nn.Linear(3, 3), Threshold()), "body.3"),
    ):
        watch = spiketune.monitor(model, layers=Threshold, time_axis=None)
        assert watch.outputs == ()
        model(INPUTS)
        assert watch.outputs == (expected,)


def test_without_gradients_the_layer_called_last_is_taken() -> None:
    watch = spiketune.monitor(model := Shuffled(), layers=Threshold)
    with torch.inference_mode():
        model(INPUTS)
    assert watch.outputs == ("last",)


def test_two_output_layers_are_an_error_that_says_what_to_name() -> None:
    spiketune.monitor(model := TwoHeads(Threshold), layers=Threshold)
    with pytest.raises(
        InputError, match=r"'left\.1', 'right\.1' reach no other.*output='right\.1'"
    ):
        model(INPUTS)


def test_two_heads_of_a_library_are_told_apart_too(snntorch: ModuleType) -> None:
    def neuron() -> nn.Module:
        return snntorch.Leaky(beta=0.9, init_hidden=True)  # type: ignore[no-any-return]

    spiketune.monitor(model := TwoHeads(neuron))
    with pytest.raises(InputError, match=r"cannot tell the output layer"):
        model(INPUTS)
    watch = spiketune.monitor(named := TwoHeads(neuron), output=["left.1", "right.1"])
    named.eval()
    named(INPUTS)
    assert watch.outputs == ("left.1", "right.1")
    assert watch.metrics()["silent_share"] == 1.0


def test_spikes_inside_a_tuple_with_states_are_followed(snntorch: ModuleType) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b, self.a = snntorch.Leaky(beta=0.9), snntorch.Leaky(beta=0.9)
            self.weights = nn.Linear(3, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            a, b = self.a.reset_mem(), self.b.reset_mem()
            for _ in range(3):
                hidden, a = self.a(self.weights(inputs), a)
                spikes, b = self.b(self.weights(hidden), b)
            return spikes

    watch = spiketune.monitor(model := Net())
    model(INPUTS)
    assert watch.outputs == ("b",)
