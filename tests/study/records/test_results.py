import itertools
from datetime import datetime

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial

from spiketune.space import Choice, Float, Space
from spiketune.study.budget import n_counted, uptime_s
from spiketune.study.records.results import (
    TrialRow,
    frame,
    front,
    hypervolume,
    knee,
    ranked,
    reference_point,
    row,
)

TWO = {"accuracy": "maximize", "spikes": "minimize"}


def made(number, accuracy, spikes, state="finished", **fields):
    return TrialRow(number, state, {}, {"accuracy": accuracy, "spikes": spikes}, **fields)


def test_the_front_holds_the_trials_that_no_other_beats():
    rows = [made(0, 0.9, 100), made(1, 0.8, 50), made(2, 0.8, 60), made(3, 0.95, 300)]
    assert [r.number for r in front(rows, TWO)] == [3, 0, 1]


def test_equal_trials_are_both_on_the_front():
    assert len(front([made(0, 0.9, 1), made(1, 0.9, 1)], TWO)) == 2


def test_infeasible_silent_and_stopped_trials_are_not_on_the_front_unless_asked():
    rows = [
        made(0, 0.5, 500),
        made(1, 0.9, 1, constraints={"c": 0.1}),
        made(2, 0.9, 2, state="stopped"),
        made(3, 0.9, 3, state="silent", constraints={"silence": 0.2}),
        TrialRow(4, "failed", {}),
        TrialRow(5, "running", {}),
    ]
    assert [r.number for r in front(rows, TWO)] == [0]
    assert [r.number for r in front(rows, TWO, any_fidelity=True)] == [2]


def test_a_constraint_of_exactly_zero_is_met():
    assert made(0, 1, 1, constraints={"c": 0.0}).feasible


def test_without_a_feasible_trial_there_is_no_front():
    rows = [made(0, 1, 1, constraints={"a": 0.5, "b": -1}), made(1, 1, 1, constraints={"a": 0.2})]
    assert front(rows, TWO) == []
    assert ranked(rows, TWO) == []
    assert knee([], TWO) is None
    assert hypervolume(rows, TWO) == 0.0


def test_the_knee_is_nearest_to_the_ideal_corner():
    rows = front([made(0, 1.0, 1000), made(1, 0.9, 100), made(2, 0.1, 0)], TWO)
    assert knee(rows, TWO).number == 1


def test_ranking_breaks_ties_by_the_next_objective():
    rows = [made(0, 0.9, 50), made(1, 0.9, 20), made(2, 0.95, 99)]
    assert [r.number for r in ranked(rows, TWO)] == [2, 1, 0]


def test_the_hypervolume_of_a_written_out_example():
    rows = [made(0, 3.0, 2.0), made(1, 2.0, 1.0), made(2, 0.0, 4.0)]
    assert list(reference_point(rows, TWO)) == [0.0, 4.0]
    assert hypervolume(rows, TWO) == pytest.approx(3 * 2 + 2 * 1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12))
def test_front_and_hypervolume_agree_with_brute_force(points):
    rows = [made(i, float(a), float(s)) for i, (a, s) in enumerate(points)]
    beaten = {
        i
        for (i, (a, s)), (b, r) in itertools.product(enumerate(points), points)
        if b >= a and r <= s and (b, r) != (a, s)
    }
    assert {r.number for r in front(rows, TWO)} == set(range(len(points))) - beaten
    low, high = min(a for a, _ in points), max(s for _, s in points)
    cells = sum(
        any(a >= x + 1 and s <= y for a, s in points)
        for x in range(low, 21)
        for y in range(0, high)
    )
    assert hypervolume(rows, TWO) == pytest.approx(cells)


def test_a_stock_trial_without_our_attributes_is_a_finished_row():
    space = Space({"x": Float(0, 1), "kind": Choice([[1, 2], "a"])})
    trial = create_trial(
        params={"x": 0.5, "other": 3},
        distributions={
            "x": optuna.distributions.FloatDistribution(0, 1),
            "other": optuna.distributions.IntDistribution(0, 9),
        },
        value=1.5,
    )
    found = row(trial, space, ("loss",))
    assert (found.state, found.objectives, found.params) == (
        "finished",
        {"loss": 1.5},
        {"x": 0.5, "other": 3},
    )


def test_a_table_of_trials_keeps_metrics_apart_from_parameters_of_their_name():
    rows = [
        TrialRow(
            0, "finished", {"size": 3}, {"loss": 1.0}, {"c": -1.0}, {"loss": 1.0, "size": 9.0}
        ),
        TrialRow(1, "failed", {"size": 4}, failure={"kind": "oom", "message": "no more"}),
    ]
    table = frame(rows)
    assert list(table["size"]) == [3, 4]
    assert table["metric:size"][0] == 9.0
    assert table["constraint:c"][0] == -1.0
    assert table["failure"][1] == "oom: no more"
    assert np.isnan(table["loss"][1])


def test_a_table_of_trials_keeps_its_own_columns_apart_from_names_of_the_user():
    params = {"number": 0.5, "state": "on", "x": 1}
    metrics = {"fidelity": 7.0, "cost_s": 8.0, "number": 9.0, "loss": 2.0}
    table = frame([TrialRow(3, "finished", params, {"loss": 2.0}, {}, metrics, 1.0, 0.25)])
    (line,) = table.to_dict("records")
    assert (line["number"], line["state"]) == (3, "finished")
    assert (line["fidelity"], line["cost_s"]) == (1.0, 0.25)
    assert (line["param:number"], line["param:state"], line["x"]) == (0.5, "on", 1)
    assert [line[f"metric:{name}"] for name in ("fidelity", "cost_s", "number")] == [7.0, 8.0, 9.0]


def test_the_cost_that_a_training_counts_is_told_once():
    row = TrialRow(0, "finished", {}, metrics={"cost_s": 8.0}, cost_s=8.0)
    table = frame([row])
    assert table["cost_s"][0] == 8.0
    assert "metric:cost_s" not in table


def trial_at(state, start, end=None):
    trial = create_trial(state=state, value=1.0 if state == TrialState.COMPLETE else None)
    trial.datetime_start = datetime.fromtimestamp(start)
    trial.datetime_complete = datetime.fromtimestamp(end) if end else None
    return trial


def test_uptime_sums_sessions_and_takes_a_killed_one_to_its_last_written_moment():
    trials = [trial_at(TrialState.COMPLETE, 1010, 1050), trial_at(TrialState.FAIL, 2010, 2030)]
    sessions = [{"started_s": 1000.0}, {"started_s": 2000.0, "ended_s": 2100.0}]
    assert uptime_s(sessions, trials) == pytest.approx(50.0 + 100.0)
    assert uptime_s([], []) == 0.0
    assert uptime_s([{"started_s": 5.0}], []) == 0.0


def test_the_budget_counts_ended_and_failed_trials_alone():
    states = [TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING]
    assert n_counted([trial_at(state, 1, 2) for state in states]) == 2
