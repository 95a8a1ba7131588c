import itertools

import optuna
import pytest
from optuna.trial import TrialState

from spiketune.api import Study
from spiketune.clock import VirtualClock
from spiketune.executors.simulated import SimulatedExecutor
from spiketune.messages import Failure, Report
from spiketune.study.loop import REJECTED_IN_A_ROW, SAME_FAILURES
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.storage import stock_storage
from tests.study.support import document, ended, loop_of, make


def run_simulated(path, script, n_workers=2, clock=None, **study):
    clock = clock or VirtualClock(1_000_000.0)
    if not (path / "study.yaml").exists():
        make(path, document(**study))
    executor = SimulatedExecutor(script, n_workers, clock)
    loop, storage = loop_of(path, executor, clock, poll_s=1e6)
    reason = loop.run()
    return reason, storage, clock


def states(storage):
    return [trial.state for trial in storage.trials()]


def test_a_slow_trial_never_holds_up_the_others(tmp_path):
    def script(job):
        return [(10_000.0 if job.number == 0 else 1.0, ended(job))]

    _, storage, clock = run_simulated(tmp_path / "s", script, budget={"trials": 50})
    finished = [trial.datetime_complete for trial in storage.trials()]
    assert len(finished) == 50
    assert clock.now_s() == pytest.approx(1_010_000.0)
    attempts = {t.number: t.user_attrs["attempts"][0] for t in storage.trials()}
    others = [attempts[n]["ended_s"] - 1_000_000.0 for n in range(1, 50)]
    assert others == [pytest.approx(n) for n in range(1, 50)]  # one a second on the other worker


def test_every_worker_is_busy_until_the_last_trials(tmp_path):
    lengths = itertools.cycle([1.0, 7.0, 3.0])

    def script(job):
        return [(next(lengths), ended(job))]

    _, storage, clock = run_simulated(
        tmp_path / "s", script, n_workers=8, budget={"trials": 200}, sampler={"name": "random"}
    )
    spans = [t.user_attrs["attempts"][0] for t in storage.trials()]
    last_start_s = max(span["started_s"] for span in spans)
    busy_s = sum(min(s["ended_s"], last_start_s) - s["started_s"] for s in spans)
    assert busy_s == pytest.approx(8 * (last_start_s - 1_000_000.0))
    assert clock.now_s() - last_start_s <= 7.0


def test_the_budget_counts_ended_and_failed_trials_exactly(tmp_path):
    def script(job):
        end = ended(job) if job.number % 3 else Failure(job.number, job.attempt, "nan", "nan")
        return [(1.0, end)]

    reason, storage, _ = run_simulated(tmp_path / "s", script, n_workers=7, budget={"trials": 20})
    assert reason == "budget"
    assert len(storage.trials()) == 20
    assert states(storage).count(TrialState.FAIL) == 7


def test_the_time_budget_ends_the_study_and_leaves_its_trials_to_be_resumed(tmp_path):
    def script(job):
        return [(40.0, ended(job))]

    reason, storage, clock = run_simulated(tmp_path / "s", script, budget={"time": 100})
    assert reason == "time"
    assert states(storage).count(TrialState.COMPLETE) == 4
    assert states(storage).count(TrialState.RUNNING) == 2
    assert clock.now_s() == pytest.approx(1_000_100.0)


def test_time_is_summed_over_sessions(tmp_path):
    def script(job):
        return [(40.0, ended(job))]

    run_simulated(tmp_path / "s", script, budget={"time": 100})
    reason, storage, clock = run_simulated(tmp_path / "s", script, clock=VirtualClock(2_000_000.0))
    assert reason == "time"
    assert clock.now_s() <= 2_000_000.0 + 20.0
    assert len(storage.sessions()) == 2


def test_a_lost_worker_is_tried_again_and_its_attempts_are_on_record(tmp_path):
    def script(job):
        if job.attempt < 3:
            return [(1.0, Failure(job.number, job.attempt, "worker_lost", "gone"))]
        return [(1.0, ended(job))]

    _, storage, _ = run_simulated(tmp_path / "s", script, budget={"trials": 4})
    assert states(storage) == [TrialState.COMPLETE] * 4
    outcomes = [a["outcome"] for a in storage.trials()[0].user_attrs["attempts"]]
    assert outcomes == ["worker_lost", "worker_lost", "finished"]


def test_a_trial_fails_when_its_retries_are_spent(tmp_path):
    def script(job):
        return [(1.0, Failure(job.number, job.attempt, "worker_lost", "gone"))]

    _, storage, _ = run_simulated(tmp_path / "s", script, budget={"trials": 1})
    (trial,) = storage.trials()
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["failure"] == {"kind": "worker_lost", "message": "gone"}
    assert len(trial.user_attrs["attempts"]) == 6


def test_progress_starts_the_count_of_retries_anew(tmp_path):
    def script(job):
        if job.attempt > 12:
            return [(1.0, ended(job))]
        report = Report(job.number, job.attempt, float(job.attempt), {"loss": 1.0})
        return [(0.5, report), (1.0, Failure(job.number, job.attempt, "worker_lost", "gone"))]

    _, storage, _ = run_simulated(tmp_path / "s", script, budget={"trials": 1})
    assert states(storage) == [TrialState.COMPLETE]


def test_retries_can_be_configured(tmp_path):
    def script(job):
        return [(1.0, Failure(job.number, job.attempt, "crash", f"boom {job.number}"))]

    _, storage, _ = run_simulated(
        tmp_path / "s", script, budget={"trials": 1}, retries={"crash": 3}
    )
    assert len(storage.trials()[0].user_attrs["attempts"]) == 4


def test_a_result_that_arrives_twice_is_told_once(tmp_path):
    def script(job):
        return [(1.0, ended(job, 1.0)), (1.0, ended(job, 2.0)), (9.0, ended(job, 3.0))]

    _, storage, _ = run_simulated(tmp_path / "s", script, n_workers=3, budget={"trials": 6})
    assert [trial.value for trial in storage.trials()] == [1.0] * 6


def test_a_late_message_of_an_earlier_attempt_is_passed_over(tmp_path):
    def script(job):
        if job.attempt == 1:
            lost = Failure(job.number, 1, "worker_lost", "gone")
            return [(1.0, lost), (1.5, ended(job, 99.0))]
        return [(5.0, ended(job, 1.0))]

    _, storage, _ = run_simulated(tmp_path / "s", script, n_workers=1, budget={"trials": 1})
    assert storage.trials()[0].value == 1.0


def test_reports_become_columns_and_a_repeated_epoch_counts_once(tmp_path):
    def script(job):
        if job.attempt == 1:
            reports = [
                (float(k), Report(job.number, 1, float(k), {"loss": 10.0 - k})) for k in (1, 2)
            ]
            return [*reports, (3.0, Failure(job.number, 1, "worker_lost", "gone"))]
        return [
            (1.0, Report(job.number, 2, 2.0, {"loss": 5.0})),
            (2.0, Report(job.number, 2, 3.0, {"loss": 4.0})),
            (3.0, ended(job, 4.0, fidelity=3.0)),
        ]

    _, storage, _ = run_simulated(tmp_path / "s", script, n_workers=1, budget={"trials": 1})
    (trial,) = storage.trials()
    assert trial.user_attrs["reports"] == {"fidelity": [1.0, 2.0, 3.0], "loss": [9.0, 5.0, 4.0]}
    assert trial.user_attrs["fidelity"] == 3.0


def test_trials_that_all_fail_alike_end_the_study(tmp_path):
    def script(job):
        return [(1.0, Failure(job.number, job.attempt, "timeout", "took longer than 1 s"))]

    reason, storage, _ = run_simulated(tmp_path / "s", script, budget={"trials": 1000})
    assert reason == "failing"
    assert SAME_FAILURES <= states(storage).count(TrialState.FAIL) <= SAME_FAILURES + 2


def test_a_requirement_that_nothing_meets_ends_the_study(tmp_path):
    def script(job):
        return [(1.0, ended(job))]

    reason, storage, _ = run_simulated(
        tmp_path / "s", script, require=["x > 2"], sampler={"name": "random"}
    )
    assert reason == "unsatisfiable"
    assert states(storage) == [TrialState.PRUNED] * REJECTED_IN_A_ROW


def test_rejected_trials_do_not_count_against_the_budget(tmp_path):
    def script(job):
        return [(1.0, ended(job))]

    reason, storage, _ = run_simulated(
        tmp_path / "s", script, require=["x < 0.02"], sampler={"name": "random"}, seed=1
    )
    assert reason == "budget"
    assert states(storage).count(TrialState.COMPLETE) == 8
    assert all(t.params["x"] < 0.02 for t in storage.trials() if t.state == TrialState.COMPLETE)
    rejected = [t for t in storage.trials() if t.state == TrialState.PRUNED]
    assert rejected
    assert all(t.user_attrs["ended"] == "rejected" for t in rejected)


def test_a_grid_ends_when_every_combination_was_tried(tmp_path):
    content = document(
        params={"x": {"grid": [0.5, 0.1]}, "y": {"int": [1, 3]}},
        sampler={"name": "grid"},
        budget={"trials": 100},
    )
    make(tmp_path / "s", content)
    reason, storage, _ = run_simulated(tmp_path / "s", lambda job: [(1.0, ended(job))])
    assert reason == "exhausted"
    asked = [(t.params["x"], t.params["y"]) for t in storage.trials()]
    assert asked == [(0.5, 1), (0.5, 2), (0.5, 3), (0.1, 1), (0.1, 2), (0.1, 3)]
    assert states(storage) == [TrialState.COMPLETE] * 6


def test_constraints_over_metrics_are_stored_as_value_minus_bound(tmp_path):
    _, storage, _ = run_simulated(
        tmp_path / "s",
        lambda job: [(1.0, ended(job, 7.0))],
        constraints=["loss <= 5", "loss >= 2"],
        budget={"trials": 1},
    )
    assert storage.trials()[0].constraints == {"loss <= 5": 2.0, "loss >= 2": -5.0}


def test_a_stop_lets_workers_leave_and_the_next_session_goes_on(tmp_path):
    clock = VirtualClock(1_000_000.0)
    make(tmp_path / "s", document(budget={"trials": 10}))
    executor = SimulatedExecutor(lambda job: [(10.0, ended(job))], 2, clock)
    loop, storage = loop_of(
        tmp_path / "s",
        executor,
        clock,
        poll_s=1e6,
        listen=lambda progress: loop.request_stop() if progress.n_done == 4 else None,
    )
    assert loop.run() == "interrupted"
    assert states(storage).count(TrialState.COMPLETE) == 4
    open_trials = [t for t in storage.trials() if t.state == TrialState.RUNNING]
    assert open_trials
    assert all(a["outcome"] == "interrupted" for t in open_trials for a in t.user_attrs["attempts"])
    storage.close()
    _, storage, _ = run_simulated(
        tmp_path / "s", lambda job: [(10.0, ended(job))], clock=VirtualClock(2_000_000.0)
    )
    assert states(storage) == [TrialState.COMPLETE] * 10


def test_a_trial_enqueued_with_optunas_own_tools_is_run(tmp_path):
    run_simulated(tmp_path / "s", lambda job: [(1.0, ended(job))], budget={"trials": 4})
    stock = optuna.load_study(
        study_name="study", storage=stock_storage(StudyFolder(tmp_path / "s"))
    )
    stock.enqueue_trial({"x": 0.125})
    stock.enqueue_trial({"x": 7.0})
    Study(tmp_path / "s").extend(trials=3)
    _, storage, _ = run_simulated(tmp_path / "s", lambda job: [(1.0, ended(job))])
    assert [t.params.get("x") for t in storage.trials()].count(0.125) == 1
    assert states(storage).count(TrialState.COMPLETE) == 6
    (failed,) = [t for t in storage.trials() if t.state == TrialState.FAIL]
    assert "enqueued with 7.0" in failed.user_attrs["failure"]["message"]


def test_a_computed_leaf_without_a_value_fails_its_trial_and_the_study_goes_on(tmp_path):
    content = document(params={"x": {"int": [0, 4]}, "inverse": {"value": "1 / (x - 1)"}})
    content["study"]["sampler"] = {"name": "grid"}
    make(tmp_path / "s", content)
    _, storage, _ = run_simulated(tmp_path / "s", lambda job: [(1.0, ended(job))])
    assert [t.state for t in storage.trials()].count(TrialState.FAIL) == 1
    (failed,) = [t for t in storage.trials() if t.state == TrialState.FAIL]
    assert failed.params == {"x": 1}
    assert "trial.params.inverse" in failed.user_attrs["failure"]["message"]
    assert failed.user_attrs["attempts"][0]["started_s"] >= 1_000_000.0


def test_a_function_gets_the_fixed_parameters_beside_the_asked_ones(tmp_path):
    seen = []

    def script(job):
        seen.append(dict(job.params))
        return [(1.0, ended(job))]

    params = {"x": {"int": [1, 3]}, "folder": "data", "rate": {"float": [0.5, 0.5], "name": "r"}}
    make(tmp_path / "s", document(params=params, budget={"trials": 3}))
    run_simulated(tmp_path / "s", script)
    assert all(p["folder"] == "data" and p["x"] in (1, 2, 3) for p in seen)
    assert all(p["rate"] == p["r"] == 0.5 for p in seen)
