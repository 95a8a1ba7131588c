"""The three return modes, by what had been told at every ask."""

import itertools

import pytest
from optuna.trial import TrialState

from spiketune.clock import VirtualClock
from spiketune.executors.local import LocalExecutor
from spiketune.executors.simulated import SimulatedExecutor
from spiketune.messages import Failure
from spiketune.samplers.asker import Asker
from spiketune.study.pacing import n_to_ask
from tests.study.support import TESTS, document, ended, loop_of, make

LENGTHS_S = [1.0, 7.0, 3.0, 2.0]


@pytest.fixture
def told_at_asks(monkeypatch):
    """For every ask, how many results the sampler could know."""
    told = []
    ask = Asker.ask

    def noting(self, *given):
        trials = self._view._storage.get_all_trials(self._view._study_id, deepcopy=False)
        told.append(sum(trial.state == TrialState.COMPLETE for trial in trials))
        return ask(self, *given)

    monkeypatch.setattr(Asker, "ask", noting)
    return told


def run(path, returns, n_trials=12, n_workers=4, fails=()):
    lengths = itertools.cycle(LENGTHS_S)

    def script(job):
        length_s = next(lengths)
        if (job.number, job.attempt) in fails:
            return [(length_s, Failure(job.number, job.attempt, "worker_lost", "lost"))]
        return [(length_s, ended(job))]

    sampler = {"name": "random"}
    make(path, document(budget={"trials": n_trials}, returns=returns, sampler=sampler))
    clock = VirtualClock(1_000_000.0)
    executor = SimulatedExecutor(script, n_workers, clock)
    loop, storage = loop_of(path, executor, clock, poll_s=1e6)
    assert loop.run() == "budget"
    spans = [
        (attempt["started_s"] - 1_000_000.0, attempt["ended_s"] - 1_000_000.0)
        for trial in storage.trials()
        for attempt in trial.user_attrs["attempts"]
    ]
    assert [t.state for t in storage.trials()] == [TrialState.COMPLETE] * n_trials
    return spans


def test_asynchronous_asks_on_the_newest_results(tmp_path, told_at_asks):
    run(tmp_path / "s", "asynchronous")
    assert told_at_asks == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_synchronous_asks_by_generations(tmp_path, told_at_asks):
    spans = run(tmp_path / "s", "synchronous")
    assert told_at_asks == [0] * 4 + [4] * 4 + [8] * 4
    assert sorted({start_s for start_s, _ in spans}) == [0.0, 7.0, 14.0]


def test_a_generation_waits_for_trials_that_are_repeated(tmp_path, told_at_asks):
    spans = run(tmp_path / "s", "synchronous", n_trials=8, fails={(1, 1)})
    assert told_at_asks == [0] * 4 + [4] * 4
    assert sorted({start_s for start_s, _ in spans}) == [0.0, 7.0, 8.0]  # the repeat took 1 s


def test_flexible_asks_by_the_queueful_and_lets_no_worker_wait(tmp_path, told_at_asks):
    spans = run(tmp_path / "s", "flexible")
    assert told_at_asks == [0] * 4 + [1] * 4 + [5] * 4
    lazy = run(tmp_path / "t", "asynchronous")
    assert spans == lazy  # the same times: only what the sampler knew differs


def test_a_budget_ends_within_a_generation(tmp_path, told_at_asks):
    run(tmp_path / "s", "synchronous", n_trials=6)
    assert told_at_asks == [0] * 4 + [4] * 2


def test_a_session_that_stops_amid_a_queueful_is_resumed(tmp_path):
    path = tmp_path / "s"
    make(path, document(budget={"trials": 8}, returns="flexible"))
    clock = VirtualClock(1_000_000.0)

    def stop_early(progress):
        if progress.n_done == 3:
            loop.request_stop()

    executor = SimulatedExecutor(lambda job: [(1.0 + job.number, ended(job))], 2, clock)
    loop, storage = loop_of(path, executor, clock, poll_s=1e6, listen=stop_early)
    assert loop.run() == "interrupted"
    storage.close()
    loop, storage = loop_of(path, LocalExecutor(2, base_folder=TESTS))
    assert loop.run() == "budget"
    assert [t.state for t in storage.trials()] == [TrialState.COMPLETE] * 8


def test_how_many_are_due():
    assert n_to_ask("asynchronous", 4, 3) == 1
    assert (n_to_ask("synchronous", 4, 3), n_to_ask("synchronous", 4, 0)) == (0, 4)
    assert n_to_ask("flexible", 4, 3) == 4
