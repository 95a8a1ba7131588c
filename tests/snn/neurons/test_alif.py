"""SLAYER's adaptive neuron against its equations, written out and step by step by autograd."""

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spiketune.snn.kernels import cpu, reference
from spiketune.snn.neurons import AlifParameters, alif, lif_step
from spiketune.snn.spike_gradients import ATan, Exponential, FastSigmoid, SpikeGradient, Triangular

DECAYS = ("current_decay", "voltage_decay", "threshold_decay", "refractory_decay")
GENTLE = AlifParameters(0.3, 0.1, 0.2, 0.25, 0.8, 0.15)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)


def spike(distance: Tensor, gradient: SpikeGradient) -> Tensor:
    """A spike at or above the threshold, with the spike gradient."""
    smooth = distance * gradient.derivative_(distance.detach().clone())
    return (distance >= 0).to(distance.dtype) + smooth - smooth.detach()


def stepwise(
    currents: Tensor, parameters: AlifParameters, gradient: SpikeGradient
) -> tuple[Tensor, Tensor]:
    """The equations as they stand, with ordinary autograd; currents (T, B, N)."""
    p = parameters
    u, v, r = torch.zeros_like(currents[0]), torch.zeros_like(currents[0]), 0.0
    th = torch.zeros_like(currents[0]) + p.threshold
    spikes, membranes = [], []
    for current in currents:
        u = (1 - p.current_decay) * u + current
        v = (1 - p.voltage_decay) * v + u
        th = (1 - p.threshold_decay) * (th - p.threshold) + p.threshold
        r = (1 - p.refractory_decay) * r
        s = spike(v - (th + r), gradient)
        r = r + 2 * th * s.detach()
        th = th + p.threshold_step * s.detach()
        spikes.append(s)
        membranes.append(v)
    return torch.stack(spikes), torch.stack(membranes)


def drawn_parameters(n: int, seed: int, dtype: torch.dtype = torch.float64) -> AlifParameters:
    shares = draw(6, n, seed=seed, dtype=dtype).sigmoid()
    # Low decays of the current would give sums of dozens; low thresholds make it spike.
    scales = (1.0, 1.0, 1.0, 1.0, 1.5, 0.5)
    return AlifParameters(*(s * scale for s, scale in zip(shares, scales, strict=True)))


def learned(parameters: AlifParameters) -> AlifParameters:
    values = {name: getattr(parameters, name).clone().requires_grad_() for name in DECAYS}
    return replace(parameters, **values)


def gradients(parameters: AlifParameters) -> list[Tensor]:
    return [getattr(parameters, name).grad for name in DECAYS]


@pytest.mark.parametrize("kernels", [cpu, reference], ids=["cpu", "reference"])
def test_a_written_out_example_follows_the_equations(kernels: object) -> None:
    # Decays 1/2, 1/4, 1/2, 1/2, threshold 1 that rises by 1/4:
    # t   u       v         th      r       v >= th + r
    # 0   1.5     1.5       1       0       spike: r = 2, th = 1.25
    # 1   0.75    1.875     1.125   1       no (2.125)
    # 2   4.375   5.78125   1.0625  0.5     spike: r = 2.625, th = 1.3125
    # 3   2.1875  6.5234375 1.15625 1.3125  spike: r = 3.625, th = 1.40625
    # 4   1.09375 5.986328125 1.203125 1.8125  spike
    parameters = AlifParameters(0.5, 0.25, 0.5, 0.5, 1.0, 0.25)
    spikes, membrane = alif(
        column(1.5, 0.0, 4.0, 0.0, 0.0),
        parameters,
        ATan(),
        kernels=kernels,  # type: ignore[arg-type]
    )
    assert membrane.flatten().tolist() == [1.5, 1.875, 5.78125, 6.5234375, 5.986328125]
    assert spikes.flatten().tolist() == [1.0, 0.0, 1.0, 1.0, 1.0]


def test_a_membrane_at_the_threshold_spikes() -> None:
    spikes, _ = alif(column(1.0), replace(GENTLE, threshold=1.0), ATan())
    assert spikes.item() == 1.0


def test_an_impulse_below_threshold_gives_the_difference_of_two_exponentials() -> None:
    currents = torch.zeros(60, 1, 1, dtype=torch.float64)
    currents[2] = 0.7
    parameters = AlifParameters(0.25, 0.03, 0.1, 0.1, 1e3, 0.5)
    spikes, membrane = alif(currents, parameters, ATan())
    fast, slow = 0.75, 0.97
    expected = [0.7 * (slow ** (k + 1) - fast ** (k + 1)) / (slow - fast) for k in range(58)]
    assert membrane.flatten().tolist() == pytest.approx([0.0, 0.0, *expected], abs=1e-12)
    assert not spikes.any()


def test_refractoriness_and_threshold_decay_by_their_shares_after_a_spike() -> None:
    # A membrane that never decays: the second spike falls where th + r is back below it.
    parameters = AlifParameters(1.0, 0.0, 0.1, 0.3, 1.0, 0.5)
    spikes, membrane = alif(column(1.8, *[0.0] * 19), parameters, ATan())
    assert membrane.unique().tolist() == [1.8]
    bars = [1.0 + 0.5 * 0.9**k + 2.0 * 0.7**k for k in range(1, 20)]
    second = next(k for k, bar in enumerate(bars, start=1) if bar <= 1.8)
    assert spikes.flatten().nonzero().flatten().tolist()[:2] == [0, second]


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*(st.integers(1, high) for high in (12, 9, 40))),
    st.sampled_from([ATan(2.0), FastSigmoid(5.0), Triangular(1.0, 0.3), Exponential(0.7, 0.2)]),
    st.integers(0, 1000),
)
def test_values_and_gradients_equal_autograd_of_the_equations(
    shape: tuple[int, int, int], gradient: SpikeGradient, seed: int
) -> None:
    start, weights = drawn_parameters(shape[2], seed), draw(2, *shape, seed=seed + 1)
    results = []
    for run in ("cpu", "reference", "stepwise"):
        currents = draw(*shape, seed=seed).add_(0.4).requires_grad_()
        parameters = learned(start)
        if run == "stepwise":
            spikes, membrane = stepwise(currents, parameters, gradient)
        else:
            kernels = cpu if run == "cpu" else reference
            spikes, membrane = alif(currents, parameters, gradient, kernels=kernels)
        (spikes * weights[0] + membrane * weights[1]).sum().backward()
        results.append([spikes, membrane, currents.grad, *gradients(parameters)])
    for found in results[:2]:
        assert torch.equal(found[0], results[2][0].round())
        for one, other in zip(found[1:], results[2][1:], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("shape", [(1, 1, 1), (25, 7, 10), (5, 3, 1500), (6, 129, 33)])
def test_single_precision_agrees_with_the_reference(shape: tuple[int, int, int]) -> None:
    start = drawn_parameters(shape[2], 3, torch.float32)
    results = []
    for kernels in (cpu, reference):
        currents = draw(*shape, seed=5, dtype=torch.float32).add_(0.5).requires_grad_()
        parameters = learned(start)
        spikes, membrane = alif(currents, parameters, ATan(), kernels=kernels)
        (spikes * spikes + membrane).square().sum().backward()
        results.append([spikes, membrane, currents.grad, *gradients(parameters)])
    for one, other in zip(*results, strict=True):
        scale = max(1.0, float(other.detach().abs().max()))
        torch.testing.assert_close(one, other, rtol=0, atol=3e-5 * scale)


def test_subthreshold_gradients_pass_a_finite_difference_check() -> None:
    def membrane(currents: Tensor, current_decay: Tensor, voltage_decay: Tensor) -> Tensor:
        parameters = AlifParameters(current_decay, voltage_decay, 0.1, 0.1, 1e3, 0.1)
        return alif(currents, parameters, ATan())[1]

    decays = draw(2, 3, seed=1).sigmoid()
    inputs = (draw(6, 2, 3).requires_grad_(), *(d.clone().requires_grad_() for d in decays))
    assert torch.autograd.gradcheck(membrane, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_packed_networks_equal_solo_ones_bit_for_bit(dtype: torch.dtype) -> None:
    G, T, B, N = 4, 12, 9, 31
    start = [drawn_parameters(N, seed, dtype) for seed in range(G)]
    names = [field.name for field in fields(AlifParameters)]
    packed = learned(
        AlifParameters(*(torch.stack([getattr(p, name) for p in start]) for name in names))
    )
    currents = draw(G, T, B, N, dtype=dtype).add_(0.4)
    own = currents.clone().requires_grad_()
    spikes, membrane = alif(own, packed, ATan())
    (spikes.square() + membrane.square()).sum().backward()
    assert 0 < spikes.mean() < 1
    for g in range(G):
        alone, solo = currents[g].clone().requires_grad_(), learned(start[g])
        s, v = alif(alone, solo, ATan())
        (s.square() + v.square()).sum().backward()
        assert torch.equal(s, spikes[g])
        assert torch.equal(v, membrane[g])
        assert own.grad is not None
        assert torch.equal(alone.grad, own.grad[g])
        for one, other in zip(gradients(solo), gradients(packed), strict=True):
            assert torch.equal(one, other[g])


def test_a_constant_current_is_given_once_and_gets_the_summed_gradient() -> None:
    once = draw(1, 4, 3).add_(0.5).requires_grad_()
    everywhere = once.detach().expand(9, 4, 3).clone().requires_grad_()
    for kernels in (cpu, reference):
        once.grad = everywhere.grad = None
        for currents in (once, everywhere):
            spikes, _ = alif(currents, GENTLE, ATan(), steps=9, kernels=kernels)
            assert spikes.shape == (9, 4, 3)
            spikes.square().sum().backward()
        torch.testing.assert_close(once.grad, everywhere.grad.sum(0, keepdim=True))  # type: ignore[attr-defined]


def test_an_unused_result_costs_no_gradient_and_thresholds_get_none() -> None:
    threshold = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    decay = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    parameters = replace(GENTLE, threshold=threshold, threshold_decay=decay)
    currents = draw(7, 2, 3).add_(0.4)
    _, membrane = alif(currents, parameters, ATan())
    membrane.sum().backward()
    assert threshold.grad is None
    assert decay.grad == 0  # no spike reaches the membrane


@pytest.mark.parametrize(("value", "clamped"), [(-0.5, 0.0), (1.5, 1.0)])
def test_a_decay_outside_of_zero_to_one_is_clamped(value: float, clamped: float) -> None:
    currents = draw(5, 2, 3)
    found = alif(currents, replace(GENTLE, voltage_decay=value), ATan())
    expected = alif(currents, replace(GENTLE, voltage_decay=clamped), ATan())
    assert torch.equal(found[1], expected[1])


def test_a_batch_of_none_gives_nothing() -> None:
    currents = torch.zeros(5, 0, 3, requires_grad=True)
    spikes, membrane = alif(currents, GENTLE, ATan())
    (spikes.sum() + membrane.sum()).backward()
    assert spikes.shape == membrane.shape == (5, 0, 3)


def test_neither_refractory_nor_adaptive_it_is_leaky_integrate_and_fire_without_reset() -> None:
    # r gone after one step (decay 1), no current state: u = x.
    parameters = AlifParameters(1.0, 0.2, 1.0, 1.0, 0.7, 0.0)
    currents = draw(20, 3, 4)
    spikes, membrane = alif(currents, parameters, ATan())
    before = torch.zeros(3, 4, dtype=torch.float64)
    beta = torch.tensor(0.8, dtype=torch.float64)
    for t in range(20):
        _, before = lif_step(currents[t], before, beta, 1e9, ATan())
        torch.testing.assert_close(membrane[t], before, rtol=0, atol=1e-12)
    assert torch.equal(spikes, (membrane >= 0.7).double())


def test_currents_of_a_wrong_number_of_steps_or_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or 9 steps, got 5"):
        alif(torch.zeros(5, 2, 3), GENTLE, ATan(), steps=9)
    with pytest.raises(ValueError, match=r"got shape \(2, 3\)"):
        alif(torch.zeros(2, 3), GENTLE, ATan())
