"""Ranks of reports, against written-out sets and brute force."""

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

from spiketune.fidelity import ranking
from spiketune.fidelity.base import Point
from spiketune.fidelity.ranking import contributions, fronts
from tests.fidelity.curves import arrivals

NAN = float("nan")


def n_better(point, others, *enough):
    return ranking.n_better(point, arrivals(others), *enough)


def front_numbers(gains):
    numbers = np.full(len(gains), -1)
    for k, front in enumerate(fronts(gains)):
        numbers[front] = k
    return numbers


def test_of_one_objective_what_is_larger_is_better_and_equals_are_not():
    others = [Point((0.5,)), Point((0.7,)), Point((0.6,)), Point((0.6,))]
    assert n_better(Point((0.6,)), others) == 1
    assert n_better(Point((0.4,)), others) == 4
    assert n_better(Point((0.9,)), others) == 0
    assert n_better(Point((0.9,)), []) == 0


def test_constraints_come_before_objectives():
    good, bad, worse = Point((0.1,)), Point((0.9,), 0.2), Point((0.99,), 0.5)
    assert n_better(bad, [good, worse]) == 1
    assert n_better(worse, [good, bad]) == 2
    assert n_better(good, [bad, worse]) == 0
    assert n_better(Point((0.5,), 0.2), [bad]) == 1  # as far from feasible: the objective counts


def test_a_value_that_is_no_number_is_worse_than_all_and_no_better_than_its_like():
    assert n_better(Point((NAN,)), [Point((0.0,), 0.9), Point((NAN,))]) == 1
    assert n_better(Point((0.0,), 0.9), [Point((NAN,))]) == 0


def test_fronts_of_a_written_out_set():
    gains = np.array([[3, 1], [1, 3], [2, 2], [2, 1], [1, 1], [2, 2]], dtype=float)
    assert front_numbers(gains).tolist() == [0, 0, 0, 1, 2, 0]


@pytest.mark.parametrize("m", [2, 3])
def test_fronts_agree_with_peeling_by_definition(m):
    gains = np.random.default_rng(m).integers(0, 6, size=(40, m)).astype(float)
    expected, left, front = np.full(40, -1), set(range(40)), 0
    while left:
        on = {
            i
            for i in left
            if not any((gains[j] >= gains[i]).all() and (gains[j] > gains[i]).any() for j in left)
        }
        for i in on:
            expected[i] = front
        left, front = left - on, front + 1
    assert front_numbers(gains).tolist() == expected.tolist()


def test_contributions_of_two_objectives_are_the_boxes_that_only_one_point_covers():
    gains = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 2.0], [4.0, 0.0]])
    share = contributions(gains)
    assert share[[0, 3]].tolist() == [np.inf, np.inf]
    assert share[1] == pytest.approx((1 - 0) * (3 - 2) / 16)
    assert share[2] == pytest.approx((3 - 1) * (2 - 0) / 16)


def test_a_point_and_its_double_contribute_nothing():
    share = contributions(np.array([[0.0, 2.0], [1.0, 1.0], [1.0, 1.0], [2.0, 0.0]]))
    assert share[1] == share[2] == 0.0


def test_contributions_of_three_objectives_are_volumes_lost():
    gains = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.5, 0.5, 1.0], [0.4, 0.4, 0.6]])
    gains = gains[front_numbers(gains) == 0]
    share = contributions(gains)
    scaled = (gains - gains.min(axis=0)) / np.ptp(gains, axis=0)
    whole = compute_hypervolume(1 - scaled, np.full(3, 1.1))
    for i in range(len(gains)):
        rest = compute_hypervolume(1 - np.delete(scaled, i, axis=0), np.full(3, 1.1))
        assert share[i] == pytest.approx(whole - rest)


def test_crowding_is_the_sum_of_gaps_between_neighbours():
    gains = np.array([[0, 4, 1, 1], [1, 3, 0, 2], [3, 2, 2, 0], [2, 2.5, 1.5, 1.5], [4, 0, 4, 4.0]])
    share = contributions(gains)
    assert share[[0, 1, 2, 4]].tolist() == [np.inf] * 4  # each is an end in some objective
    assert share[3] == pytest.approx((3 - 1) / 4 + (3 - 2) / 4 + (2 - 1) / 4 + (2 - 1) / 4)


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_contributions_belong_to_points_whatever_their_order(m):
    rng = np.random.default_rng(m)
    gains = rng.integers(0, 5, size=(70, m)).astype(float)
    order = rng.permutation(70)
    assert contributions(gains)[order] == pytest.approx(contributions(gains[order]))


@pytest.mark.parametrize(("m", "n"), [(3, 65), (4, 20), (6, 200)])
def test_no_volume_is_computed_where_that_takes_long(monkeypatch, m, n):
    monkeypatch.setattr(ranking, "compute_hypervolume", None)
    gains = np.abs(np.random.default_rng(0).standard_normal((n, m)))
    gains /= np.linalg.norm(gains, axis=1, keepdims=True)  # a sphere: one front
    assert (contributions(gains) > 0).all()


def test_nothing_is_contributed_where_fronts_tell_enough(monkeypatch):
    front = [Point((a, 1 - a, a * (1 - a))) for a in (0.0, 0.3, 0.6, 1.0)]
    low = Point((0.1, 0.1, 0.0))
    monkeypatch.setattr(ranking, "contributions", None)
    assert n_better(low, front, 3) >= 3
    assert n_better(front[0], [*front[1:], low], 4) < 4


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_counting_no_further_than_needed_answers_the_same_question(m):
    rng = np.random.default_rng(m)
    for _ in range(60):
        points = [
            Point(tuple(rng.integers(0, 4, m) / 3.0), float(rng.choice([0.0, 0.0, 0.3, np.inf])))
            for _ in range(rng.integers(1, 15))
        ]
        exact = n_better(points[0], points[1:])
        for enough in range(16):
            assert (n_better(points[0], points[1:], enough) < enough) == (exact < enough)


def test_of_two_objectives_the_front_and_then_the_contribution_decide():
    others = [Point((0.0, 4.0)), Point((4.0, 0.0)), Point((3.0, 2.0)), Point((0.5, 0.5))]
    assert n_better(Point((1.0, 3.0)), others) == 3  # two ends, and (3, 2), which adds more
    assert n_better(Point((3.0, 3.0)), others) == 2  # the two ends
    assert n_better(Point((0.4, 0.4)), others) == 4
