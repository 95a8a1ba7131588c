"""Trials that wait at rungs and go on from their checkpoints when they are promoted."""

import math
import shutil

import pytest
from optuna.trial import TrialState

from spiketune.api import Study
from spiketune.clock import VirtualClock
from spiketune.executors.simulated import SimulatedExecutor
from spiketune.messages import Failure, Report, Result, to_json
from spiketune.samplers.paused import as_stopped, waits
from spiketune.study.records.folder import StudyFolder
from tests.study.support import document, loop_of, make

EPOCHS = 9
PROMOTION = {"name": "asha", "kind": "promotion", "reduction": 3, "resource": "params.epochs"}
PARAMS = {"x": {"float": [0.0, 1.0]}, "epochs": EPOCHS}


class Checkpointed:
    """Nine epochs of a minute that go on from where they were; the loss falls to x."""

    def __init__(self):
        self.done = {}  # by trial: what the checkpoint on the disk holds
        self.trained = []

    def __call__(self, job):
        return list(self.messages(job))

    def messages(self, job):
        n, x = job.number, job.params["x"]
        first = self.done.get(n, 0)
        for i, epoch in enumerate(range(first + 1, EPOCHS + 1), start=1):
            loss = 1 - (1 - x) * epoch / EPOCHS
            yield 60.0 * i, Report(n, job.attempt, float(epoch), {"loss": loss})
        yield (
            60.0 * (EPOCHS - first),
            Result(n, job.attempt, {"loss": x}, fidelity=float(EPOCHS), cost_s=540.0),
        )

    def hear(self, report, folder):
        self.trained.append((report.number, report.fidelity))
        self.done[report.number] = int(report.fidelity)
        attempt = folder.attempt(report.number, report.attempt)
        attempt.mkdir(parents=True, exist_ok=True)
        with (attempt / "metrics.jsonl").open("a") as file:
            file.write(to_json(report) + "\n")


class Executor:
    """A simulated executor whose script learns what was trained; passes all else on."""

    def __init__(self, script, n_workers, clock, folder):
        self._script, self._folder = script, folder
        self._inner = SimulatedExecutor(script, n_workers, clock)

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def events(self, timeout_s):
        heard = self._inner.events(timeout_s)
        for message in heard:
            if isinstance(message, Report) and isinstance(self._script, Checkpointed):
                self._script.hear(message, self._folder)
        return heard


def session(path, script, n_workers=4, trials=27, **study):
    clock = VirtualClock(1_000_000.0)
    if not (path / "study.yaml").exists():
        study = {"fidelity": PROMOTION, "sampler": {"name": "random"}, **study}
        make(path, document(params=PARAMS, budget={"trials": trials}, **study))
    executor = Executor(script, n_workers, clock, StudyFolder(path))
    loop, storage = loop_of(path, executor, clock, poll_s=1e6)
    return loop, storage


def summary(storage):
    return [
        (t.number, t.state, t.params, t.values, t.user_attrs.get("ended"), t.user_attrs["fidelity"])
        for t in storage.trials()
    ]


def test_the_best_of_each_rung_go_on_and_no_epoch_is_trained_twice(tmp_path):
    script = Checkpointed()
    loop, storage = session(tmp_path / "s", script)
    assert loop.run() == "budget"
    trials = storage.trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 27
    by_fidelity = {f: [t for t in trials if t.user_attrs["fidelity"] == f] for f in (1, 3, 9)}
    assert sum(map(len, by_fidelity.values())) == 27
    assert 3 <= len(by_fidelity[9]) <= 6  # 27 / 9, and those that were promoted too early
    assert {t.user_attrs["ended"] for t in by_fidelity[9]} == {"finished"}
    assert {t.user_attrs["ended"] for t in by_fidelity[1] + by_fidelity[3]} == {"stopped"}
    assert sorted(trials, key=lambda t: t.params["x"])[0] in by_fidelity[9]
    assert len(set(script.trained)) == len(script.trained)
    for trial in by_fidelity[1] + by_fidelity[3]:
        reached = trial.user_attrs["fidelity"]
        assert trial.value == pytest.approx(1 - (1 - trial.params["x"]) * reached / EPOCHS)
        assert trial.user_attrs["cost_s"] == pytest.approx(60.0 * reached)
        assert trial.user_attrs["details"]["stopped_by"].startswith(f"rung {reached:g}:")
    waited = [[a["outcome"] for a in t.user_attrs["attempts"]] for t in by_fidelity[9]]
    assert all(outcomes[-1] == "finished" for outcomes in waited)
    assert any(outcomes[0] == "paused" for outcomes in waited)
    for trial in by_fidelity[9]:
        assert trial.user_attrs["reports"]["fidelity"] == [float(e) for e in range(1, 10)]


@pytest.mark.parametrize("sampler", ["random", "tpe", "cascbo", "islands"])
def test_interrupted_at_any_moment_equals_uninterrupted(tmp_path, sampler):
    trials = 9 if sampler == "cascbo" else 40 if sampler == "islands" else 18
    whole, expected = session(
        tmp_path / "whole", Checkpointed(), 1, trials, sampler={"name": sampler}
    )
    whole.run()
    script = Checkpointed()
    for n_session in range(60):
        loop, storage = session(tmp_path / "parts", script, 1, trials, sampler={"name": sampler})
        n_events = 0

        def interrupt(progress, loop=loop, n_session=n_session):
            nonlocal n_events
            n_events += 1
            if n_events > 3 + n_session % 4:
                loop.request_stop()

        loop._listen = interrupt
        reason = loop.run()
        found = storage.trials()
        if reason == "budget":
            break
        storage.close()
    assert reason == "budget"
    assert n_session > 4
    assert len(set(script.trained)) == len(script.trained)
    assert summary(storage) == summary(expected)
    assert len(found) == trials


def test_what_waits_is_shown_as_paused_and_told_to_samplers_as_stopped(tmp_path):
    loop, storage = session(tmp_path / "s", Checkpointed(), 1, 3)
    seen = []

    def look(progress):
        seen.append([(waits(t), as_stopped(t).values) for t in storage.trials()])
        if len(storage.trials()) == 3:
            loop.request_stop()

    loop._listen = look
    assert loop.run() == "interrupted"
    first, second, _ = storage.trials()
    storage.close()
    assert waits(first)
    assert waits(second)
    told = as_stopped(first)
    assert told.state == TrialState.COMPLETE
    assert told.values == [pytest.approx(1 - (1 - first.params["x"]) / EPOCHS)]
    assert (told.user_attrs["ended"], told.user_attrs["fidelity"]) == ("stopped", 1.0)
    assert first.state == TrialState.RUNNING  # nothing is written over
    rows = Study(tmp_path / "s").rows()
    assert [row.state for row in rows[:2]] == ["paused", "paused"]
    assert rows[0].fidelity == 1.0
    shutil.rmtree(tmp_path / "s" / "trials")  # the journal alone must do
    loop, storage = session(tmp_path / "s", Checkpointed(), 1, 3)
    assert loop.run() == "budget"
    assert sorted(t.user_attrs["ended"] for t in storage.trials()) == [
        "finished",
        "stopped",
        "stopped",
    ]


def test_two_trials_of_which_none_is_a_third_still_give_one_in_full(tmp_path):
    loop, storage = session(tmp_path / "s", Checkpointed(), 2, 2)
    loop.run()
    better, worse = sorted(storage.trials(), key=lambda t: t.params["x"])
    assert better.user_attrs["ended"] == "finished"
    assert worse.user_attrs["ended"] == "stopped"


def test_a_worker_that_is_lost_while_its_trial_pauses_loses_nothing(tmp_path):
    def script(job):
        messages = Checkpointed()(job)
        if job.attempt > 1:
            return messages
        lost = Failure(job.number, 1, "worker_lost", "killed")
        return [messages[0], (61.0, lost)]

    loop, storage = session(tmp_path / "s", script, trials=9, retries={"worker_lost": 0})
    loop._executor.cancel = lambda number, kill=False: None
    loop.run()
    outcomes = [t.user_attrs["attempts"][0]["outcome"] for t in storage.trials()]
    assert outcomes.count("paused") >= 6
    assert set(outcomes) <= {"paused", "worker_lost"}  # those that were to go on at once


class _PowerCutError(Exception):
    pass


def test_a_promoted_trial_does_not_wait_at_the_same_rung_again(tmp_path):
    def script(job):
        if job.number == 0 and job.attempt > 1:  # goes on for long, from its checkpoint
            report = Report(0, job.attempt, 2.0, {"loss": 0.5})
            return [(1e4, report), (1e5, Result(0, job.attempt, {"loss": 0.5}))]
        loss = {0: 0.5, 1: 0.9, 2: 0.9}.get(job.number, 0.1 / (job.number + 1))
        report = Report(job.number, job.attempt, 1.0, {"loss": loss})
        result = Result(job.number, job.attempt, {"loss": loss})
        return [(60.0 if job.number < 3 else 90.0, report), (200.0, result)]

    loop, storage = session(tmp_path / "s", script, 2, 9)

    def cut(progress):
        if len(storage.trials()) == 9:
            raise _PowerCutError

    loop._listen = cut
    with pytest.raises(_PowerCutError):
        loop.run()
    storage.close()
    StudyFolder(tmp_path / "s").attempt(0, 2).mkdir(parents=True)  # as its worker left it
    loop, storage = session(tmp_path / "s", script, 2, 9)
    loop.run()
    outcomes = [a["outcome"] for a in storage.trials()[0].user_attrs["attempts"]]
    assert outcomes == ["paused", "interrupted", "finished"]


def test_what_waits_goes_on_if_the_rule_is_taken_away(tmp_path):
    loop, storage = session(tmp_path / "s", Checkpointed(), 1, 3)

    def stop(progress):
        if len(storage.trials()) == 3:
            loop.request_stop()

    loop._listen = stop
    loop.run()
    storage.close()
    file = tmp_path / "s" / "study.yaml"
    text = file.read_text().replace("kind: promotion", "kind: stopping\n    grace: 99")
    file.write_text(text)
    loop, storage = session(tmp_path / "s", Checkpointed(), 1, 3)
    assert loop.run() == "budget"
    assert {t.user_attrs["ended"] for t in storage.trials()} == {"finished"}


STOPPING = {"name": "asha", "reduction": 2, "resource": "params.epochs"}


@pytest.mark.parametrize("rule", [STOPPING, PROMOTION])
def test_what_is_no_number_where_it_is_stopped_is_a_failure(tmp_path, rule):
    def script(job):
        if job.number % 3 != 1:
            return Checkpointed()(job)
        report = Report(job.number, job.attempt, 1.0, {"loss": math.nan})
        return [(60.0, report), (600.0, Result(job.number, job.attempt, {"loss": 0.0}))]

    loop, storage = session(tmp_path / "s", script, 1, 6, fidelity=rule)
    loop.run()
    failed = [t for t in storage.trials() if t.number % 3 == 1]
    assert {t.state for t in failed} == {TrialState.FAIL}
    assert failed[0].user_attrs["failure"]["kind"] == "nan"
    assert "'loss' was nan at fidelity 1" in failed[0].user_attrs["failure"]["message"]


@pytest.mark.parametrize("rule", [STOPPING, PROMOTION])
def test_a_report_without_the_objective_after_the_verdict_does_no_harm(tmp_path, rule):
    def script(job):
        first, *_ = Checkpointed()(job)
        late = Report(job.number, job.attempt, 1.5, {"other": 1.0})
        lost = Failure(job.number, job.attempt, "preempted", "asked to leave")
        return [first, (60.0, late), (61.0, lost)]

    loop, storage = session(tmp_path / "s", script, 2, 4, fidelity=rule, retries={"preempted": 0})
    loop._executor.cancel = lambda number, kill=False: None  # it left by itself, after `late`
    loop.run()
    left = [t for t in storage.trials() if t.user_attrs["ended"] == "stopped"]
    left += [t for t in storage.trials() if "rung" in t.user_attrs]
    assert left
    assert {t.user_attrs.get("rung", t.user_attrs)["fidelity"] for t in left} == {1.0}
