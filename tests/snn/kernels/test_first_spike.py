"""First spike times: recorded ones, and ones by integrating the membrane equation."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from spiketune.snn.kernels.first_spike import DOUBLE, EQUAL, forward

from .first_spike_cases import DELAYS, NO_OFFSET, RATIOS, C, Floats, draw, kernel_at

GOLDEN = Path(os.environ.get("SPIKETUNE_GOLDEN", ""))


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


def test_input_that_never_comes_leaves_every_neuron_silent() -> None:
    for offset in (0.0, NO_OFFSET):
        spikes = forward(np.full((2, 3), math.inf), np.ones((4, 3)), None, DOUBLE, C, offset)
        assert spikes.silent.all()
    assert forward(np.empty((0, 3)), np.ones((4, 3)), None, EQUAL, C).times.shape == (0, 4)
    assert forward(np.empty((2, 0)), np.ones((4, 0)), None, EQUAL, C).silent.all()


def test_many_inputs_are_sorted_as_few_are() -> None:
    times, weights, _ = draw(4, 0, n=100)
    few = forward(times[:, :40], weights[:, :40], None, DOUBLE, C)
    late = times.copy()
    late[:, 40:] = math.inf
    many = forward(late, weights, None, DOUBLE, C)
    np.testing.assert_allclose(few.times, many.times, rtol=1e-13)


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
@pytest.mark.parametrize("n_delays", [0, 1])
@pytest.mark.parametrize("weight", [-5.0, 5.0])
def test_what_comes_in_the_moment_of_the_spike_changes_nothing(
    rho: float, n_delays: int, weight: float
) -> None:
    n_spikes = 0
    for seed in range(5):
        times, weights, delays = draw(seed, n_delays)
        for offset in (0.0, NO_OFFSET):
            spikes = forward(times, weights, delays, rho, C, offset)
            for b, m in zip(*np.nonzero(~spikes.silent), strict=True):
                late = 0.25
                joined = np.append(times[b], spikes.times[b, m] - (late if n_delays else 0.0))
                own = np.append(weights[m], weight)
                delay = None if delays is None else np.append(delays[0, m], late)[None, None]
                found = forward(joined[None], own[None], delay, rho, C, offset)
                n_spikes += 1
                assert found.times.item() == pytest.approx(spikes.times[b, m], rel=1e-9)
    assert n_spikes > 50


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
