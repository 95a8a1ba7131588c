"""How members rank: feasible first, fronts, crowding."""

import math

import numpy as np
import pytest
from optuna.study import StudyDirection
from optuna.study._multi_objective import _fast_non_domination_rank
from optuna.trial import TrialState, create_trial

from spiketune.samplers.islands.individual import (
    Standing,
    better,
    crowding,
    fronts,
    individual,
    ranked,
)

MINIMIZE, MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE


def member(number, values, constraints=None, directions=(MINIMIZE,), **user_attrs):
    state = TrialState.FAIL if values is None else TrialState.COMPLETE
    if values is not None and any(math.isnan(v) for v in values):
        values, state = None, TrialState.FAIL
    attrs = {f"constraints:{name}": value for name, value in (constraints or {}).items()}
    trial = create_trial(state=state, values=values, user_attrs=user_attrs, system_attrs=attrs)
    trial.number = number
    return individual(trial, np.zeros(1), directions[: len(values)] if values else directions, {})


def numbers(members, scales=None):
    return [one.number for one in ranked(members, scales or {})]


def test_what_is_feasible_comes_before_what_stopped_was_infeasible_or_failed():
    members = [
        member(0, None),
        member(1, [0.0], {"c": 0.5}),
        member(2, [9.0]),
        member(3, [1.0], ended="stopped", fidelity=1.0),
        member(4, [5.0], ended="stopped", fidelity=4.0),
        member(5, [0.0], {"c": 0.1}),
        member(6, [8.0], {"c": -1.0}),
    ]
    assert numbers(members) == [6, 2, 4, 3, 5, 1, 0]
    assert [one.standing for one in members[:4]] == [
        Standing.FAILED,
        Standing.INFEASIBLE,
        Standing.FEASIBLE,
        Standing.STOPPED,
    ]


def test_excesses_of_different_units_are_compared_by_their_largest():
    one, other = member(0, [0.0], {"size": 1000.0}), member(1, [0.0], {"share": 0.5})
    assert numbers([one, other]) == [1, 0]
    assert numbers([one, other], {"size": 1e6, "share": 0.5}) == [0, 1]


def test_a_constraint_that_is_not_a_number_is_broken():
    assert member(0, [0.0], {"c": math.nan}).standing == Standing.INFEASIBLE
    assert numbers([member(0, [0.0], {"c": math.inf}), member(1, [5.0], {"c": 0.2})]) == [1, 0]


def test_of_equals_the_older_ranks_first():
    one, other = member(3, [1.0]), member(4, [1.0])
    assert better(one, other, {})
    assert not better(other, one, {})


def test_maximised_objectives_rank_the_other_way():
    members = [member(i, [v], directions=(MAXIMIZE,)) for i, v in enumerate([0.1, 0.9, 0.5])]
    assert numbers(members) == [1, 2, 0]


def test_several_objectives_rank_by_front_then_by_crowding():
    values = [[0.0, 4.0], [4.0, 0.0], [1.0, 2.5], [1.2, 2.4], [3.0, 3.0], [2.9, 0.5]]
    members = [member(i, v, directions=(MINIMIZE, MINIMIZE)) for i, v in enumerate(values)]
    assert numbers(members) == [0, 1, 5, 3, 2, 4]


@pytest.mark.parametrize("m", [2, 3])
def test_fronts_are_those_of_optuna(m):
    losses = np.random.default_rng(m).integers(0, 6, size=(40, m)).astype(float)
    expected = _fast_non_domination_rank(losses)
    for rank, front in enumerate(fronts(losses)):
        assert set(front) == set(np.flatnonzero(expected == rank))


def test_crowding_distances_are_those_of_the_closed_form():
    distance = crowding(np.array([[0.0, 1.0], [0.25, 0.5], [1.0, 0.0]]))
    np.testing.assert_allclose(distance, [np.inf, 1.0 + 1.0, np.inf])
    np.testing.assert_allclose(crowding(np.zeros((3, 2))), [np.inf, 0.0, np.inf])
