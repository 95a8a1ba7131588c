"""First spike times by Euler's method: their gradients in closed form, and what they come to."""

import numpy as np
import pytest

from spiketune.snn.kernels.first_spike import SLOPE, Spikes, backward, euler, forward

from .first_spike_cases import (
    DELAYS,
    RATIOS,
    C,
    Floats,
    arrivals,
    causal,
    draw,
    kernel_at,
    slope_at,
)

DURATION = 12.0


def stepped(seed: int, n_delays: int, rho: float, step: float) -> Spikes:
    return euler.forward(*draw(seed, n_delays), rho, C, step=step, duration=DURATION)


@pytest.mark.parametrize("rho", RATIOS)
@pytest.mark.parametrize("n_delays", DELAYS)
@pytest.mark.parametrize("step", [0.1, 0.01])
def test_the_gradient_is_the_closed_form_at_the_time_that_was_found(
    rho: float, n_delays: int, step: float
) -> None:
    times, weights, delays = draw(6, n_delays)
    spikes = stepped(6, n_delays, rho, step)
    grad = np.where(spikes.silent, 0.0, np.random.default_rng(0).normal(size=(6, 5)))
    found = backward(grad, times, weights, delays, rho, spikes)

    depends = causal(times, delays, spikes) & ~spikes.silent[:, :, None]
    with np.errstate(invalid="ignore"):
        since = np.where(depends, spikes.times[:, :, None] - arrivals(times, delays), 0.0)
    value = np.where(depends, kernel_at(since, rho), 0.0)
    rise = np.where(depends, slope_at(since, rho), 0.0) * weights
    total = np.where(spikes.silent, 1.0, rise.sum(axis=2))
    np.testing.assert_allclose(
        spikes.kept[~spikes.silent][:, SLOPE], total[~spikes.silent], rtol=1e-9, atol=1e-12
    )
    by_weight = -(grad / total)[:, :, None] * value
    by_time = (grad / total)[:, :, None] * rise
    exact = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(found.weights, by_weight.sum(axis=0), **exact)
    np.testing.assert_allclose(found.times, by_time.sum(axis=1), **exact)
    if found.delays is not None:
        expected = by_time if n_delays > 1 else by_time.sum(axis=0, keepdims=True)
        np.testing.assert_allclose(found.delays, expected, **exact)
    assert (~spikes.silent).sum() > 8


def errors(n_delays: int, rho: float, step: float) -> tuple[float, float]:
    """Mean distance of spike times and of gradients from the exact ones, far from a touch."""
    off_times: list[float] = []
    off_weights: list[Floats] = []
    for seed in range(12):
        given = draw(seed, n_delays)
        exact, ours = forward(*given, rho, C), stepped(seed, n_delays, rho, step)
        # The causal set of a step that an input falls into may be that of the step before.
        same = (causal(given[0], given[2], exact) == causal(given[0], given[2], ours)).all(axis=2)
        clear = ~exact.silent & ~ours.silent & same & (np.abs(exact.kept[:, :, SLOPE]) > 0.15)
        off_times += list(np.abs(ours.times[clear] - exact.times[clear]))
        grad = clear.astype(np.float64)
        both = [backward(grad, *given, rho, spikes).weights for spikes in (exact, ours)]
        off_weights.append(both[1] - both[0])
    assert len(off_times) > 80
    return float(np.mean(off_times)), float(np.mean(np.abs(off_weights)))


@pytest.mark.parametrize("rho", RATIOS)
@pytest.mark.parametrize("n_delays", DELAYS)
def test_times_and_gradients_converge_in_the_first_order(rho: float, n_delays: int) -> None:
    coarse, fine = (errors(n_delays, rho, step) for step in (8e-3, 5e-4))
    for wide, narrow in zip(coarse, fine, strict=True):
        assert 0.75 < np.log(wide / narrow) / np.log(16.0) < 1.3
    assert fine[0] < 2e-3
