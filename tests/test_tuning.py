"""Searches from a script or a notebook."""

import subprocess
import sys
from types import SimpleNamespace

import cloudpickle
import pytest

import spiketune
from spiketune.errors import (
    ConfigError,
    InputError,
    StudyExistsError,
    StudyLockedError,
    StudyNotFoundError,
)
from spiketune.study.records.lock import StudyLock
from tests import targets
from tests.study.support import TESTS

SPACE = {"x": spiketune.Float(0.0, 1.0), "n": spiketune.Int(1, 5)}
OBJECTIVES = {"loss": "minimize", "size": "maximize"}


def tune(folder, function=targets.quadratic, space=None, **changes):
    options = {"objectives": OBJECTIVES, "trials": 6, "workers": 2, **changes}
    return spiketune.tune(function, space or SPACE, folder=folder, **options)


def test_a_function_of_a_module_is_searched_and_searched_on(tmp_path):
    study = tune(tmp_path / "s")
    assert study.session.reason == "budget"
    assert len(study.frame()) == 6
    study.run(trials=4)
    assert len(study.frame()) == 10
    assert len(tune(tmp_path / "s", trials=2).rows()) == 12
    again = spiketune.open(tmp_path / "s")
    assert [row.params for row in again.rows()] == [row.params for row in study.rows()][:12]
    assert again.best().number in {row.number for row in again.front()}


def test_a_function_that_lives_nowhere_is_kept_by_value_and_can_be_resumed(tmp_path):
    offset = 0.25
    study = tune(
        tmp_path / "s",
        lambda trial: abs(trial.params["x"] - offset),
        objectives={"loss": "minimize"},
        trials=3,
    )
    assert (tmp_path / "s/function.pkl").exists()
    assert len(study.rows()) == 3
    done = subprocess.run(
        [sys.executable, "-m", "spiketune.cli.main", "resume", "s", "--add-trials", "2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(spiketune.open(tmp_path / "s").rows()) == 5


def test_the_same_seed_asks_the_same(tmp_path):
    first, second = (
        [row.params for row in tune(tmp_path / name, workers=1, seed=5).rows()] for name in "ab"
    )
    assert first == second
    assert first != [row.params for row in tune(tmp_path / "c", workers=1, seed=6).rows()]


def test_constraints_requirements_and_sampler_options_reach_the_study(tmp_path):
    study = tune(
        tmp_path / "s",
        targets.with_constraint,
        objectives={"loss": "minimize"},
        constraints=["loss >= 0.2"],
        require=["n < 5"],
        sampler={"name": "tpe", "n_startup_trials": 3},
        trials=12,
    )
    assert study.section.sampler.options == {"n_startup_trials": 3}
    rows = study.rows()
    assert all(row.params["n"] < 5 for row in rows)
    assert all(set(row.constraints) == {"loss >= 0.2", "small"} for row in rows)
    feasible = [row for row in rows if 0.2 <= row.objectives["loss"] <= 0.5]
    assert [row for row in rows if row.feasible] == feasible


def test_conditional_parameters_reach_the_function(tmp_path):
    space = {"n": spiketune.Int(1, 5), "x": spiketune.Float(0.0, 1.0, when="n > 3")}
    study = tune(
        tmp_path / "s",
        lambda trial: trial.params.get("x", 2.0),
        space,
        objectives={"loss": "minimize"},
        trials=10,
    )
    for row in study.rows():
        assert ("x" in row.params) == (row.params["n"] > 3)


def test_no_trials_only_makes_the_study(tmp_path):
    study = tune(tmp_path / "s", trials=0)
    assert study.rows() == []
    assert study.front() == []
    assert study.best() is None
    assert study.frame().empty
    assert study.report().exists()


def test_any_column_can_be_plotted_against_any_other(tmp_path):
    study = tune(tmp_path / "s")
    figure = study.plot("x", "loss", color="size", color_range=(1, 3))
    assert list(figure.data[0].x) == list(study.frame()["x"])
    with pytest.raises(InputError, match="Did you mean 'loss'"):
        study.plot("x", "los")


def test_what_is_wrong_is_said_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError, match=r"study\.objectives\.loss"):
        tune(tmp_path / "s", objectives={"loss": "down"})
    with pytest.raises(InputError, match="No sampler named 'tpee'"):
        tune(tmp_path / "s", sampler="tpee")
    with pytest.raises(ConfigError, match="No parameter named 'y'"):
        tune(tmp_path / "s", require=["y < 3"])
    with pytest.raises(StudyNotFoundError):
        spiketune.open(tmp_path / "s")


def test_a_folder_with_another_study_is_left_alone(tmp_path):
    tune(tmp_path / "s")
    with pytest.raises(StudyExistsError, match="another space"):
        tune(tmp_path / "s", space={"x": spiketune.Float(0.0, 2.0), "n": spiketune.Int(1, 5)})
    with pytest.raises(StudyExistsError, match="or of other objectives or constraints"):
        tune(tmp_path / "s", constraints=["loss <= 0.1"])
    assert len(spiketune.open(tmp_path / "s").rows()) == 6


def test_a_function_kept_by_value_is_replaced_by_the_same_study_alone(tmp_path):
    def tune_here(function, **changes):
        return tune(tmp_path / "s", function, **{"trials": 0, **changes})

    tune_here(lambda trial: {"loss": trial.params["x"], "size": 1})
    kept = tmp_path / "s/function.pkl"
    first = kept.read_bytes()
    with pytest.raises(StudyExistsError, match="of other objectives"):
        tune_here(lambda trial: -trial.params["x"], objectives={"gain": "maximize"})
    assert kept.read_bytes() == first
    with StudyLock(tmp_path / "s/study.lock"), pytest.raises(StudyLockedError):
        tune_here(lambda trial: {"loss": trial.params["x"], "size": 2})
    assert kept.read_bytes() == first
    tune_here(lambda trial: {"loss": trial.params["x"], "size": 3})
    assert cloudpickle.loads(kept.read_bytes())(SimpleNamespace(params={"x": 1}))["size"] == 3
    assert {file.name for file in kept.parent.iterdir()} == {
        "function.pkl",
        "study.lock",
        "study.yaml",
    }


def test_importing_the_package_loads_neither_torch_nor_optuna():
    code = "import spiketune, sys; print('torch' in sys.modules, 'optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_study_from_python_loads_no_torch_in_the_asker(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); import spiketune, targets;"
        "spiketune.tune(targets.number, {'x': spiketune.Float(0, 1)},"
        " objectives={'loss': 'minimize'}, folder=sys.argv[1], trials=2, workers=1);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s"), TESTS], check=True, capture_output=True
    )
