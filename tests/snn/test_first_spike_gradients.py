"""Networks of first spike times: exact gradients through layers, delays, ties and silence."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from spiketune.snn.first_spike import FirstSpikeNetwork

from .first_spike_networks import network, times

KINDS = [None, "axonal", "dendritic", "synaptic"]


def distinct() -> Tensor:
    return times()


def tied() -> Tensor:
    """Inputs that come in pairs at the very same time."""
    return times()[:, :2].repeat_interleave(2, dim=1)


def missing() -> Tensor:
    """Inputs of which some never come, and samples without any."""
    given = times()
    given[::2, 1] = math.inf
    given[3] = math.inf
    return given


def check(built: FirstSpikeNetwork, given: Tensor, tie: tuple[int, int] | None = None) -> None:
    """Gradients with respect to all parameters and inputs, to 1e-6 of each.

    Args:
        built: The network.
        given: Input times.
        tie: Two inputs that move as one.
    """
    names = [name for name, _ in built.named_parameters()]

    def output(given: Tensor, *parameters: Tensor) -> Tensor:
        if tie is not None:
            given = torch.cat([given[:, :1], given[:, :1], given[:, 2:]], dim=1)
        found = torch.func.functional_call(built, dict(zip(names, parameters, strict=True)), given)
        last: Tensor = found[-1]
        return torch.where(last.isfinite(), last, torch.zeros_like(last))

    assert output(given, *built.parameters()).count_nonzero() > 6
    parameters = [p.detach().clone().requires_grad_() for p in built.parameters()]
    inputs = (given.clone().requires_grad_(), *parameters)
    assert torch.autograd.gradcheck(output, inputs, eps=1e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inputs", [distinct, tied, missing])
def test_gradients_of_weights_delays_and_inputs_are_exact(
    inputs: Any, kind: str | None, ratio: int
) -> None:
    delay = None if kind is None else {"kind": kind}
    check(network(delay, delay, tau_ratio=ratio, largest_dw=None), inputs())


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_and_hidden_spikes_that_tie_to_the_bit_have_exact_gradients(
    kind: str | None, ratio: int
) -> None:
    # All delays are equal and two hidden neurons the same: every arrival has a twin.
    delay = None if kind is None else {"kind": kind, "std": 0.0}
    built = network(delay, delay, tau_ratio=ratio, largest_dw=None)
    first = built.layers[0]
    with torch.no_grad():
        first.weight[:, 1] = first.weight[:, 0]
    hidden = built(tied())[0]
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    check(built, tied())
    check(built, tied(), tie=(0, 1))


@pytest.mark.parametrize("kind", ["axonal", "dendritic", "synaptic"])
def test_gradients_pass_through_sharing_biases_and_multiplexing(kind: str) -> None:
    shared = {} if kind == "dendritic" else {"share_inputs": 2}
    shared |= {} if kind == "axonal" else {"share_neurons": 5}
    delays = {"kind": kind, **shared}
    check(network(delays, None, multiplex=2, biases=[0.3, 0.8], largest_dw=None), distinct())
