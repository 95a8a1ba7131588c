"""The neuron over all steps, against its equations, a stepwise reference and snnTorch."""

import pytest
import snntorch
import torch
from snntorch import surrogate
from torch import Tensor

from spiketune.snn.neurons import lif, lif_step
from spiketune.snn.spike_gradients import ATan


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def stepwise(currents: Tensor, beta: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    membrane = torch.zeros_like(currents[0])
    spikes, membranes = [], []
    for current in currents:
        spike, membrane = lif_step(current, membrane, beta, threshold, ATan(2.0))
        spikes.append(spike)
        membranes.append(membrane)
    return torch.stack(spikes), torch.stack(membranes)


def test_an_impulse_below_threshold_decays_by_beta_at_each_step() -> None:
    currents = torch.zeros(40, 1, 1, dtype=torch.float64)
    currents[3] = 0.8
    spikes, membrane = lif(currents, torch.tensor(0.9, dtype=torch.float64), 1.0, ATan())
    expected = [0.0] * 3 + [0.8 * 0.9**t for t in range(37)]
    assert membrane.flatten().tolist() == pytest.approx(expected, abs=1e-12)
    assert not spikes.any()


def test_a_spike_subtracts_the_threshold_one_step_later() -> None:
    currents = torch.tensor([2.5, 0.0, 0.0, 0.0], dtype=torch.float64).view(4, 1, 1)
    spikes, membrane = lif(currents, torch.tensor(1.0, dtype=torch.float64), 1.0, ATan())
    assert membrane.flatten().tolist() == [2.5, 1.5, 0.5, 0.5]
    assert spikes.flatten().tolist() == [1.0, 1.0, 0.0, 0.0]


def test_a_membrane_at_the_threshold_does_not_spike() -> None:
    spikes, _ = lif(torch.ones(1, 1, 1), torch.tensor(0.9), 1.0, ATan())
    assert not spikes.any()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1), (7, 1, 5), (25, 6, 17)])
@pytest.mark.parametrize("per_neuron", [False, True])
def test_values_and_gradients_equal_the_stepwise_reference(
    shape: tuple[int, int, int], per_neuron: bool
) -> None:
    inputs = [draw(*shape).requires_grad_() for _ in range(2)]
    start = draw(shape[2], seed=1).sigmoid() if per_neuron else torch.tensor(0.85).double()
    betas = [start.clone().requires_grad_() for _ in range(2)]
    found = lif(inputs[0], betas[0], 0.7, ATan(2.0))
    expected = stepwise(inputs[1], betas[1], 0.7)
    weights = draw(2, *shape, seed=2)
    for spikes, membrane in (found, expected):
        (spikes * weights[0] + membrane * weights[1]).sum().backward()
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(betas[0].grad, betas[1].grad, rtol=1e-10, atol=1e-12)


def test_an_expanded_input_gets_the_gradient_summed_over_time() -> None:
    once = draw(1, 4, 3).requires_grad_()
    everywhere = once.detach().expand(9, 4, 3).clone().requires_grad_()
    beta = torch.tensor(0.9, dtype=torch.float64)
    for currents in (once.expand(9, 4, 3), everywhere):
        lif(currents, beta, 1.0, ATan())[0].square().sum().backward()
    assert once.grad is not None
    assert everywhere.grad is not None
    torch.testing.assert_close(once.grad, everywhere.grad.sum(0, keepdim=True))


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_a_decay_outside_of_zero_to_one_is_clamped_and_gets_no_gradient(value: float) -> None:
    beta = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    _, membrane = lif(draw(5, 2, 3), beta, 1.0, ATan())
    membrane.sum().backward()
    _, clamped = lif(draw(5, 2, 3), torch.tensor(min(max(value, 0.0), 1.0)).double(), 1.0, ATan())
    assert torch.equal(membrane, clamped)
    assert beta.grad == 0


def test_the_spike_gradient_is_the_derivative_of_an_arctangent() -> None:
    x = draw(50).requires_grad_()
    alpha = 3.0
    smooth = torch.atan(torch.pi / 2 * alpha * x) / torch.pi
    smooth.sum().backward()
    torch.testing.assert_close(ATan(alpha).derivative_(x.detach().clone()), x.grad)


def test_without_reset_the_membrane_passes_a_finite_difference_check() -> None:
    def membrane(currents: Tensor, beta: Tensor) -> Tensor:
        return lif(currents, beta, 1e3, ATan())[1]  # nothing reaches the threshold

    inputs = (draw(4, 2, 3).requires_grad_(), torch.tensor([0.2, 0.5, 0.9]).double())
    inputs[1].requires_grad_()
    assert torch.autograd.gradcheck(membrane, inputs)


@pytest.mark.parametrize("per_neuron", [False, True])
def test_spikes_and_gradients_equal_those_of_snntorch(per_neuron: bool) -> None:
    T, B, N, K = 20, 8, 30, 5
    start = draw(N, seed=3).sigmoid() if per_neuron else torch.tensor(0.9).double()
    weights = draw(K, N, seed=4) / 3
    ours, theirs = (draw(T, B, N, seed=5).requires_grad_() for _ in range(2))
    beta = start.clone().requires_grad_()
    hidden = snntorch.Leaky(beta=start, learn_beta=True, spike_grad=surrogate.atan(alpha=2.0))
    output = snntorch.Leaky(beta=0.9, spike_grad=surrogate.atan(alpha=2.0))

    between = lif(ours, beta, 1.0, ATan(2.0))[0] @ weights.T
    spikes, _ = lif(between, torch.tensor(0.9), 1.0, ATan(2.0))
    membranes = [hidden.reset_mem(), output.reset_mem()]
    steps = []
    for current in theirs:
        spike, membranes[0] = hidden(current, membranes[0])
        spike, membranes[1] = output(spike.double() @ weights.T, membranes[1])
        steps.append(spike)
    expected = torch.stack(steps).double()
    mix = draw(T, B, K, seed=6)
    (spikes * mix).sum().backward()
    (expected * mix).sum().backward()

    assert spikes.sum() > 50
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(
        ours.grad, theirs.grad, rtol=1e-5, atol=1e-5
    )  # theirs mixes in float32
    torch.testing.assert_close(
        beta.grad, hidden.beta.grad, rtol=1e-5, atol=1e-5
    )  # theirs mixes in float32
