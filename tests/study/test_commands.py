"""Studies of programs: order, table, rungs, resume, retraining."""

import csv
import sys
from pathlib import Path

import pytest

from spiketune.api import Study, create
from spiketune.config.loading import configure
from spiketune.errors import InputError
from spiketune.study.records.results import ranked

SCRIPT = """
import argparse, os, pathlib, time
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float)
p.add_argument("--opt", default="none")
p.add_argument("--momentum", type=float, default=-1.0)
p.add_argument("--bn", action="store_true")
p.add_argument("--epochs", type=int, default=0)
p.add_argument("--seed", type=int, default=0)
p.add_argument("--out_dir")
a = p.parse_args()
for epoch in range(1, a.epochs + 1):
    print(f"epoch {epoch} acc {a.lr * epoch}", flush=True)
    time.sleep(0.1 if a.lr < 0.5 else 0)
acc = a.lr + 0.1 * a.bn + (a.seed % 997) * 1e-6
lines = f"acc {acc!r}\\nmomentum {a.momentum}\\nfinished 1\\n"
pathlib.Path(a.out_dir, "overview.txt").write_text(lines)
"""
COMMAND = [sys.executable, "-S", "train.py", "--seed", "{seed}", "--out_dir", "{out_dir}"]


def study_of(tmp_path, params, result=None, trial=None, **study):
    (tmp_path / "train.py").write_text(SCRIPT)
    content = {
        "study": {
            "objectives": {"acc": "maximize"},
            "sampler": {"name": "grid"},
            "executor": {"name": "inline"},
            **study,
        },
        "trial": {
            "command": COMMAND,
            "params": params,
            "result": {"file": "overview.txt", **(result or {})},
            **(trial or {}),
        },
    }
    return create(configure(content, str(tmp_path)), tmp_path / "study")


def quiet(study, **options):
    return study.run(listen=lambda progress: None, **options)


GRID = {
    "lr": {"grid": [0.1, 1e-5]},
    "bn": {"grid": [True, False]},
    "opt": {"choose": {"sgd": {"momentum": {"grid": [0.5, 0.9]}}, "adam": {}}},
}


def table_of(study):
    with (study.path / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_grid_runs_in_the_order_of_its_file_and_conditions_hold(tmp_path):
    study = quiet(study_of(tmp_path, GRID))
    rows = study.rows()
    assert study.session.reason == "exhausted"
    assert len(rows) == 12
    assert [(r.params["lr"], r.params["bn"], r.params["opt"]) for r in rows[:4]] == [
        (0.1, True, "sgd"),
        (0.1, True, "sgd"),
        (0.1, True, "adam"),
        (0.1, False, "sgd"),
    ]
    told = {(r.params["opt"], r.metrics["momentum"]) for r in rows}
    assert told == {("sgd", 0.5), ("sgd", 0.9), ("adam", -1.0)}
    assert ranked(rows, study.directions)[0].params["bn"] is True


def test_the_table_holds_every_trial_with_its_command_and_folder(tmp_path):
    study = study_of(tmp_path, {"lr": {"grid": [0.1, 0.2]}}, budget={"trials": 1})
    quiet(study)
    assert len(table_of(study)) == 1
    quiet(study, trials=1)
    lines = table_of(study)
    assert [line["lr"] for line in lines] == ["0.1", "0.2"]
    for line, row in zip(lines, study.rows(), strict=True):
        assert float(line["acc"]) == row.objectives["acc"]
        assert line["state"] == "finished"
        assert (Path(line["output_dir"]) / "overview.txt").exists()
        assert f"--lr {line['lr']}" in line["command"]


def test_a_study_of_a_broken_program_goes_on_once_it_is_mended(tmp_path):
    study = study_of(
        tmp_path, {"lr": {"float": [0.0, 1.0]}}, sampler={"name": "random"}, retries={"crash": 0}
    )
    (tmp_path / "train.py").write_text("raise SystemExit('not yet written')")
    quiet(study)
    assert study.session.reason == "failing"
    assert "not yet written" in study.session.first_failure
    failed = len(study.rows())
    assert all("not yet written" in line["failure"] for line in table_of(study))
    (tmp_path / "train.py").write_text(SCRIPT)
    again = quiet(Study(study.path), trials=2)
    assert [r.state for r in again.rows()] == ["failed"] * failed + ["finished"] * 2


def test_a_rung_ends_a_program_by_what_it_prints(tmp_path):
    study = study_of(
        tmp_path,
        {"lr": {"grid": [0.9, 0.8, 0.1]}, "epochs": 6},
        {"reports": r"^epoch (?P<fidelity>\d+) acc (?P<acc>\S+)"},
        fidelity={
            "name": "asha",
            "min": 1,
            "reduction": 2,
            "grace": 1,
            "resource": "params.epochs",
        },
    )
    quiet(study)
    rows = study.rows()
    assert rows[0].state == "finished"
    assert rows[2].state == "stopped"
    assert rows[2].fidelity < 6


def test_training_again_over_seeds_tells_mean_deviation_and_error(tmp_path):
    study = quiet(study_of(tmp_path, GRID))
    (found,) = study.retrain("best", seeds=4)
    values = found.metrics["acc"]
    assert len(set(values)) == 4
    assert found.sem("acc") == pytest.approx(found.std("acc") / 2)
    assert set(found.metrics["momentum"]) == {study.best().metrics["momentum"]}  # as chosen
    outputs = list((study.path / "retrain").glob("*/seed-*/output/overview.txt"))
    assert len(outputs) == 4


def test_seeds_that_reach_no_program_are_warned_of(tmp_path):
    command = [word for word in COMMAND if word not in ("--seed", "{seed}")]
    study = quiet(study_of(tmp_path, {"lr": {"grid": [0.1]}}, trial={"command": command}))
    with pytest.warns(UserWarning, match=r"has no \{seed\}"):
        (found,) = study.retrain("best", seeds=2)
    assert found.std("acc") == 0.0


def test_a_program_that_is_not_there_is_known_before_the_study_begins(tmp_path):
    with pytest.raises(InputError, match=r"trial\.command: no script 'other\.py'"):
        study_of(tmp_path, {"lr": {"grid": [1]}}, trial={"command": "{python} other.py"})
    assert not (tmp_path / "study").exists()
