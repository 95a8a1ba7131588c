"""Where a search stands, from its history alone."""

import math

import numpy as np
from optuna.distributions import FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from spiketune.samplers.cascbo.history import ASKED, History
from spiketune.samplers.cascbo.progress import follow
from spiketune.samplers.cascbo.trust_region import TrustRegion
from spiketune.samplers.domain import Domain

X = {"x": FloatDistribution(0.0, 1.0)}
REGION = TrustRegion(success_tolerance=2, failure_tolerance=2)


def told(results, n_objectives=1):
    """The history of trials (x, values or None, constraint, region, length, cost)."""
    history = History(
        Domain(X),
        [StudyDirection.MINIMIZE] * n_objectives,
        constrained=True,
        cost="cost_s",
        resource=None,
    )
    trials = []
    for number, (x, values, constraint, region, length, cost) in enumerate(results):
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
        asked = {} if region is None else {ASKED: {"region": region, "length": length}}
        trial = create_trial(
            state=state,
            values=values,
            params={"x": x},
            distributions=X,
            system_attrs=asked,
            user_attrs={"cost_s": cost},
            constraints={"c": constraint},
        )
        trial.number = number
        trials.append(trial)
    history.take_in(trials)
    return history


def test_feasible_comes_before_better_and_less_violation_before_more():
    history = told(
        [
            (0.1, [1.0], 2.0, 0, None, 1),
            (0.2, [0.0], 3.0, 0, None, 1),
            (0.3, [9.0], 1.0, 0, None, 1),
            (0.4, [8.0], -1.0, 0, None, 1),
            (0.5, [7.0], 0.1, 0, None, 1),
            (0.6, None, 0.0, 0, None, 1),
        ]
    )
    expected = [0, 0, 2, 3, 3, 3]
    for n, best in enumerate(expected, start=1):
        part = told([])
        part.observations = history.observations[:n]
        part._rows = history.rows[:n]
        assert follow(part, REGION).best.tolist() == [best]


def test_a_better_one_inside_succeeds_and_one_outside_makes_the_region_jump():
    inside = [(0.5, [1.0], -1.0, 0, None, 1), (0.6, [0.5], -1.0, 0, 0.8, 1)]
    state = follow(told(inside), REGION)
    assert (state.region.length, state.region.successes) == (0.8, 1)
    halved = [*inside, (0.1, [2.0], -1.0, 0, 0.8, 1), (0.1, [2.0], -1.0, 0, 0.8, 1)]
    assert follow(told(halved), REGION).region.length == 0.4
    jumped = follow(told([*halved, (0.95, [0.1], -1.0, 0, 0.8, 1)]), REGION)
    assert (jumped.region.length, jumped.best.tolist()) == (0.8, [4])


def test_as_good_and_cheaper_moves_the_centre_and_counts_neither_way():
    state = follow(
        told([(0.5, [1.0], -1.0, 0, None, 5.0), (0.6, [1.0], -1.0, 0, 0.8, 2.0)]), REGION
    )
    assert state.best.tolist() == [1]
    assert (state.region.successes, state.region.failures) == (0, 0)


def test_an_exhausted_region_gives_way_and_late_results_of_it_no_longer_move_anything():
    results = [(0.5, [1.0], -1.0, 0, None, 1)]
    length = 0.8
    for _ in range(7):
        results += [(0.1, [2.0], -1.0, 0, length, 1)] * 2
        length /= 2
    state = follow(told(results), REGION)
    assert (state.region.index, state.region.length, len(state.members)) == (1, 0.8, 0)
    late = follow(told([*results, (0.5, [0.1], -1.0, 0, length, 1)]), REGION)
    assert len(late.members) == 0
    fresh = follow(told([*results, (0.7, [3.0], -1.0, 1, None, 1)]), REGION)
    assert fresh.best.tolist() == [len(results)], "the fresh region has a best of its own"
    assert fresh.n_feasible == 1


def test_several_objectives_keep_the_front():
    history = told(
        [
            (0.1, [0.0, 1.0], -1.0, 0, None, 1),
            (0.2, [1.0, 0.0], -1.0, 0, 0.8, 1),
            (0.3, [1.0, 1.0], -1.0, 0, 0.8, 1),
            (0.4, [0.0, 0.5], -1.0, 0, 0.8, 1),
            (0.5, [-1.0, -1.0], 0.5, 0, 0.8, 1),
        ],
        n_objectives=2,
    )
    state = follow(history, REGION)
    assert state.best.tolist() == [1, 3]
    assert state.region.failures == 1
    assert state.n_feasible == 4


def test_a_history_read_in_parts_is_the_one_read_at_once():
    whole = told([(0.1 * i, [float(i)], -1.0, 0, None, 1 + i) for i in range(6)])
    assert whole.n == 6
    np.testing.assert_allclose(whole.rows[:, 0], 0.1 * np.arange(6))
    np.testing.assert_allclose(whole.log_cost, np.log(1 + np.arange(6)))
    assert math.isclose(whole.gains[5, 0], -5.0)
