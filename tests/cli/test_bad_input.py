"""Each kind of bad input: one clear message that names place and remedy, exit status 2."""

import json
import os
import shutil

import pytest
import yaml

from spiketune.api import Study
from tests.cli.conftest import spiketune

NETWORK = {
    "dataset": {"name": "digits", "steps": 3},
    "network": {"layers": [{"dense": 4}, {"dense": "classes"}]},
    "training": {"epochs": 1},
}


def training(**changes):
    study = {
        "name": "s",
        "objectives": {"validation_accuracy": "maximize"},
        "budget": {"trials": 1},
        "executor": {"workers": 1},
    }
    return {"study": study, "trial": {**NETWORK, **changes}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("study: {", "mine.yaml: not valid YAML"),
        ("study: 3\nstudy: 4", "the key 'study' stands twice"),
        ("- 1", "must hold `study:` and `trial:`"),
        ("stdy: {}\ntrial: {}", "stdy: unknown section"),
        ("study: {objectives: {a: minimize}}", "trial: the section is missing"),
        ("study: {objectives: {a: minimize}}\ntrial: {}", "trial: needs `network:`"),
        ("study: {}\ntrial: {function: 'a:b'}", "study.objectives: is required"),
        (
            "study: {objectives: {a: minimise}}\ntrial: {function: 'a:b'}",
            "study.objectives.a: input should be 'minimize' or 'maximize', got 'minimise'",
        ),
        (
            "study: {objectives: {a: minimize}, budgt: {}}\ntrial: {function: 'a:b'}",
            "study.budgt: unknown key; did you mean 'budget'?",
        ),
        (
            "study: {objectives: {a: minimize}, constraints: ['a < 3']}\ntrial: {function: 'a:b'}",
            "a constraint is one comparison with <= or >=",
        ),
        (
            "study: {objectives: {a: minimize}, require: ['y < 3']}\n"
            "trial: {function: 'a:b', params: {x: {int: [1, 2]}}}",
            "study.require: No parameter named 'y'",
        ),
        (
            "study: {objectives: {a: minimize}}\n"
            "trial: {function: 'a:b', params: {x: {float: [3, 1]}}}",
            "trial.params.x: low must be <= high",
        ),
        (
            "study: {objectives: {a: minimize}}\n"
            "trial: {function: 'a:b', params: {x: {float: [0, 1], scale: log}}}",
            "trial.params.x: low must be > 0 on a log scale, got 0.0",
        ),
        (
            "study: {objectives: {a: minimize}, sampler: {name: tppe}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "error: study.sampler.name: No sampler named 'tppe'. Did you mean 'tpe'?",
        ),
        (
            "study: {objectives: {a: minimize}, sampler: {name: tpe, n_startup: 3}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "sampler.n_startup: No option named 'n_startup'. Did you mean 'n_startup_trials'?",
        ),
        (
            "study: {objectives: {a: minimize}, sampler: {name: tpe, n_startup_trials: many}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "study.sampler: tpe cannot ask with n_startup_trials='many'",
        ),
        (
            "study: {objectives: {a: minimize, b: minimize}, sampler: {name: cmaes}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "'cmaes' takes one objective, got 2",
        ),
        (
            "study: {objectives: {a: minimize}, executor: {name: locl}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "error: study.executor.name: No executor named 'locl'. Did you mean 'local'?",
        ),
        (
            "study: {objectives: {a: minimize}, fidelity: {name: asha, min: .nan}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "study.fidelity: `min` must be finite, got nan",
        ),
        (
            "study: {objectives: {a: minimize}, sampler: {name: islands, m: [[0, .inf]]}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "study.sampler: `m` must be finite, got [[0, inf]]",
        ),
        (
            "study: {objectives: {a: minimize}, fidelity: {name: ahsa}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "error: study.fidelity.name: No fidelity rule named 'ahsa'. Did you mean 'asha'?",
        ),
        (
            "study: {objectives: {a: minimize}, budget: {trials: true}}\ntrial: {function: 'a:b'}",
            "study.budget.trials: must be a number, got true",
        ),
        (
            "study: {objectives: {a: minimize}, seed: true, retries: {crash: false}}\n"
            "trial: {function: 'a:b'}",
            "study.retries.crash: must be a number, got false\nstudy.seed: must be a number",
        ),
        (
            "study: {objectives: {a: minimize}, executor: {workers: true}}\n"
            "trial: {function: 'a:b'}",
            "study.executor.workers: must be a number, got true",
        ),
        (
            "study: {objectives: {a: minimize}}\ntrial:\n  function: 'a:b'\n  params:\n"
            "    x: {int: [1, 2], when: y > 1}\n    y: {int: [1, 2], when: x > 1}\n",
            ".when: conditions depend on each other in a circle",
        ),
        (
            "study: {objectives: {a: minimize}, budget: {time: soon}}\n"
            "trial: {function: 'targets:number', params: {x: {int: [1, 2]}}}",
            "study.budget.time: a duration is seconds or a text",
        ),
        (
            "study: {objectives: {a: minimize}}\ntrial: {function: 'no_module:f'}",
            "cannot import 'no_module'",
        ),
        (
            "study: {objectives: {a: minimize}}\ntrial: {function: 'targets:absent'}",
            "module 'targets' has no 'absent'",
        ),
        (yaml.safe_dump(training(dataset={"name": "digit"})), "Did you mean 'digits'?"),
        (yaml.safe_dump(training(device="cuda")), "trial.device"),
        (
            yaml.safe_dump(training(dataset={"name": "mnist", "root": "nowhere"})),
            "nowhere",
        ),
        (
            yaml.safe_dump(training(training={"epochs": {"int": [0, 3]}})),
            "trial.training.epochs: input should be greater than or equal to 1, got 0",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_naming_place_and_remedy(
    cli, file, tmp_path, content, words
):
    file()
    (tmp_path / "mine.yaml").write_text(content)
    status, out, err = cli("run", "mine.yaml")
    assert status == 2
    assert words in err
    assert out == ""
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "mine.yaml", "--folder", ""), "--folder: must name a folder"),
        (("train", "mine.yaml", "--folder", ""), "--folder: must name a folder"),
        (("resume", "mine", "--add-trials", 10**9 + 1), "--add-trials"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(cli, file, tmp_path, arguments, words):
    file()
    status, _, err = cli(*arguments)
    assert status == 2
    assert words in err
    assert {entry.name for entry in tmp_path.iterdir()} == {"mine.yaml", "targets.py"}


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        ({"name": "local", "gpus": [4096]}, "study.executor.gpus"),
        ({"name": "mpi"}, "study.executor: mpi needs"),
        ({"name": "dask", "address": "tcp://127.0.0.1:1"}, "study.executor"),
    ],
)
def test_a_file_whose_executor_cannot_start_is_run_once_it_is_corrected(
    cli, file, tmp_path, executor, words
):
    status, _, err = cli("run", file(study={"executor": executor}))
    assert status == 2
    assert words in err
    assert not (tmp_path / "runs/mine").exists()
    assert cli("run", file(study={"budget": {"trials": 1}}))[0] == 0


def test_a_refused_study_leaves_what_else_lies_in_its_folder(cli, file, tmp_path):
    (tmp_path / "notes").write_text("mine")
    before = file(study={"executor": {"name": "mpi"}})
    assert cli("run", before, "--folder", ".")[0] == 2
    assert {entry.name for entry in tmp_path.iterdir()} == {"notes", "mine.yaml", "targets.py"}


def test_a_study_that_has_begun_is_not_taken_back(cli, file, tmp_path):
    cli("run", file(study={"budget": {"trials": 1}}))
    path = tmp_path / "runs/mine/study.yaml"
    path.write_text(path.read_text().replace("name: local", "name: mpi").replace("workers: 2", ""))
    assert cli("resume", "runs/mine", "--add-trials", 1)[0] == 2
    assert (tmp_path / "runs/mine/journal.log").exists()


def test_a_file_or_recipe_that_does_not_exist_is_refused(cli):
    assert cli("run", "absent.yaml")[::2] == (2, "error: absent.yaml: no such file\n")
    status, _, err = cli("run", "quikstart")
    assert status == 2
    assert "Did you mean 'quickstart'?" in err


@pytest.mark.parametrize("verb", ["resume", "status", "best", "report", "export", "dashboard"])
def test_a_folder_without_a_study_is_refused(cli, verb):
    status, _, err = cli(verb, "nowhere")
    assert status == 2
    assert "nowhere: no study there" in err


def test_a_study_folder_that_exists_names_resume_and_new(cli, file, tmp_path):
    assert cli("run", file())[0] == 0
    journal = (tmp_path / "runs/mine/journal.log").read_bytes()
    status, _, err = cli("run", "mine.yaml")
    assert status == 2
    assert "spiketune resume runs/mine" in err
    assert "--new" in err
    assert (tmp_path / "runs/mine/journal.log").read_bytes() == journal
    assert cli("run", "mine.yaml", "--new")[0] == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_study_folder_with_another_space_is_refused_and_left_as_it_is(cli, file, tmp_path):
    cli("run", file())
    path = tmp_path / "runs/mine/study.yaml"
    path.write_text(path.read_text().replace("- 0.0", "- 0.5"))
    journal = (tmp_path / "runs/mine/journal.log").read_bytes()
    status, _, err = cli("resume", "runs/mine")
    assert status == 2
    assert "another search space" in err
    assert (tmp_path / "runs/mine/journal.log").read_bytes() == journal


def test_a_folder_that_cannot_be_made_is_named(cli, file, tmp_path):
    (tmp_path / "blocked").write_text("a file")
    status, _, err = cli("run", file(), "--folder", "blocked/s")
    assert status == 2
    assert "blocked/s: cannot be written" in err


def test_a_study_that_runs_already_is_refused_naming_host_and_pid(cli, file, tmp_path):
    from spiketune.study.records.lock import StudyLock

    cli("run", file())
    lock = StudyLock(tmp_path / "runs/mine/study.lock")
    status, _, err = cli("resume", "runs/mine", "--add-trials", 3)
    assert status == 2
    assert f"pid {os.getpid()}" in err
    assert Study(tmp_path / "runs/mine").section.budget.trials == 8  # nothing was changed
    lock.release()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("study.budget.trials", "must be path.to.leaf=value"),
        (
            "study.budget.trials=0",
            "study.budget.trials: input should be greater than or equal to 1",
        ),
        ("study.budget.trial=3", "study.budget.trial: unknown key; did you mean 'trials'?"),
        ("study.name.x=3", "is a value, not a section"),
        ("study.budget={", "not valid YAML"),
    ],
)
def test_an_override_that_is_wrong_is_refused(cli, file, override, words):
    status, _, err = cli("run", file(), "--set", override)
    assert status == 2
    if "is a value" not in words:
        assert words in err


def test_an_objective_that_raises_fails_its_trials_and_the_study_goes_on(cli, file):
    params = {"x": {"float": [0.0, 1.0]}}
    study = {"sampler": {"name": "random"}, "budget": {"trials": 8}}
    status, _, err = cli("run", file("raises_above_half", params=params, study=study))
    assert status == 0
    assert "ValueError: too large" in err
    _, out, _ = cli("status", "runs/mine", "--json")
    counts = json.loads(out)["trials"]
    assert counts["failed"] > 0
    assert counts["finished"] > 0
    assert counts["failed"] + counts["finished"] == 8


@pytest.mark.parametrize(
    ("function", "kind"), [("not_a_number", "nan"), ("lacks_objective", "missing")]
)
def test_a_result_that_is_no_result_fails_with_its_kind(cli, file, function, kind):
    status, _, err = cli("run", file(function, study={"budget": {"trials": 2}}))
    assert status == 1
    rows = Study("runs/mine").rows()
    assert [row.failure["kind"] for row in rows] == [kind] * 2
    assert "'loss' is" in err


@pytest.mark.parametrize(
    "aims",
    [
        {"objectives": {"acuracy": "maximize"}},
        {"objectives": {"accuracy": "maximize"}, "constraints": ["acuracy <= 3"]},
    ],
)
def test_a_metric_that_no_trial_returns_ends_the_study_after_three(cli, file, aims):
    study = {**aims, "budget": {"trials": 500}, "executor": {"name": "inline"}}
    status, _, err = cli("run", file("lacks_objective", study=study))
    assert status == 1
    assert "missing: 'acuracy' is missing from the result; it holds accuracy" in err
    assert [len(row.attempts) for row in Study("runs/mine").rows()] == [1, 1, 1]


def test_a_function_that_always_fails_ends_the_study_early_with_its_words(cli, file):
    status, _, err = cli("run", file("raises", study={"budget": {"trials": 500}}))
    assert status == 1
    assert "every trial failed in the same way" in err
    assert "ValueError: the objective does not like this" in err
    assert "spiketune resume runs/mine" in err
    assert len(Study("runs/mine").rows()) < 20


def test_a_file_with_ranges_is_not_for_train(cli, file):
    status, _, err = cli("train", file())
    assert status == 2
    assert "has ranges (x); `spiketune run` searches them" in err


def test_a_trial_that_does_not_exist_cannot_be_retrained(cli, file):
    cli("run", file())
    for which in ("99", "worst"):
        status, _, err = cli("retrain", "runs/mine", "--trial", which)
        assert status == 2
        assert which in err


def test_a_moved_folder_and_a_missing_journal_are_told_apart(cli, file, tmp_path):
    cli("run", file())
    shutil.move(tmp_path / "runs/mine", tmp_path / "moved")
    assert cli("best", "moved")[0] == 0
    (tmp_path / "moved/journal.log").unlink()
    assert cli("best", "moved")[0] == 1  # a study that never started has no best trial


@pytest.fixture
def project(cli, file, tmp_path, monkeypatch):
    """A study, its file and its module in one folder."""
    (tmp_path / "old").mkdir()
    file(study={"budget": {"trials": 1}, "sampler": {"name": "random"}})
    for name in ("mine.yaml", "targets.py"):
        shutil.move(tmp_path / name, tmp_path / "old")
    monkeypatch.chdir(tmp_path / "old")
    assert cli("run", "mine.yaml")[0] == 0
    monkeypatch.chdir(tmp_path)
    return tmp_path / "old"


def test_a_project_that_was_moved_as_a_whole_goes_on(cli, project):
    shutil.move(project, "new")
    status, _, err = cli("resume", "new/runs/mine", "--add-trials", 1)
    assert status == 0, err
    assert len(Study("new/runs/mine").rows()) == 2


def test_a_study_that_was_moved_without_its_module_names_the_remedy(cli, project, tmp_path):
    shutil.move(project / "runs/mine", "mine")
    shutil.move(project, "new")
    status, _, err = cli("resume", "mine", "--add-trials", 1)
    assert status == 2
    assert "provenance.base_folder" in err
    text = (tmp_path / "mine/study.yaml").read_text()
    corrected = text.replace(f"base_folder: {project}", f"base_folder: {tmp_path}/new")
    (tmp_path / "mine/study.yaml").write_text(corrected)
    assert cli("resume", "mine")[0] == 0


def test_errors_of_the_installed_command_go_to_stderr_without_a_traceback(tmp_path):
    ended = spiketune("run", "absent.yaml", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: absent.yaml: no such file\n"
    assert spiketune("run", cwd=tmp_path).returncode == 2


def test_a_budget_shorter_than_a_trial_says_so_and_how_to_go_on(cli, file):
    path = file("waits_for_stop", study={"budget": {"time": 0.3}})
    status, out, err = cli("run", path)
    assert status == 1
    assert "no trial has ended with a result yet" in out
    assert "the time budget is spent\ngo on with: spiketune resume runs/mine --add-time" in err
    assert {row.state for row in Study("runs/mine").rows()} == {"running"}  # to be repeated
