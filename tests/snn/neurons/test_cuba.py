"""The current-based neuron against its closed form and snnTorch's second-order neuron."""

import pytest
import snntorch
import torch
from snntorch import surrogate
from torch import Tensor

from spiketune.snn.kernels import cpu, reference
from spiketune.snn.kernels.reference import Reset
from spiketune.snn.neurons import cuba_lif
from spiketune.snn.spike_gradients import ATan


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_an_impulse_below_threshold_gives_the_difference_of_two_exponentials() -> None:
    currents = torch.zeros(40, 1, 1, dtype=torch.float64)
    currents[3] = 0.2
    spikes, membrane = cuba_lif(currents, 0.7, torch.tensor(0.9).double(), 1.0, ATan())
    a, b = 0.7, float(torch.tensor(0.9).double())
    expected = [0.0] * 3 + [0.2 * (b ** (k + 1) - a ** (k + 1)) / (b - a) for k in range(37)]
    assert membrane.flatten().tolist() == pytest.approx(expected, abs=1e-12)
    assert not spikes.any()


def test_without_a_spike_gradients_pass_a_finite_difference_check() -> None:
    def membrane(currents: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        return cuba_lif(currents, alpha, beta, 1e3, ATan())[1]

    decays = draw(2, 3, seed=1).sigmoid()
    inputs = (draw(5, 2, 3).requires_grad_(), *(d.clone().requires_grad_() for d in decays))
    assert torch.autograd.gradcheck(membrane, inputs)


@pytest.mark.parametrize("kernels", [cpu, reference], ids=["cpu", "reference"])
# The `zero` of snnTorch clears the synaptic current as well.
@pytest.mark.parametrize("reset", ["subtract", "none"])
def test_spikes_and_gradients_equal_those_of_snntorch(reset: Reset, kernels: object) -> None:
    T, B, N, K = 20, 8, 30, 5
    decays = draw(2, N, seed=3).sigmoid()
    weights = draw(K, N, seed=4) / 3
    ours, theirs = (draw(T, B, N, seed=5).requires_grad_() for _ in range(2))
    alpha, beta = (decay.clone().requires_grad_() for decay in decays)
    hidden = snntorch.Synaptic(
        alpha=decays[0],
        beta=decays[1],
        learn_alpha=True,
        learn_beta=True,
        reset_mechanism=reset,
        spike_grad=surrogate.atan(alpha=2.0),
    )
    spikes, _ = cuba_lif(
        ours,
        alpha,
        beta,
        1.0,
        ATan(2.0),
        reset=reset,
        kernels=kernels,  # type: ignore[arg-type]
    )
    synaptic, membrane = hidden.init_synaptic()
    steps = []
    for current in theirs:
        spike, synaptic, membrane = hidden(current, synaptic, membrane)
        steps.append(spike)
    expected = torch.stack(steps).double()
    mix = draw(T, B, K, seed=6)
    (spikes @ weights.T * mix).sum().backward()
    (expected @ weights.T * mix).sum().backward()

    assert spikes.sum() > 50
    assert torch.equal(spikes, expected)
    for one, other in ((ours, theirs), (alpha, hidden.alpha), (beta, hidden.beta)):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-5)


def test_packed_networks_equal_solo_ones_bit_for_bit() -> None:
    currents, decays = draw(3, 9, 4, 6), draw(2, 3, 6, seed=1).sigmoid()
    spikes, membrane = cuba_lif(currents, decays[0], decays[1], 0.5, ATan())
    for g in range(3):
        solo = cuba_lif(currents[g], decays[0, g], decays[1, g], 0.5, ATan())
        assert torch.equal(solo[0], spikes[g])
        assert torch.equal(solo[1], membrane[g])


def test_a_constant_input_is_given_once() -> None:
    once = draw(1, 4, 3)
    found = cuba_lif(once, 0.8, torch.tensor(0.9), 1.0, ATan(), steps=6)
    expected = cuba_lif(once.expand(6, 4, 3).clone(), 0.8, torch.tensor(0.9), 1.0, ATan())
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
