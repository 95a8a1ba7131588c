"""Calls that were interrupted, and jobs that go on without the call that began them."""

from dataclasses import replace
from pathlib import Path

import pytest

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.errors import SpiketuneError
from spiketune.executors.scheduler_jobs import SchedulerJobsExecutor
from spiketune.messages import Report, Result
from spiketune.study.over_seeds.trainings import Candidate, train_over_seeds
from tests.executors.processes import Processes
from tests.executors.test_contract import job
from tests.study.support import TESTS


@pytest.fixture
def scheduler():
    made = Processes()
    yield made
    made.end()


class Call:
    """One call of `confirm` on jobs of a scheduler, of two seeds of one candidate."""

    def __init__(self, folder, scheduler, n_seeds=2, labels=("one",)):
        self.folder, self.n_seeds, self.labels = folder, n_seeds, labels
        config = ExecutorConfig(name="slurm", jobs=4, poll=0.2)
        self.executor = SchedulerJobsExecutor(scheduler, config, base_folder=TESTS, settle_s=0.3)

    def job(self, candidate, k):
        place = self.folder / "confirm" / candidate.label / f"seed-{k}"
        params = {"x": 0.25, "log": str(self.folder / "log"), "let": str(self.folder / "let")}
        places = {"folder": str(place), "checkpoint_folder": str(place / "checkpoints")}
        made = job(self.folder, k, "waits_until_let")
        return replace(made, study="confirm", params=params, seed=k, **places)

    def run(self, listen=lambda *_: None):
        candidates = [Candidate(label, {}) for label in self.labels]
        return train_over_seeds(candidates, self.n_seeds, self.job, self.executor, listen)

    def interrupted(self):
        """Ctrl-C once every training has begun."""
        begun = set()

        def listen(label, seed, message):
            begun.add((label, seed))
            if isinstance(message, Report) and len(begun) == self.n_seeds * len(self.labels):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.run(listen)
        return self

    def starts(self):
        return len((self.folder / "log").read_text().splitlines())


def test_what_ctrl_c_interrupted_on_a_cluster_is_trained_by_the_next_call(tmp_path, scheduler):
    first = Call(tmp_path, scheduler).interrupted()
    first.executor.close()
    for process in scheduler.jobs.values():
        process.wait()
    (tmp_path / "let").touch()
    (ends,) = Call(tmp_path, scheduler).run()
    assert [type(end) for end in ends] == [Result, Result]
    assert first.starts() == 4


def test_a_call_at_once_after_ctrl_c_lets_the_jobs_leave_and_trains_again(tmp_path, scheduler):
    first = Call(tmp_path, scheduler).interrupted()
    first.executor.close()
    (tmp_path / "let").touch()
    (ends,) = Call(tmp_path, scheduler).run()
    assert [type(end) for end in ends] == [Result, Result]


def test_jobs_that_outlive_a_killed_call_are_taken_over_by_the_next(tmp_path, scheduler):
    first = Call(tmp_path, scheduler).interrupted()
    reports = []

    def let(label, seed, message):
        reports.append(message)
        (tmp_path / "let").touch()

    (ends,) = Call(tmp_path, scheduler).run(let)
    assert [type(end) for end in ends] == [Result, Result]
    assert len(scheduler.jobs) == first.starts() == 2
    assert isinstance(reports[0], Report)


def test_a_job_that_goes_on_under_another_number_is_told(tmp_path, scheduler, monkeypatch):
    """No second one may write into its folder."""
    monkeypatch.setattr("spiketune.study.over_seeds.places.ADOPTION_S", 0.2)
    first = Call(tmp_path, scheduler, 2, ("one", "two")).interrupted()
    second = Call(tmp_path, scheduler, 1, ("one", "two"))  # the first of two was number 2
    with pytest.raises(
        SpiketuneError, match=r"two/seed-0: job 3 on .* trains there for an earlier"
    ):
        second.run()
    second.executor.close()
    assert len(scheduler.jobs) == first.starts() == 4
    assert not list(Path(tmp_path / "confirm").glob("*/*/stop"))  # nor is the other one ended
