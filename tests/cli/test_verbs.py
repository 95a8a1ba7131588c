"""Every verb, on small studies that really run."""

import json
import re
import signal
import subprocess
import sys

import optuna
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from spiketune.api import Study
from spiketune.cli.main import app
from spiketune.config.loading import recipes
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.storage import stock_storage

VERBS = [command.name for command in app.registered_commands] + [
    "recipes list",
    "recipes show",
    "recipes copy",
    "datasets list",
    "datasets prepare",
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb):
    result = CliRunner().invoke(app, [*verb.split(), "--help"])
    assert result.exit_code == 0
    assert re.search(rf"Example: *spiketune {verb}", " ".join(result.output.split()))


def test_a_run_ends_with_a_table_a_report_and_a_hint(cli, file, tmp_path):
    status, out, err = cli("run", file())
    assert status == 0
    assert "loss" in out
    assert "runs/mine/report.html" in err
    assert "spiketune retrain runs/mine" in err
    assert (tmp_path / "runs/mine/report.html").stat().st_size > 1_000_000
    assert err.count("finished") == 8  # a plain line per trial when piped


def test_status_best_and_export_agree(cli, file):
    cli("run", file())
    _, out, _ = cli("status", "runs/mine", "--json")
    state = json.loads(out)
    assert state["trials"] == {"finished": 8}
    assert state["running"] is False
    _, out, _ = cli("best", "runs/mine", "--json", "--top", 3)
    top = json.loads(out)
    assert len(top) == 3
    assert top[0] == state["best"][0]
    _, out, _ = cli("export", "runs/mine", "--format", "json")
    assert min(t["objectives"]["loss"] for t in json.loads(out)) == top[0]["objectives"]["loss"]
    cli("export", "runs/mine", "-o", "t.csv")
    cli("export", "runs/mine", "--format", "parquet", "-o", "t.parquet")
    table = pd.read_csv("t.csv")
    assert list(table["loss"]) == list(pd.read_parquet("t.parquet")["loss"])
    assert table["loss"].min() == top[0]["objectives"]["loss"]


def test_resume_adds_trials_and_json_says_how_it_ended(cli, file):
    cli("run", file())
    status, out, _ = cli("resume", "runs/mine", "--add-trials", 3, "--json")
    assert status == 0
    assert json.loads(out)["ended"] == "budget"
    assert len(Study("runs/mine").rows()) == 11


def test_resume_adds_time_to_a_budget_of_trials_that_is_spent_and_says_what_it_is_now(cli, file):
    cli("run", file())
    status, _, err = cli("resume", "runs/mine", "--add-time", "0.2s")
    assert status == 0
    assert re.search(r"^budget: [\d.]+ s$", err, re.M)
    assert "the time budget is spent" in err
    assert len(Study("runs/mine").rows()) > 8


def test_a_resume_with_nothing_to_do_says_so_and_changes_nothing(cli, file):
    cli("run", file())
    status, _, err = cli("resume", "runs/mine")
    assert status == 0
    assert "the budget is spent" in err
    assert len(Study("runs/mine").rows()) == 8


def test_a_study_folder_opens_in_stock_optuna(cli, file):
    cli(
        "run",
        file(
            study={"objectives": {"loss": "minimize", "size": "maximize"}},
            function="quadratic",
            params={"x": {"float": [0.0, 1.0]}, "n": {"int": [1, 5]}},
        ),
    )
    study = optuna.load_study(
        study_name="mine", storage=stock_storage(StudyFolder(Study("runs/mine").path))
    )
    assert study.metric_names == ["loss", "size"]
    assert {t.number for t in study.best_trials} == {r.number for r in Study("runs/mine").front()}


def test_a_study_opens_in_optuna_dashboard(cli, file):
    from optuna_dashboard import wsgi

    cli("run", file())
    application = wsgi(stock_storage(StudyFolder(Study("runs/mine").path)))
    seen = {}
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/studies/0",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "1",
        "wsgi.url_scheme": "http",
        "CONTENT_LENGTH": "0",
    }
    body = b"".join(application(environ, lambda status, *rest: seen.update(status=status)))
    assert seen["status"].startswith("200")
    assert len(json.loads(body)["trials"]) == 8


def test_recipes_can_be_listed_shown_and_copied(cli, tmp_path):
    _, out, _ = cli("recipes", "list", "--json")
    assert set(json.loads(out)) == set(recipes()) >= {"quickstart", "snntorch-tutorial"}
    _, shown, _ = cli("recipes", "show", "quickstart")
    assert cli("recipes", "copy", "quickstart")[0] == 0
    assert (tmp_path / "quickstart.yaml").read_text() == shown
    assert cli("recipes", "copy", "quickstart")[0] == 2


def test_data_sets_can_be_listed_and_prepared(cli):
    _, out, _ = cli("datasets", "list", "--json")
    assert set(json.loads(out)) >= {"digits", "mnist", "yin-yang"}
    status, _, err = cli("datasets", "prepare", "digits")
    assert status == 0
    assert "10 classes" in err


def test_doctor_starts_a_trial(cli):
    status, out, _ = cli("doctor", "--json")
    assert status == 0
    assert json.loads(out)["empty trial"].startswith("Result")


TRAINING = {
    "trial": {
        "dataset": {"name": "digits", "steps": 4},
        "network": {"layers": [{"name": "hidden", "dense": 16}, {"dense": "classes"}]},
        "training": {"epochs": 2, "optimizer": {"learning_rate": 0.01}},
    }
}


def test_train_leaves_a_run_that_retrain_takes_to_the_test_split(cli, tmp_path):
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(TRAINING))
    status, out, _ = cli("train", "one.yaml", "--json")
    assert status == 0
    trained = json.loads(out)
    assert trained["metrics"]["validation_accuracy"] > 0.2
    assert "test_accuracy" not in trained["metrics"]
    assert cli("train", "one.yaml")[0] == 2
    status, out, _ = cli("retrain", "runs/one", "--seeds", 2, "--json")
    assert status == 0
    (found,) = json.loads(out)
    assert len(found["metrics"]["test_accuracy"]) == 2
    openings = (tmp_path / "runs/one/retrain/test-openings.jsonl").read_text().splitlines()
    assert len(openings) == 1


def test_a_network_search_ends_in_a_front_and_its_winner_is_retrained(cli, tmp_path):
    content = {
        "study": {
            "name": "tiny",
            "objectives": {"validation_accuracy": "maximize", "spikes_per_sample": "minimize"},
            "budget": {"trials": 4},
            "executor": {"workers": 2},
            "keep": {"checkpoints": "front"},
        },
        "trial": {
            **TRAINING["trial"],
            "dataset": {"name": "digits", "steps": {"int": [2, 6]}},
        },
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    status, out, _ = cli("run", "tiny.yaml", "--json")
    assert status == 0
    front = json.loads(out)["best"]
    kept = {int(path.name) for path in (tmp_path / "runs/tiny/trials").iterdir()}
    assert kept == {trial["number"] for trial in front}
    status, out, _ = cli("retrain", "runs/tiny", "--trial", "knee", "--seeds", 2, "--json")
    assert status == 0
    before = json.loads(out)
    status, out, _ = cli("retrain", "runs/tiny", "--trial", "knee", "--seeds", 2, "--json")
    assert json.loads(out) == before  # what was finished is not repeated
    study = Study(tmp_path / "runs/tiny")
    assert len(study.storage.test_openings()) == 2
    assert study.storage.retrained()[0]["metrics"] == before[0]["metrics"]


def test_of_a_front_that_is_retrained_what_fails_withholds_no_other(cli, file, tmp_path):
    let = tmp_path / "let"
    params = {"x": {"grid": [0.25, 0.75]}, "let": str(let)}
    search = {"sampler": {"name": "grid"}, "objectives": {"loss": "minimize", "size": "minimize"}}
    cli("run", file("raises_above_half_when_let", params=params, study=search))
    let.touch()
    status, out, err = cli("retrain", "runs/mine", "--trial", "front", "--seeds", 2)
    assert status == 1
    assert "every seed failed; the first with crash: ValueError: too large" in err
    lines = [line.split() for line in out.splitlines()[1:]]
    assert [line[1:3] for line in lines if len(line) > 5] == [
        ["loss", "0.2500"],
        ["size", "-0.2500"],
    ]
    assert [line[1:] for line in lines if len(line) < 5] == [["0", "of", "2"]]
    records = Study(tmp_path / "runs/mine").storage.retrained()
    assert [len(record["seeds"]) for record in records] == [2, 0]
    let.unlink()
    status, out, _ = cli("retrain", "runs/mine", "--trial", "front", "--seeds", 2, "--json")
    assert (status, len(json.loads(out))) == (0, 2)


def test_train_calls_a_function_without_ranges_as_well(cli, file, tmp_path):
    content = {"trial": {"function": "targets:number", "params": {"x": 0.5}}}
    file()
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(content))
    status, out, _ = cli("train", "one.yaml", "--json")
    assert status == 0
    assert json.loads(out)["metrics"] == {"value": 0.5}


def test_an_interrupted_training_goes_on_from_its_checkpoint(cli, tmp_path):
    long = {**TRAINING["trial"], "training": {"epochs": 400, "batch_size": 16}}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump({"trial": long}))
    asker = subprocess.Popen(
        [sys.executable, "-m", "spiketune.cli.main", "train", "one.yaml"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(3):
        asker.stderr.readline()
    asker.send_signal(signal.SIGINT)
    _, err = asker.communicate(timeout=60)
    assert asker.returncode == 1
    assert "go on with the same command" in err
    reached = len((tmp_path / "runs/one/metrics.jsonl").read_text().splitlines())
    assert 3 <= reached < 400
    status, _, err = cli("train", "one.yaml", "--set", f"trial.training.epochs={reached + 2}")
    assert status == 0
    assert err.count("epoch ") == 2  # those that were done are not repeated


def test_the_package_runs_as_a_module():
    told = subprocess.run(
        [sys.executable, "-m", "spiketune", "--version"], capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith("spiketune ")
