"""The trust region as a table, the cooling schedule, transforms, scores."""

import numpy as np
import pytest

from spiketune.samplers.cascbo.acquisition import (
    random_direction,
    reference_point,
    scalarised,
    scores,
)
from spiketune.samplers.cascbo.cost import cost_exponent, temperature, upper_bound
from spiketune.samplers.cascbo.transforms import Standardised, bilog, powered
from spiketune.samplers.cascbo.trust_region import LEAST_LENGTH, TrustRegion


@pytest.mark.parametrize(
    ("steps", "length", "successes", "failures"),
    [
        ([], 0.8, 0, 0),
        ([("better", 0.8)], 0.8, 1, 0),
        ([("better", 0.8)] * 3, 1.6, 0, 0),
        ([("better", 0.8)] * 3 + [("better", 1.6)] * 3, 1.6, 0, 0),
        ([("worse", 0.8)], 0.8, 0, 1),
        ([("worse", 0.8)] * 4, 0.4, 0, 0),
        ([("worse", 0.8)] * 5, 0.4, 0, 0),  # the fifth was asked from the old box
        ([("worse", 0.8)] * 4 + [("worse", 0.4)] * 2, 0.4, 0, 2),
        ([("worse", 0.8)] * 3 + [("better", 0.8)], 0.8, 1, 0),
        ([("better", 0.8)] * 2 + [("worse", 0.8)], 0.8, 0, 1),
        ([("better", 0.8)] * 2 + [("equal", 0.8)], 0.8, 2, 0),
        ([("worse", 0.8)] * 4 + [("jump", 0.8)], 0.8, 0, 0),
        ([("worse", 0.8)] * 4 + [("better", 0.4), ("jump", 0.8)], 0.8, 2, 0),
        ([("worse", 0.8)] * 4 + [("better", 0.8)], 0.4, 1, 0),  # larger box, but inside this one
    ],
)
def test_results_move_the_region_as_tabulated(steps, length, successes, failures):
    region = TrustRegion(success_tolerance=3, failure_tolerance=4)
    for step, asked in steps:
        region = region.after(step, asked)
    assert (region.length, region.successes, region.failures) == (length, successes, failures)
    assert not region.is_exhausted


def test_a_region_that_only_fails_is_given_up_for_a_fresh_one():
    region = TrustRegion(success_tolerance=3, failure_tolerance=2)
    n = 0
    while not region.is_exhausted:
        region = region.after("worse", region.length)
        n += 1
    assert n == 2 * 7
    assert region.length == 0.8 / 2**7 < LEAST_LENGTH
    fresh = region.restarted()
    assert (fresh.length, fresh.successes, fresh.failures, fresh.index) == (0.8, 0, 0, 1)


@pytest.mark.parametrize(
    ("spent", "exponent"),
    [(0.0, 1.0), (0.1, 0.83), (0.3, 0.56), (0.5, 0.5), (0.6, 0.5), (0.7, 0.5), (0.95, 1.0)],
)
def test_the_cost_counts_as_the_schedule_says_and_never_less_than_half(spent, exponent):
    assert cost_exponent(spent) == pytest.approx(exponent, abs=0.01)


def test_the_temperature_is_the_published_formula():
    s = 0.4
    power = s**12
    expected = 1.9 * s * np.exp(-np.sqrt(1000) * power) / (s + np.exp(-1000 * power))
    assert temperature(s) == pytest.approx(expected, rel=1e-12)
    assert cost_exponent(1.0) == pytest.approx(1.0, abs=1e-6)


def test_the_upper_bound_grows_until_all_is_open():
    assert upper_bound(0.0, 0.2, 0.05) == pytest.approx(0.05)
    assert upper_bound(0.1, 0.2, 0.05) == pytest.approx(0.525)
    assert upper_bound(0.2, 0.2, 0.05) == upper_bound(1.0, 0.2, 0.05) == 1.0


def test_constraints_keep_their_sign_and_lie_alike_on_both_sides():
    values = np.array([-0.03, -0.02, 0.0, 0.5, 0.9])
    bent = bilog(values)
    np.testing.assert_array_equal(np.sign(bent), np.sign(values))
    assert abs(bent[:2]).mean() == pytest.approx(bent[3:].mean(), rel=0.1)
    assert (np.diff(bent) > 0).all()
    assert np.isfinite(bilog(np.zeros(3))).all()


def test_objectives_are_bent_without_changing_their_order():
    rng = np.random.default_rng(0)
    accuracy = 1 - np.exp(rng.normal(-2, 1, 200))
    bent = powered(accuracy).values
    order = np.argsort(accuracy)
    assert (np.diff(bent[order]) >= 0).all()
    assert bent.mean() == pytest.approx(0.0, abs=1e-12)
    assert bent.std() == pytest.approx(1.0)
    assert abs(((bent - bent.mean()) ** 3).mean()) < 0.5, "close to symmetric"
    outlier = powered(np.append(accuracy, -1e9)).values
    assert outlier.min() > -8
    for constant in (np.ones(20), np.ones(1), np.empty(0)):
        assert np.isfinite(powered(constant).values).all()


def test_standardising_can_be_undone():
    values = np.array([1.0, 5.0, 9.0])
    kept = Standardised.of(values)
    np.testing.assert_allclose(kept.undo(kept.values), values)


def test_what_gains_is_divided_by_its_cost_and_what_loses_multiplied():
    gain, cost = np.array([1.0, 1.0, -1.0, -1.0, 5.0]), np.log([1.0, 4.0, 1.0, 4.0, 1.0])
    violation = np.array([0.0, 0.0, 0.0, 0.0, 0.1])
    np.testing.assert_allclose(scores(gain, violation, cost, 1.0), [1, 0.25, -1, -4, -np.inf])
    np.testing.assert_allclose(scores(gain, violation, cost, 0.0), [1, 1, -1, -1, -np.inf])


def test_without_a_feasible_draw_the_least_violation_counts():
    violation = np.array([0.2, 0.1, 0.3])
    chosen = scores(np.array([9.0, 0.0, 0.0]), violation, np.zeros(3), 1.0)
    assert int(np.argmax(chosen)) == 1


def test_random_directions_share_a_front_out_by_hypervolume():
    front = np.array([[0.0, 1.0], [0.9, 0.9], [1.0, 0.0]])
    reference = np.zeros(2)
    rng = np.random.default_rng(0)
    picks = [
        int(np.argmax(scalarised(front, reference, random_direction(2, rng)))) for _ in range(500)
    ]
    assert picks.count(1) > 400, "it holds most of the hypervolume"
    assert (reference_point(front) < front.min(axis=0)).all()
    assert random_direction(1, rng) == np.ones(1)
