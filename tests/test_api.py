"""A study as an object: what it may spend, and what it refuses."""

import gc

import pytest

from spiketune.api import Study
from spiketune.errors import StudyLockedError
from spiketune.study.records.lock import StudyLock
from tests.study.support import document, make, n_open_files


def made(folder, **budget):
    """A study in a folder, with a quick function and a budget."""
    return Study(make(folder, document(budget=budget, sampler={"name": "random"})).path)


def run(study, *more):
    return study.run(*more, listen=lambda progress: None)


def budget_of(study):
    """Trials and seconds, as the folder has them."""
    budget = Study(study.path).section.budget
    return budget.trials, budget.time


def test_more_trials_leave_the_time_budget_as_it_is_and_more_time_that_of_trials(tmp_path):
    study = made(tmp_path / "s", trials=2, time=7200.0)
    run(study, 3)
    assert budget_of(study) == (3, 7200.0)
    run(study, 2)
    assert budget_of(study) == (5, 7200.0)
    study.set_budget(trials=9, time_s=7200.0)
    run(study, None, "1h")
    trials, time_s = budget_of(study)
    assert trials == 9
    assert 3600.0 < time_s < 3700.0
    assert len(study.rows()) == 9


def test_a_limit_that_is_spent_does_not_keep_a_run_from_what_it_is_asked_for(tmp_path):
    study = made(tmp_path / "s", trials=2, time=0.001)
    assert run(study).session.reason == "time"
    n_before = len(study.rows())
    assert len(run(study, 3).rows()) == n_before + 3
    assert budget_of(study) == (n_before + 3, None)
    assert run(study, None, 0.001).session.reason == "time"
    assert budget_of(study)[0] is None


def test_the_budget_of_a_study_that_another_process_runs_is_left_alone(tmp_path):
    study = made(tmp_path / "s", trials=1000)
    with StudyLock(study.folder.lock):
        for edit in (
            lambda: run(study, 5),
            lambda: run(study, None, "1h"),
            lambda: study.extend(trials=5),
            lambda: study.set_budget(trials=5, time_s=None),
        ):
            with pytest.raises(StudyLockedError):
                edit()
        assert budget_of(study) == (1000, None)


def test_what_is_added_to_a_budget_that_lacks_it_comes_on_top_of_what_is_spent(tmp_path):
    study = made(tmp_path / "s", trials=4)
    run(study)
    study.extend(5, "2s")
    trials, time_s = budget_of(study)
    assert trials == 9
    assert time_s > 2.0
    study.set_budget(trials=None, time_s=3600.0)
    study.extend(3)
    assert budget_of(study) == (7, 3600.0)
    assert len(run(study).rows()) == 7


def test_what_is_added_is_not_kept_from_running_by_a_limit_that_is_spent(tmp_path):
    study = made(tmp_path / "s", trials=4)
    run(study)
    study.extend(time=0.001)
    trials, time_s = budget_of(study)
    assert trials is None
    assert time_s > 0.001
    assert run(study).session.reason == "time"  # and has spent a little more than it had
    n_before = len(study.rows())
    study.extend(trials=2)
    assert budget_of(study) == (n_before + 2, None)
    study.extend()
    assert budget_of(study) == (n_before + 2, None)
    assert len(run(study).rows()) == n_before + 2
    study.set_budget(trials=100, time_s=0.001)
    study.extend(trials=3)  # not up to 103: its time is over
    assert budget_of(study) == (n_before + 5, None)


def test_what_is_added_to_a_budget_with_something_left_comes_on_top_of_all_of_it(tmp_path):
    study = made(tmp_path / "s", trials=40, time=7200.0)
    study.extend(trials=5)
    assert budget_of(study) == (45, 7200.0)
    study.extend(time="1h")
    assert budget_of(study) == (45, 10800.0)


def test_a_notebook_that_looks_at_studies_again_and_again_leaves_no_file_open(tmp_path):
    study = run(made(tmp_path / "s", trials=2))
    gc.collect()
    before = n_open_files()
    for _ in range(10):
        assert len(Study(study.path).rows()) == 2
    gc.collect()
    assert n_open_files() <= before
