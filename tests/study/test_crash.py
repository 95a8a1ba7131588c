"""Processes killed for real: askers, children, and stock writers beside them."""

import collections
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from spiketune.api import Study
from spiketune.executors.local import LocalExecutor
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.storage import stock_storage
from tests.study.support import TESTS, document, loop_of, make

ROOT = str(Path(TESTS).parent)
ASKER = """
import sys
from pathlib import Path
from spiketune.study.records.folder import load
from spiketune.study.running import run_session
def say(progress):
    if progress.event:
        print(progress.event, flush=True)
print(run_session(*load(Path(sys.argv[1])), say)[0], flush=True)
"""


def start(path):
    return subprocess.Popen(
        [sys.executable, "-c", ASKER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def finish(asker):
    output, _ = asker.communicate(timeout=100)
    return output.splitlines()


@pytest.mark.timeout(300)
def test_twenty_random_kills_of_the_asker_lose_nothing_and_repeat_nothing(tmp_path):
    path, log = tmp_path / "s", tmp_path / "log"
    n_trials, rng = 120, random.Random(0)
    make(
        path,
        document(
            "quick",
            {"x": {"float": [0.0, 1.0]}, "log": {"choice": [str(log)]}},
            budget={"trials": n_trials},
            executor={"workers": 2},
            sampler={"name": "random"},
        ),
    )
    seen: set[str] = set()
    for _ in range(20):
        asker = start(path)
        for _ in range(rng.randrange(0, 16)):  # so many events, then some milliseconds, then kill
            seen.add(asker.stdout.readline().strip())
        time.sleep(rng.random() * 0.05)
        asker.kill()
        asker.wait()
        asker.stdout.close()
    assert finish(start(path))[-1] == "budget"
    trials = Study(path).storage.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * n_trials
    ends = collections.Counter(int(line) for line in log.read_text().split())
    assert set(ends) == set(range(n_trials))
    assert set(ends.values()) == {1}  # none ran twice to its end
    for line in seen:
        if " finished " in line:  # what was announced is what is stored
            assert trials[int(line.split()[1])].state == TrialState.COMPLETE
    assert not any((path / "trials").iterdir())


def test_a_killed_child_is_a_lost_worker_and_its_trial_is_tried_again(tmp_path):
    make(tmp_path / "s", document("killed_once", budget={"trials": 3}))
    loop, storage = loop_of(tmp_path / "s", LocalExecutor(2, base_folder=TESTS))
    assert loop.run() == "budget"
    for trial in storage.trials():
        assert trial.state == TrialState.COMPLETE
        outcomes = [attempt["outcome"] for attempt in trial.user_attrs["attempts"]]
        assert outcomes == ["worker_lost", "finished"]


def test_ctrl_c_lets_children_write_checkpoints_and_resume_goes_on_from_them(tmp_path):
    make(
        tmp_path / "s",
        document("obeys_then_finishes", budget={"trials": 4}, executor={"workers": 2}),
    )
    asker = start(tmp_path / "s")
    folder = StudyFolder(tmp_path / "s")
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        if all((folder.attempt(n, 1) / "metrics.jsonl").exists() for n in (0, 1)):
            break
        time.sleep(0.02)
    os.kill(asker.pid, signal.SIGINT)
    assert finish(asker)[-1] == "interrupted"
    assert [t.state for t in Study(tmp_path / "s").storage.trials()] == [TrialState.RUNNING] * 2
    assert (folder.checkpoints(0) / "step").exists()
    asker = start(tmp_path / "s")
    time.sleep(0.1)
    while (running := Study(tmp_path / "s")).folder.journal.exists():
        states = [t.state for t in running.storage.trials()]
        if states.count(TrialState.COMPLETE) >= 2 and len(states) == 4:
            break
        time.sleep(0.05)
    os.kill(asker.pid, signal.SIGTERM)  # trials 2 and 3 wait for a stop of their own
    finish(asker)
    assert finish(start(tmp_path / "s"))[-1] == "budget"
    trials = Study(tmp_path / "s").storage.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    outcomes = [a["outcome"] for a in trials[0].user_attrs["attempts"]]
    assert outcomes == ["interrupted", "finished"]


STOCK_WRITER = """
import sys, optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(
    study_name="study", storage=JournalStorage(JournalFileBackend(sys.argv[1]))
)
study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=25)
"""


def test_a_stock_optuna_writer_beside_a_running_study_loses_nothing(tmp_path):
    path = tmp_path / "s"
    make(path, document("number", budget={"trials": 80}, sampler={"name": "random"}))
    asker = start(path)
    asker.stdout.readline()
    writer = subprocess.run(
        [sys.executable, "-c", STOCK_WRITER, str(path / "journal.log")], check=False, cwd=ROOT
    )
    assert writer.returncode == 0
    finish(asker)
    finish(start(path))
    stock = optuna.load_study(study_name="study", storage=stock_storage(StudyFolder(path)))
    theirs = [t for t in stock.trials if "attempts" not in t.user_attrs]
    assert len(theirs) == 25
    assert all(t.state == TrialState.COMPLETE for t in stock.trials)
    assert len(stock.trials) >= 80
    assert [t.number for t in stock.trials] == [r.number for r in Study(path).rows()]
