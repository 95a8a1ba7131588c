"""First spike times: recorded ones, integrated ones, and gradients by finite differences."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from spiketune.snn.kernels.first_spike import euler
from spiketune.snn.kernels.first_spike import (
    DOUBLE,
    EQUAL,
    UNTIL,
    Gradients,
    Spikes,
    backward,
    forward,
)
from spiketune.snn.kernels.lambert_w import lambert_w

Floats = NDArray[np.float64]
C = 0.5
GOLDEN = Path(os.environ.get("SPIKETUNE_GOLDEN", ""))
RATIOS = [EQUAL, DOUBLE, 0.5, 3.3]
# How many samples have delays of their own: none, all the same, each.
DELAYS = [0, 1, 6]
# A tiny number that turns off the path for few inputs, so that both are tested.
NO_OFFSET = 1e-300


def draw(seed: int, n_delays: int, n: int = 8) -> tuple[Floats, Floats, Floats | None]:
    """Input times, some of them equal and some missing, weights of both signs, and delays."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(0.0, 3.0, (6, n))
    if n > 4:
        times[0, 2] = math.inf
        times[1, 3] = times[1, 4]
    times[2] = math.inf
    delays = rng.uniform(0.0, 1.0, (n_delays, 5, n)) if n_delays else None
    return times, rng.normal(0.4, 0.7, (5, n)), delays


def kernel_at(since: Floats, rho: float) -> Floats:
    if rho == EQUAL:
        return since * np.exp(-since)
    return (np.exp(-since / rho) - np.exp(-since)) / (rho - 1.0)


def by_integration(arrivals: Floats, weights: Floats, rho: float) -> float:
    """First crossing of the threshold on a fine grid, refined by a straight line.

    Solves tau_mem u' = -u + I / g_leak with tau_syn I' = -I: inputs of sum w theta(t - t_i).
    """
    t = np.linspace(0.0, 30.0, 30_001)
    since = np.maximum(t[:, None] - arrivals[None], 0.0)
    u = np.where(t[:, None] > arrivals[None], kernel_at(since, rho), 0.0) @ weights
    above = np.flatnonzero(u >= C)
    if not len(above):
        return math.inf
    k = above[0]
    return float(t[k - 1] + (t[k] - t[k - 1]) * (C - u[k - 1]) / (u[k] - u[k - 1]))


def test_lambert_w_is_that_of_scipy_to_machine_precision() -> None:
    z = np.concatenate(
        [np.linspace(-0.367, 3.0, 4001), np.logspace(0.5, 250, 500), -np.logspace(-300, -2, 200)]
    )
    found = np.array([lambert_w(value) for value in z])
    np.testing.assert_allclose(found, scipy.special.lambertw(z).real, rtol=3e-15, atol=1e-15)


def test_lambert_w_ends_at_its_branch_point() -> None:
    assert lambert_w(-math.exp(-1.0)) == pytest.approx(-1.0, abs=1e-7)
    assert math.isnan(lambert_w(-0.37))
    assert lambert_w(0.0) == 0.0
    assert lambert_w(math.inf) == math.inf


@pytest.mark.parametrize("rho", RATIOS)
@pytest.mark.parametrize("n_delays", DELAYS)
@pytest.mark.parametrize("offset", [0.0, NO_OFFSET])
def test_spikes_fall_where_the_membrane_reaches_the_threshold(
    rho: float, n_delays: int, offset: float
) -> None:
    times, weights, delays = draw(0, n_delays)
    weights *= np.linspace(0.2, 1.2, 5)[:, None]  # some neurons never reach it
    spikes = forward(times, weights, delays, rho, C, offset)
    n_silent = 0
    for b in range(6):
        there = np.isfinite(times[b])
        for m in range(5):
            late = 0.0 if delays is None else delays[b if n_delays > 1 else 0, m][there]
            expected = by_integration(times[b][there] + late, weights[m, there], rho)
            n_silent += math.isinf(expected)
            assert spikes.times[b, m] == pytest.approx(expected, abs=1e-5)
            assert bool(spikes.silent[b, m]) == math.isinf(expected)
    assert 5 < n_silent < 28


@pytest.mark.parametrize("rho", RATIOS)
def test_times_count_from_any_moment(rho: float) -> None:
    times, weights, delays = draw(1, 1)
    here = forward(times, weights, delays, rho, C).times
    later = forward(times + 900.0, weights, delays, rho, C).times  # exp(900) is beyond a float
    np.testing.assert_allclose(later, here + 900.0, rtol=1e-12)
    assert delays is not None
    later = forward(times, weights, delays + 900.0, rho, C).times
    np.testing.assert_allclose(later, here + 900.0, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 23, 32])
@pytest.mark.parametrize("n_delays", [0, 1])
def test_few_inputs_are_compared_with_the_result_of_sorting(n: int, n_delays: int) -> None:
    rng = np.random.default_rng(n)
    times = rng.uniform(0.0, 2.0, (75, n))
    times[rng.random(times.shape) < 0.1] = math.inf
    times[:, n // 2] = times[:, 0]
    weights = rng.normal(2.0 / n**0.5, 2.0 / n**0.5, (7, n))
    weights[0] *= 0.1
    delays = rng.normal(0.5, 0.2, (n_delays, 7, n)) if n_delays else None
    few = forward(times, weights, delays, DOUBLE, C)
    sorted_ = forward(times, weights, delays, DOUBLE, C, NO_OFFSET)
    np.testing.assert_allclose(few.times, sorted_.times, rtol=1e-12)
    np.testing.assert_allclose(few.kept, sorted_.kept, rtol=1e-6, atol=1e-9)
    assert few.silent.any()
    assert not few.silent.all()


Case = tuple[int, int, float]


def slope(
    case: Case, what: int, place: tuple[int, ...], grad: Floats, spikes: Spikes
) -> float | None:
    """Finite difference of sum(grad * spikes); None if a kink lies between."""
    (seed, n_delays, rho), ends = case, []
    for step in (1e-6, -1e-6):
        given = draw(seed, n_delays)
        changed = given[what]
        assert changed is not None
        changed[place] += step
        ends.append(forward(*given, rho, C))
    until = spikes.kept[:, :, UNTIL]
    if not all(np.isclose(end.kept[:, :, UNTIL], until, rtol=0.0, atol=1e-4).all() for end in ends):
        return None
    there = ~spikes.silent
    return float(np.sum(grad[there] * (ends[0].times[there] - ends[1].times[there])) / 2e-6)


@pytest.mark.parametrize("rho", RATIOS)
@pytest.mark.parametrize("n_delays", DELAYS)
def test_gradients_are_those_of_finite_differences(rho: float, n_delays: int) -> None:
    n_checked = 0
    for seed in range(8):
        times, weights, delays = draw(seed, n_delays)
        spikes = forward(times, weights, delays, rho, C)
        grad = np.where(spikes.silent, 0.0, np.random.default_rng(seed).normal(size=(6, 5)))
        found = backward(grad, times, weights, delays, rho, spikes)

        rng = np.random.default_rng(100 + seed)
        parts = (found.times, found.weights, found.delays)
        for which, part in enumerate(parts):
            for _ in range(20 if part is not None else 0):
                assert part is not None
                place = tuple(int(rng.integers(size)) for size in part.shape)
                if which == 0 and (place[0] in (1, 2) or not np.isfinite(times[place])):
                    continue  # where inputs tie there is a derivative on either side
                if n_delays == 6 and which == 2 and place[0] in (1, 2):
                    continue
                expected = slope((seed, n_delays, rho), which, place, grad, spikes)
                if expected is not None:
                    n_checked += 1
                    assert part[place] == pytest.approx(expected, rel=1e-6, abs=1e-7)
    assert n_checked > 120


def alone(given: tuple[Floats, Floats, None], spikes: Spikes, **rest: float) -> list[Gradients]:
    """Gradients of one spike at a time."""
    found = []
    for place in zip(*np.nonzero(~spikes.silent), strict=True):
        one = np.zeros_like(spikes.times)
        one[place] = 1.0
        found.append(backward(one, *given, DOUBLE, spikes, **rest))
    return found


def test_silent_neurons_and_late_inputs_have_no_gradient() -> None:
    times = np.array([[0.0, 0.1, 9.0]])
    weights = np.array([[3.0, 2.0, 1.0], [-0.1, -0.2, 0.1]])
    spikes = forward(times, weights, None, DOUBLE, C)
    assert spikes.silent.tolist() == [[False, True]]
    found = backward(np.ones((1, 2)), times, weights, None, DOUBLE, spikes)
    assert found.weights[0, :2].all()
    assert not found.weights[0, 2]
    assert not found.weights[1].any()
    assert found.times[0, 2] == 0.0
    assert found.delays is None


def test_gradients_that_are_too_steep_are_left_out_and_counted() -> None:
    times, weights, _ = draw(3, 0)
    spikes = forward(times, weights, None, DOUBLE, C)
    single = alone((times, weights, None), spikes)
    steepest = np.sort([np.abs(part.weights).max() for part in single])
    limit = float(steepest[len(steepest) // 2])
    grad = np.where(spikes.silent, 0.0, 1.0)
    kept = backward(grad, times, weights, None, DOUBLE, spikes, limit)
    small = [part.weights for part in single if np.abs(part.weights).max() <= limit]
    assert kept.n_capped == len(single) - len(small) > 0
    np.testing.assert_allclose(kept.weights, np.sum(small, axis=0))


def test_input_that_never_comes_leaves_every_neuron_silent() -> None:
    for offset in (0.0, NO_OFFSET):
        spikes = forward(np.full((2, 3), math.inf), np.ones((4, 3)), None, DOUBLE, C, offset)
        assert spikes.silent.all()
    assert forward(np.empty((0, 3)), np.ones((4, 3)), None, EQUAL, C).times.shape == (0, 4)
    assert forward(np.empty((2, 0)), np.ones((4, 0)), None, EQUAL, C).silent.all()


def test_many_inputs_are_sorted_as_few_are() -> None:
    times, weights, _ = draw(4, 0, n=100)
    few = forward(times[:, :40], np.ascontiguousarray(weights[:, :40]), None, DOUBLE, C)
    late = times.copy()
    late[:, 40:] = math.inf
    many = forward(late, weights, None, DOUBLE, C)
    np.testing.assert_array_equal(few.times, many.times)


def test_every_neuron_and_sample_may_have_a_threshold_of_its_own() -> None:
    times, weights, _ = draw(5, 0)
    levels = np.random.default_rng(0).uniform(0.2, 0.8, (6, 5))
    for offset in (0.0, NO_OFFSET):
        found = forward(times, weights, None, DOUBLE, levels, offset)
        for b in range(6):
            for m in range(5):
                one = forward(times, weights, None, DOUBLE, float(levels[b, m]), offset)
                assert found.times[b, m] == one.times[b, m]


@pytest.mark.parametrize("rho", RATIOS)
@pytest.mark.parametrize("n_delays", DELAYS)
def test_eulers_steps_come_to_the_exact_times_and_gradients(rho: float, n_delays: int) -> None:
    given = draw(6, n_delays)
    exact = forward(*given, rho, C)
    stepped = euler.forward(*given, rho, C, step=1e-4, duration=12.0)
    both = ~exact.silent & (np.abs(exact.kept[:, :, 0]) > 0.05)
    assert both.sum() >= 4
    np.testing.assert_allclose(stepped.times[both], exact.times[both], atol=5e-3)
    np.testing.assert_array_equal(stepped.silent[exact.silent], True)
    # Gradients are exact for the time that is given, so they agree when it does.
    moved = Spikes(exact.times, stepped.kept)
    grad = np.where(both, 1.0, 0.0)
    ours = backward(grad, *given, rho, exact)
    theirs = backward(grad, *given, rho, moved)
    np.testing.assert_allclose(theirs.weights, ours.weights, rtol=0.1, atol=0.02)


@pytest.mark.skipif(not GOLDEN.name, reason="SPIKETUNE_GOLDEN names no folder of recorded times")
@pytest.mark.parametrize(
    ("file", "accuracy"), [("yin_yang_H30_W.npz", 0.967), ("yin_yang_H5_WS.npz", 0.954)]
)
def test_recorded_networks_spike_when_they_did(file: str, accuracy: float) -> None:
    with np.load(GOLDEN / file) as recorded:
        times = recorded["inputs"]
        for delays, weights in (
            ("layer0_delays", "layer1_weights"),
            ("layer2_delays", "layer3_weights"),
        ):
            late = recorded[delays].T[None] if delays in recorded else None
            # The recording added 1e-6 to its sums.
            times = forward(times, recorded[weights].T, late, DOUBLE, C, 1e-6).times
        np.testing.assert_allclose(times, recorded["spike_times"], rtol=1e-12)
        assert (times.argmin(axis=1) == recorded["labels"]).mean() == accuracy
