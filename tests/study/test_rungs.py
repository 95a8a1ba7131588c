"""Trials that are stopped on their reports, in every kind of place."""

import math

import optuna
import pytest
from optuna.trial import TrialState

from spiketune.api import Study
from spiketune.clock import VirtualClock
from spiketune.errors import ConfigError
from spiketune.executors.inline import InlineExecutor
from spiketune.executors.simulated import SimulatedExecutor
from spiketune.messages import Failure, Report, Result, to_json
from spiketune.objectives.execution import execute
from spiketune.study.records.folder import StudyFolder
from spiketune.study.rungs import columns_of, reports_of, violation_of
from tests.study.support import document, loop_of, make

EPOCHS = 8
ASHA = {"name": "asha", "reduction": 2, "resource": "params.epochs"}
PARAMS = {"x": {"float": [0.0, 1.0]}, "epochs": EPOCHS}


def learning(job):
    """Eight epochs of a minute; the loss falls from 1 to the parameter."""
    x = job.params["x"]
    messages = [
        (60.0 * e, Report(job.number, job.attempt, float(e), {"loss": 1 - (1 - x) * e / EPOCHS}))
        for e in range(1, EPOCHS + 1)
    ]
    end = Result(job.number, job.attempt, {"loss": x}, fidelity=float(EPOCHS), cost_s=480.0)
    return [*messages, (480.0, end)]


def simulated(path, script=learning, n_workers=4, trials=40, **study):
    clock = VirtualClock(1_000_000.0)
    if not (path / "study.yaml").exists():
        study = {"fidelity": ASHA, "sampler": {"name": "random"}, **study}
        make(path, document(params=PARAMS, budget={"trials": trials}, **study))
    executor = SimulatedExecutor(script, n_workers, clock)
    loop, storage = loop_of(path, executor, clock, poll_s=1e6)
    return loop, storage, clock


def summary(storage):
    return [
        (t.number, t.state, t.values, t.user_attrs.get("ended"), t.user_attrs.get("fidelity"))
        for t in storage.trials()
    ]


def test_weak_trials_stop_at_rungs_with_the_values_they_had_there(tmp_path):
    loop, storage, clock = simulated(tmp_path / "s")
    assert loop.run() == "budget"
    trials = storage.trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 40
    stopped = [t for t in trials if t.user_attrs["ended"] == "stopped"]
    full = [t for t in trials if t.user_attrs["ended"] == "finished"]
    assert len(full) < 15 < len(stopped)  # the first few have nobody to be compared with
    for trial in stopped:
        fidelity = trial.user_attrs["fidelity"]
        assert fidelity in (1.0, 2.0, 4.0)
        assert trial.value == pytest.approx(1 - (1 - trial.params["x"]) * fidelity / EPOCHS)
        assert trial.user_attrs["cost_s"] == pytest.approx(60.0 * fidelity)
        assert trial.user_attrs["attempts"][-1]["outcome"] == "stopped"
        assert trial.user_attrs["details"]["stopped_by"].startswith("rung")
    best = min(trials, key=lambda t: t.params["x"])
    assert best.user_attrs["ended"] == "finished"
    assert clock.now_s() - 1_000_000.0 < 0.6 * 40 * 480.0 / 4  # of the time in full


def test_only_full_trials_are_the_best_unless_asked(tmp_path):
    loop, storage, _ = simulated(tmp_path / "s", trials=12)
    loop.run()
    storage.close()
    study = Study(tmp_path / "s")
    rows = study.rows()
    assert {row.state for row in rows} == {"finished", "stopped"}
    assert study.best().state == "finished"
    assert len(study.front(any_fidelity=True)) == 1


def test_a_study_interrupted_between_rungs_decides_as_if_it_had_not_been(tmp_path):
    whole, expected, _ = simulated(tmp_path / "whole", n_workers=1, trials=12)
    whole.run()
    for session in range(100):
        loop, storage, _ = simulated(tmp_path / "parts", n_workers=1, trials=12)
        n_events = 0

        def interrupt(progress, loop=loop, session=session):
            nonlocal n_events
            n_events += 1
            if n_events > 11 + session % 3:
                loop.request_stop()

        loop._listen = interrupt
        reason = loop.run()
        found = summary(storage)
        storage.close()
        if reason == "budget":
            break
    assert reason == "budget"
    assert session > 3
    assert found == summary(expected)


def test_a_verdict_that_was_never_carried_out_is_carried_out_on_resume(tmp_path):
    loop, storage, _ = simulated(tmp_path / "s", n_workers=1, trials=4)

    def interrupt(progress):
        if any(running.trial.number == 1 for running in progress.running):
            loop.request_stop()

    loop._listen = interrupt
    assert loop.run() == "interrupted"
    storage.close()
    # The asker died after trial 1 had written a report that is worse than that of trial 0.
    attempt = StudyFolder(tmp_path / "s").attempt(1, 2)
    attempt.mkdir(parents=True)
    (attempt / "metrics.jsonl").write_text(to_json(Report(1, 2, 1.0, {"loss": 2.0})) + "\n")
    loop, storage, _ = simulated(tmp_path / "s", n_workers=1, trials=4)
    loop.run()
    found = storage.trials()[1]
    assert (found.user_attrs["ended"], found.value) == ("stopped", 2.0)
    assert found.user_attrs["fidelity"] == 1.0


def test_a_result_that_comes_before_the_verdict_is_heard_counts(tmp_path):
    loop, storage, _ = simulated(tmp_path / "s", trials=10)
    loop._executor.cancel = lambda number, kill=False: None  # as if the word came too late
    loop.run()
    assert {t.user_attrs["ended"] for t in storage.trials()} == {"finished"}


def test_a_worker_lost_while_it_was_being_stopped_costs_nothing(tmp_path):
    def script(job):
        lost = Failure(job.number, job.attempt, "worker_lost", "killed")
        return [learning(job)[0], (61.0, lost)]

    loop, storage, _ = simulated(tmp_path / "s", script, trials=6, retries={"worker_lost": 0})
    loop._executor.cancel = lambda number, kill=False: None
    loop.run()
    ends = [t.user_attrs["ended"] for t in storage.trials()]
    assert "stopped" in ends
    assert set(ends) == {"stopped", "failed"}  # those that were to go on were lost in earnest


def test_reports_without_the_objective_stop_nothing_and_say_so(tmp_path, caplog):
    def script(job):
        reports = [
            (60.0 * e, Report(job.number, job.attempt, float(e), {"other": 1.0})) for e in (1, 2)
        ]
        return [*reports, (120.0, Result(job.number, job.attempt, {"loss": 0.0}))]

    loop, storage, _ = simulated(tmp_path / "s", script, trials=8)
    loop.run()
    assert {t.user_attrs["ended"] for t in storage.trials()} == {"finished"}
    assert caplog.text.count("cannot be judged") == 1


def test_violations_of_several_constraints_add_up_and_none_is_lost_at_infinity():
    assert violation_of([]) == violation_of([-1.0, 0.0, -math.inf]) == 0.0
    assert violation_of([1.0, -5.0, 3.0]) == pytest.approx(1 / 2 + 3 / 4)
    assert violation_of([math.inf]) == 1.0
    assert violation_of([math.inf, 1.0]) == 1.5  # worse than one that is broken anyhow
    assert violation_of([math.nan, 1.0]) == violation_of([-1.0, math.nan]) == math.inf


@pytest.mark.parametrize(
    ("constraint", "size"),
    [("size <= 10", math.inf), ("size <= 10", math.nan), ("10 / (size + 1) <= 2", -1.0)],
)
def test_a_trial_whose_constraint_has_no_value_is_worse_than_what_meets_it(
    tmp_path, constraint, size
):
    """Trials 5, 6, ... are the best by their loss alone."""

    def script(job):
        bad = job.number > 4
        metrics = {"loss": float(job.number - 9 * bad), "size": size if bad else 9.0}
        reports = [
            (60.0 * e, Report(job.number, job.attempt, float(e), metrics)) for e in range(1, 9)
        ]
        return [*reports, (480.0, Result(job.number, job.attempt, {"loss": 0.0, "size": 9.0}))]

    loop, storage, _ = simulated(tmp_path / "s", script, 1, trials=9, constraints=[constraint])
    loop.run()
    first, *_, last = storage.trials()
    assert first.user_attrs["ended"] == "finished"
    assert last.user_attrs["failure"]["kind"] == "nan"  # stopped where a value was no number
    assert {t.user_attrs["ended"] for t in storage.trials()[5:]} == {"failed"}


def test_a_function_in_this_process_hears_of_its_end_at_once(tmp_path):
    make(
        tmp_path / "s",
        document("steps", PARAMS, budget={"trials": 20}, fidelity=ASHA, sampler={"name": "random"}),
    )
    loop, storage = loop_of(tmp_path / "s", InlineExecutor(execute))
    loop.run()
    stopped = [t for t in storage.trials() if t.user_attrs["ended"] == "stopped"]
    assert len(stopped) >= 8
    for trial in stopped:
        assert trial.user_attrs["reports"]["fidelity"][-1] == trial.user_attrs["fidelity"]
        assert trial.user_attrs["fidelity"] in (1.0, 2.0, 4.0)


def test_without_a_resource_what_finished_tells_how_long_a_trial_is(tmp_path):
    asha = {"name": "asha", "reduction": 2}
    loop, storage, _ = simulated(tmp_path / "s", n_workers=1, trials=30, fidelity=asha)
    loop.run()
    stopped = [t for t in storage.trials() if t.user_attrs["ended"] == "stopped"]
    assert {t.user_attrs["fidelity"] for t in stopped} <= {1.0, 2.0, 4.0}
    assert stopped


def test_the_constraints_of_reports_are_kept_and_read_back():
    reports = {
        1.0: Report(3, 1, 1.0, {"loss": 1.0}, {"silence": 0.5}),
        2.0: Report(3, 1, 2.0, {"loss": 0.5, "extra": 2.0}, {"silence": -0.5}),
    }
    columns = columns_of(reports)
    assert columns["constraint:silence"] == [0.5, -0.5]
    assert columns["extra"] == [None, 2.0]
    back = reports_of(3, columns)
    assert [r.metrics for r in back] == [r.metrics for r in reports.values()]
    assert [r.constraints for r in back] == [r.constraints for r in reports.values()]


def test_a_resource_that_is_not_there_is_refused_by_path(tmp_path):
    make(tmp_path / "s", document(fidelity={"name": "asha", "resource": "params.epoch"}))
    with pytest.raises(ConfigError, match=r"study.fidelity.resource.*params.epoch"):
        loop_of(tmp_path / "s", SimulatedExecutor(learning, 1, VirtualClock(0.0)))


def test_a_searched_resource_is_each_trials_own_maximum(tmp_path):
    def script(job):
        end_s = 60.0 * job.params["epochs"]
        reports = [message for message in learning(job)[:-1] if message[0] <= end_s]
        return [*reports, (end_s, Result(job.number, job.attempt, {"loss": 2.0}))]

    content = document(
        params={"x": {"float": [0.0, 1.0]}, "epochs": {"int": [1, 2]}},
        budget={"trials": 30},
        sampler={"name": "random"},
        fidelity=ASHA,
    )
    make(tmp_path / "s", content)
    clock = VirtualClock(0.0)
    loop, storage = loop_of(tmp_path / "s", SimulatedExecutor(script, 2, clock), clock, poll_s=1e6)
    loop.run()
    by_epochs = {e: [t for t in storage.trials() if t.params["epochs"] == e] for e in (1, 2)}
    assert {t.user_attrs["ended"] for t in by_epochs[1]} == {"finished"}  # 1 is their end
    assert "stopped" in {t.user_attrs["ended"] for t in by_epochs[2]}


def test_stopped_trials_show_stock_optuna_their_values(tmp_path):
    loop, storage, _ = simulated(tmp_path / "s", trials=12)
    loop.run()
    storage.close()
    backend = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "s" / "journal.log"))
    )
    (study,) = optuna.get_all_study_summaries(backend)
    trials = optuna.load_study(study_name=study.study_name, storage=backend).trials
    assert all(t.values is not None for t in trials)
