"""The recurrent neuron against autograd of its equations, snnTorch's and the plain neuron."""

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from snntorch import surrogate
from torch import Tensor

from spiketune.snn.kernels.reference import Reset
from spiketune.snn.neurons import lif, recurrent_lif
from spiketune.snn.spike_gradients import ATan, SpikeGradient


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def spike(distance: Tensor, gradient: SpikeGradient) -> Tensor:
    smooth = distance * gradient.derivative_(distance.detach().clone())
    return (distance > 0).to(distance.dtype) + smooth - smooth.detach()


def stepwise(
    currents: Tensor, weight: Tensor, beta: Tensor, threshold: float, reset: Reset
) -> tuple[Tensor, Tensor]:
    membrane = s = torch.zeros_like(currents[0])
    spikes, membranes = [], []
    for current in currents:
        kept = membrane * (1 - s.detach()) if reset == "zero" else membrane
        membrane = beta * kept + current + s @ weight.T
        if reset == "subtract":
            membrane = membrane - threshold * s.detach()
        s = spike(membrane - threshold, ATan(2.0))
        spikes.append(s)
        membranes.append(membrane)
    return torch.stack(spikes), torch.stack(membranes)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*(st.integers(1, high) for high in (9, 7, 12))),
    st.sampled_from(["subtract", "zero", "none"]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_values_and_gradients_equal_autograd_of_the_equations(
    shape: tuple[int, int, int], reset: Reset, with_membrane: bool, seed: int
) -> None:
    N = shape[2]
    mix = draw(2, *shape, seed=seed + 1)
    results = []
    for ours in (True, False):
        currents = draw(*shape, seed=seed).requires_grad_()
        weight = (draw(N, N, seed=seed + 2) / 2).requires_grad_()
        beta = draw(N, seed=seed + 3).sigmoid().requires_grad_()
        if ours:
            spikes, membrane = recurrent_lif(currents, weight, beta, 0.6, ATan(2.0), reset=reset)
        else:
            spikes, membrane = stepwise(currents, weight, beta, 0.6, reset)
        total = (spikes * mix[0]).sum()
        if with_membrane:
            total = total + (membrane * mix[1]).sum()
        total.backward()
        results.append([spikes, membrane, currents.grad, weight.grad, beta.grad])
    assert torch.equal(results[0][0], results[1][0].round())
    for one, other in zip(results[0][1:], results[1][1:], strict=True):
        expected = torch.zeros_like(one) if other is None else other  # a single step has none
        torch.testing.assert_close(one, expected, rtol=1e-9, atol=1e-10)


def test_a_spike_reaches_the_others_one_step_later() -> None:
    currents = torch.zeros(4, 1, 2, dtype=torch.float64)
    currents[0, 0, 0] = 1.5
    weight = torch.tensor([[0.0, 0.0], [0.25, 0.0]], dtype=torch.float64)  # from 0 to 1
    _, membrane = recurrent_lif(currents, weight, torch.tensor(0.5), 1.0, ATan())
    assert membrane[:, 0, 0].tolist() == [1.5, -0.25, -0.125, -0.0625]
    assert membrane[:, 0, 1].tolist() == [0.0, 0.25, 0.125, 0.0625]


def test_without_weights_it_is_the_plain_neuron() -> None:
    currents, beta = draw(9, 5, 4), torch.tensor(0.8).double()
    found = recurrent_lif(currents, torch.zeros(4, 4), beta, 0.7, ATan())
    expected = lif(currents, beta, 0.7, ATan())
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_spikes_and_gradients_equal_those_of_snntorch() -> None:
    T, B, N = 15, 6, 20
    start = draw(N, N, seed=1) / N**0.5
    ours, theirs = (draw(T, B, N, seed=5).requires_grad_() for _ in range(2))
    weight = start.clone().requires_grad_()
    beta = torch.tensor(0.9, requires_grad=True)
    layer = snntorch.RLeaky(
        beta=0.9, linear_features=N, learn_beta=True, spike_grad=surrogate.atan(alpha=2.0)
    )
    layer.recurrent.double()
    with torch.no_grad():
        layer.recurrent.weight.copy_(start)
        layer.recurrent.bias.zero_()
    spikes, _ = recurrent_lif(ours, weight, beta, 1.0, ATan(2.0))
    spike, membrane = layer.init_rleaky()
    spike, membrane = torch.zeros(B, N).double(), torch.zeros(B, N).double()
    steps = []
    for current in theirs:
        spike, membrane = layer(current, spike, membrane)
        spike = spike.double()
        steps.append(spike)
    expected = torch.stack(steps)
    mix = draw(T, B, N, seed=6)
    (spikes * mix).sum().backward()
    (expected * mix).sum().backward()
    assert spikes.sum() > 50
    assert torch.equal(spikes, expected)
    pairs = ((ours, theirs), (weight, layer.recurrent.weight), (beta, layer.beta))
    for one, other in pairs:
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-5)


def test_packed_networks_equal_solo_ones_bit_for_bit() -> None:
    G, T, B, N = 3, 8, 5, 17
    currents, weights = draw(G, T, B, N), draw(G, N, N, seed=1) / 3
    beta = draw(G, N, seed=2).sigmoid()
    own = [part.clone().requires_grad_() for part in (currents, weights, beta)]
    spikes, membrane = recurrent_lif(*own, 0.6, ATan())
    (spikes.square() + membrane).sum().backward()
    for g in range(G):
        alone = [part[g].clone().requires_grad_() for part in (currents, weights, beta)]
        s, v = recurrent_lif(*alone, 0.6, ATan())
        (s.square() + v).sum().backward()
        assert torch.equal(s, spikes[g])
        assert torch.equal(v, membrane[g])
        for one, other in zip(alone, own, strict=True):
            assert other.grad is not None
            assert torch.equal(one.grad, other.grad[g])


@pytest.mark.parametrize("shape", [(5, 0, 3), (1, 2, 1), (1, 1, 4)])
def test_no_sample_one_step_and_one_neuron_are_fine(shape: tuple[int, int, int]) -> None:
    currents = draw(*shape).requires_grad_()
    weight = torch.ones(shape[2], shape[2], requires_grad=True)
    spikes, membrane = recurrent_lif(currents, weight, torch.tensor(0.9), 0.5, ATan())
    (spikes + membrane).sum().backward()
    assert spikes.shape == shape
    assert weight.grad is not None


def test_a_constant_current_gets_the_summed_gradient() -> None:
    once = draw(1, 4, 3).add_(0.5).requires_grad_()
    everywhere = once.detach().expand(6, 4, 3).clone().requires_grad_()
    for currents in (once, everywhere):
        weight = draw(3, 3, seed=1)
        spikes, _ = recurrent_lif(currents, weight, torch.tensor(0.9), 0.5, ATan(), steps=6)
        spikes.square().sum().backward()
    torch.testing.assert_close(once.grad, everywhere.grad.sum(0, keepdim=True))  # type: ignore[union-attr]
