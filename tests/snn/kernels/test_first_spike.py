"""First spike times: recorded ones, integrated ones, and gradients by finite differences."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from spiketune.snn.kernels.first_spike import DOUBLE, EQUAL, backward, forward, lambert_w

Floats = NDArray[np.float64]
C = 0.5
GOLDEN = Path(os.environ.get("SPIKETUNE_GOLDEN", ""))


def draw(seed: int, own_times: bool, n: int = 8) -> tuple[Floats, Floats]:
    """Input times, some of them equal and some missing, and weights of both signs."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(0.0, 3.0, (6, 5 if own_times else 1, n))
    if n > 4:
        times[0, :, 2] = math.inf
        times[1, :, 3] = times[1, :, 4]
    times[2] = math.inf
    return times, rng.normal(0.4, 0.7, (n, 5))


def membrane(t: Floats, times: Floats, weights: Floats, ratio: int) -> Floats:
    """Membrane over the leak potential without a spike, for g_leak * threshold = c = 1/2.

    Solves tau_mem u' = -u + I / g_leak with tau_syn I' = -I: inputs of sum w theta(t - t_i).
    """
    since = np.maximum(t[:, None] - times[None], 0.0)
    kernel = since * np.exp(-since) if ratio == EQUAL else np.exp(-since / 2) - np.exp(-since)
    return np.where(t[:, None] > times[None], kernel, 0.0) @ weights


def by_integration(times: Floats, weights: Floats, ratio: int) -> float:
    """First crossing of the threshold on a fine grid, refined by a straight line."""
    t = np.linspace(0.0, 30.0, 300_001)
    u = membrane(t, times, weights, ratio)
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


@pytest.mark.parametrize("ratio", [EQUAL, DOUBLE])
def test_spikes_fall_where_the_membrane_reaches_the_threshold(ratio: int) -> None:
    times, weights = draw(0, own_times=False)
    weights *= np.linspace(0.2, 1.0, 5)  # some neurons never reach it
    spikes, _, n_causal = forward(times, weights, ratio, C)
    n_silent = 0
    for b in range(6):
        there = np.isfinite(times[b, 0])
        for m in range(5):
            expected = by_integration(times[b, 0][there], weights[there, m], ratio)
            n_silent += math.isinf(expected)
            assert spikes[b, m] == pytest.approx(expected, abs=1e-7)
            assert (n_causal[b, m] == 0) == math.isinf(expected)
    assert 5 < n_silent < 25


@pytest.mark.parametrize("ratio", [EQUAL, DOUBLE])
def test_times_count_from_any_moment(ratio: int) -> None:
    times, weights = draw(1, own_times=True)
    here, _, _ = forward(times, weights, ratio, C)
    later, _, _ = forward(times + 900.0, weights, ratio, C)  # exp(900) is beyond a float
    np.testing.assert_allclose(later, here + 900.0, rtol=1e-12)


def slope(
    case: tuple[int, bool, int],
    of_times: bool,
    place: tuple[int, ...],
    grad: Floats,
    n_causal: NDArray[np.int64],
) -> float | None:
    """Finite difference of sum(grad * spikes); None if a kink lies between."""
    (seed, own_times, ratio), ends = case, []
    for step in (1e-6, -1e-6):
        times, weights = draw(seed, own_times)
        (times if of_times else weights)[place] += step
        ends.append(forward(times, weights, ratio, C))
    if any((end[2] != n_causal).any() for end in ends):
        return None
    there = n_causal > 0
    return float(np.sum(grad[there] * (ends[0][0][there] - ends[1][0][there])) / 2e-6)


@pytest.mark.parametrize("ratio", [EQUAL, DOUBLE])
@pytest.mark.parametrize("own_times", [False, True])
def test_gradients_are_those_of_finite_differences(ratio: int, own_times: bool) -> None:
    n_checked = 0
    for seed in range(12):
        times, weights = draw(seed, own_times)
        spikes, order, n_causal = forward(times, weights, ratio, C)
        there = np.isfinite(spikes)
        grad = np.where(there, np.random.default_rng(seed).normal(size=spikes.shape), 0.0)
        found = backward(grad, times, order, weights, ratio, C, spikes, n_causal)

        rng = np.random.default_rng(100 + seed)
        for what in found[:2]:
            for _ in range(20):
                place = tuple(int(rng.integers(size)) for size in what.shape)
                if what is found[1] and (place[0] in (1, 2) or not np.isfinite(times[place])):
                    continue
                case = (seed, own_times, ratio)
                expected = slope(case, what is found[1], place, grad, n_causal)
                if expected is not None:
                    n_checked += 1
                    assert what[place] == pytest.approx(expected, rel=2e-6, abs=2e-7)
    assert n_checked > 200


def test_silent_neurons_and_late_inputs_have_no_gradient() -> None:
    times = np.array([[[0.0, 0.1, 9.0]]])
    weights = np.array([[3.0, -0.1], [2.0, -0.2], [1.0, 0.1]])
    spikes, order, n_causal = forward(times, weights, DOUBLE, C)
    assert math.isfinite(spikes[0, 0])
    assert math.isinf(spikes[0, 1])
    weights_grad, times_grad, _ = backward(
        np.ones((1, 2)), times, order, weights, DOUBLE, C, spikes, n_causal
    )
    assert weights_grad[:2, 0].all()
    assert not weights_grad[2, 0]
    assert not weights_grad[:, 1].any()
    assert times_grad[0, 0, 2] == 0.0


def test_gradients_that_are_too_steep_are_left_out_and_counted() -> None:
    times, weights = draw(3, own_times=False)
    spikes, order, n_causal = forward(times, weights, DOUBLE, C)
    grad = np.where(np.isfinite(spikes), 1.0, 0.0)
    given = (grad, times, order, weights, DOUBLE, C, spikes, n_causal)
    alone = []
    for b, m in zip(*np.nonzero(grad), strict=True):
        one = np.zeros_like(grad)
        one[b, m] = 1.0
        alone.append(backward(one, *given[1:])[0])
    steepest = np.sort([np.abs(part).max() for part in alone])
    limit = float(steepest[len(steepest) // 2])
    kept, _, n_capped = backward(*given, largest_dw=limit)
    small = [part for part in alone if np.abs(part).max() <= limit]
    assert n_capped == len(alone) - len(small) > 0
    np.testing.assert_allclose(kept, np.sum(small, axis=0))


def test_input_that_never_comes_leaves_every_neuron_silent() -> None:
    spikes, _, n_causal = forward(np.full((2, 1, 3), math.inf), np.ones((3, 4)), EQUAL, C)
    assert np.isinf(spikes).all()
    assert not n_causal.any()
    empty, _, _ = forward(np.empty((0, 1, 3)), np.ones((3, 4)), EQUAL, C)
    assert empty.shape == (0, 4)


def test_many_inputs_are_sorted_as_few_are() -> None:
    times, weights = draw(4, own_times=False, n=100)
    few, _, _ = forward(times[:, :, :40], weights[:40], DOUBLE, C)
    late = times.copy()
    late[:, :, 40:] = math.inf
    many, _, _ = forward(late, weights, DOUBLE, C)
    np.testing.assert_array_equal(few, many)


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
            arriving = times[:, None, :]
            if delays in recorded:
                arriving = arriving + recorded[delays].T
            arriving = np.ascontiguousarray(arriving)
            # The recording added 1e-6 to its sums.
            given = np.ascontiguousarray(recorded[weights])
            times, _, _ = forward(arriving, given, DOUBLE, C, 1e-6)
        np.testing.assert_allclose(times, recorded["spike_times"], rtol=1e-12)
        assert (times.argmin(axis=1) == recorded["labels"]).mean() == accuracy
