"""What tables, plots and the page need to know of a study."""

import pytest

from spiketune.report.summary import spent_s, standing
from spiketune.study.records.results import TrialRow
from tests.report.studies import finished, summary, synthetic


def attempt(start_s: float, end_s: float, worker: str = "w0", outcome: str = "finished") -> dict:
    return {"worker": worker, "started_s": start_s, "ended_s": end_s, "outcome": outcome}


def test_an_empty_study_has_no_front_no_knee_and_no_shares() -> None:
    empty = summary()
    assert (empty.front, empty.knee, empty.n_by_state) == ([], None, {})
    assert (empty.cost_s, empty.wall_s) == (0, 0)
    assert empty.lost_share is None
    assert empty.utilisation is None


def test_work_of_failed_and_silent_trials_counts_as_lost() -> None:
    rows = [
        finished(0, 0.9, 10, attempts=(attempt(0, 60),)),
        TrialRow(1, "failed", {}, attempts=(attempt(0, 30, "w1", "oom"),)),
        TrialRow(2, "silent", {}, cost_s=10.0),
    ]
    assert summary(rows).cost_s == 100
    assert summary(rows).lost_share == pytest.approx(0.4)


def test_every_attempt_of_a_trial_counts_as_work() -> None:
    row = finished(0, 0.9, 10, cost_s=5.0, attempts=(attempt(0, 2), attempt(3, 8)))
    assert spent_s(row) == 7


def test_utilisation_is_busy_time_over_the_workers_time() -> None:
    rows = [finished(0, 0.9, 10, attempts=(attempt(0, 50),))]
    rows += [finished(1, 0.8, 9, attempts=(attempt(0, 100, "w1"),))]
    session = {"started_s": 0.0, "ended_s": 100.0, "n_workers": 2}
    assert summary(rows, sessions=[session]).utilisation == pytest.approx(0.75)
    assert summary(rows).utilisation == pytest.approx(0.75)


def test_a_killed_session_lasted_until_its_last_attempt() -> None:
    rows = [finished(0, 0.9, 10, attempts=(attempt(10, 50), attempt(210, 260)))]
    sessions = [{"started_s": 0.0}, {"started_s": 200.0, "ended_s": 300.0}]
    assert summary(rows, sessions=sessions).wall_s == 150


def test_a_finished_trial_that_breaks_a_constraint_stands_as_infeasible() -> None:
    assert standing(finished(0, 0.9, 10, constraints={"n_parameters": 1.0})) == "infeasible"
    assert standing(finished(0, 0.9, 10, constraints={"n_parameters": 0.0})) == "finished"


def test_states_are_counted_and_those_without_a_trial_left_out() -> None:
    study = synthetic()
    assert sum(study.n_by_state.values()) == 60
    assert "waiting" not in study.n_by_state
