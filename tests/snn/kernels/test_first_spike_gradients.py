"""Gradients of first spike times by finite differences: any causal set, ties, silence."""

import math

import numpy as np
import pytest

from spiketune.snn.kernels.first_spike import DOUBLE, Gradients, Spikes, backward, forward

from .first_spike_cases import DELAYS, MANY, RATIOS, C, Floats, causal, draw, draw_ties

STEP = 1e-5
# Of the central difference over four points, whose error is of the fourth order.
STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
SHAPES = [*((rho, 8) for rho in RATIOS), (DOUBLE, MANY)]

Given = tuple[Floats, Floats, Floats | None]
Place = tuple[int, ...]


def slope(given: Given, moved: list[tuple[int, Place]], rho: float, grad: Floats) -> float | None:
    """Finite difference of sum(grad * spikes) as numbers move together; None beside a kink."""
    spikes = forward(*given, rho, C)
    there, depends = ~spikes.silent, causal(given[0], given[2], spikes)
    found = 0.0
    for steps, share in STENCIL:
        arrays = [None if part is None else part.copy() for part in given]
        for which, place in moved:
            part = arrays[which]
            assert part is not None
            part[place] += steps * STEP
        times, weights, delays = arrays
        assert times is not None
        assert weights is not None
        end = forward(times, weights, delays, rho, C)
        if (causal(times, delays, end) != depends).any():
            return None
        found += share * float(np.sum(grad[there] * end.times[there])) / STEP
    return found


def check(given: Given, rho: float, seed: int, n_places: int = 40) -> tuple[int, set[int]]:
    """Compare what is at some places; how many could be, and the sizes of the causal sets."""
    spikes = forward(*given, rho, C)
    rng = np.random.default_rng(seed)
    grad = np.where(spikes.silent, 0.0, rng.normal(size=spikes.times.shape))
    found = backward(grad, *given, rho, spikes)
    n_checked = 0
    for which, part in enumerate((found.times, found.weights, found.delays)):
        places = [] if part is None else list(np.ndindex(part.shape))
        rng.shuffle(places)
        for place in map(tuple, places[:n_places]):
            assert part is not None
            expected = slope(given, [(which, place)], rho, grad)
            if expected is not None:
                n_checked += 1
                assert part[place] == pytest.approx(expected, rel=1e-6, abs=1e-9)
    return n_checked, set(causal(given[0], given[2], spikes).sum(axis=2)[~spikes.silent].tolist())


@pytest.mark.parametrize(("rho", "n"), SHAPES)
@pytest.mark.parametrize("n_delays", DELAYS)
def test_gradients_are_those_of_finite_differences(rho: float, n: int, n_delays: int) -> None:
    n_checked, sizes = 0, set()
    for seed in range(6):
        n_more, more = check(draw(seed, n_delays, n), rho, seed)
        n_checked, sizes = n_checked + n_more, sizes | more
    assert n_checked > 250
    assert len(sizes) >= 5  # causal sets of many sizes


@pytest.mark.parametrize(("rho", "n"), SHAPES)
@pytest.mark.parametrize("n_delays", DELAYS)
def test_inputs_that_tie_have_the_gradients_of_finite_differences(
    rho: float, n: int, n_delays: int
) -> None:
    # A spike depends on which inputs came before it, not on their order: it is smooth there.
    n_checked = 0
    for seed in range(6):
        n_checked += check(draw_ties(seed, n_delays, n), rho, seed)[0]
    assert n_checked > 250


@pytest.mark.parametrize("rho", RATIOS)
@pytest.mark.parametrize("n_delays", DELAYS)
def test_inputs_that_tie_may_move_together(rho: float, n_delays: int) -> None:
    n_checked = 0
    for seed in range(4):
        given = draw_ties(seed, n_delays)
        spikes = forward(*given, rho, C)
        grad = np.where(spikes.silent, 0.0, 1.0)
        found = backward(grad, *given, rho, spikes)
        for b in range(6):
            pair: list[Place] = [(b, 2), (b, 3)]
            expected = slope(given, [(0, place) for place in pair], rho, grad)
            if expected is not None:
                n_checked += 1
                both = sum(found.times[place] for place in pair)
                assert both == pytest.approx(expected, rel=1e-6, abs=1e-9)
        for d, m in np.ndindex(n_delays, 5):
            assert found.delays is not None
            pair = [(d, m, 4), (d, m, 5)]
            expected = slope(given, [(2, place) for place in pair], rho, grad)
            if expected is not None:
                n_checked += 1
                both = sum(found.delays[place] for place in pair)
                assert both == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert n_checked > 12


@pytest.mark.parametrize("rho", RATIOS)
def test_an_input_in_the_moment_of_the_spike_has_the_derivative_of_a_later_one(rho: float) -> None:
    # Earlier it would move the spike, later it does not: the derivative on that side is taken.
    times, weights, _ = draw(1, 0)
    spikes = forward(times, weights, None, rho, C)
    b, m = np.argwhere(~spikes.silent)[0]
    at = spikes.times[b, m]
    joined, own = np.append(times[b], at)[None], np.append(weights[m], 1.0)[None]

    def spike(moved: float, weight: float) -> float:
        given = joined + moved * np.eye(9)[8], own + weight * np.eye(9)[8], None
        return float(forward(*given, rho, C).times.item())

    for moved, weight in ((1e-3, 0.0), (0.0, 0.5), (0.0, -0.5)):
        assert spike(moved, weight) == pytest.approx(at, rel=1e-12)
    assert spike(-1e-3, 0.0) < at - 1e-5
    tied = forward(joined, own, None, rho, C)
    found = backward(np.ones((1, 1)), joined, own, None, rho, tied)
    assert found.times[0, 8] == found.weights[0, 8] == 0.0


def alone(given: tuple[Floats, Floats, None], spikes: Spikes) -> list[Gradients]:
    """Gradients of one spike at a time."""
    found = []
    for place in zip(*np.nonzero(~spikes.silent), strict=True):
        one = np.zeros_like(spikes.times)
        one[place] = 1.0
        found.append(backward(one, *given, DOUBLE, spikes))
    return found


@pytest.mark.parametrize("rho", RATIOS)
def test_silent_neurons_and_late_inputs_have_no_gradient(rho: float) -> None:
    times = np.array([[0.0, 0.1, 20.0, math.inf]])
    weights = np.array([[2.0, 2.0, 1.0, 1.0], [-0.1, -0.2, 0.1, 1.0]])
    spikes = forward(times, weights, None, rho, C)
    assert spikes.silent.tolist() == [[False, True]]
    found = backward(np.ones((1, 2)), times, weights, None, rho, spikes)
    assert found.weights[0, :2].all()
    assert not found.weights[0, 2:].any()
    assert not found.weights[1].any()
    assert not found.times[0, 2:].any()
    assert found.delays is None


@pytest.mark.parametrize("n", [8, MANY])
def test_gradients_that_are_too_steep_are_left_out_and_counted(n: int) -> None:
    times, weights, _ = draw(3, 0, n)
    spikes = forward(times, weights, None, DOUBLE, C)
    single = alone((times, weights, None), spikes)
    steepest = np.sort([np.abs(part.weights).max() for part in single])
    limit = float(steepest[len(steepest) // 2])
    grad = np.where(spikes.silent, 0.0, 1.0)
    kept = backward(grad, times, weights, None, DOUBLE, spikes, limit)
    small = [part for part in single if np.abs(part.weights).max() <= limit]
    assert kept.n_capped == len(single) - len(small) > 0
    np.testing.assert_allclose(kept.weights, np.sum([part.weights for part in small], axis=0))
    np.testing.assert_allclose(kept.times, np.sum([part.times for part in small], axis=0))
