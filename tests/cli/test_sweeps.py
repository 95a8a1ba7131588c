"""Sweeps: grid studies that are killed, resumed, summed up over seeds and drawn."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from spiketune.api import Study
from spiketune.config.loading import load

from .test_evaluate import figures

pytestmark = pytest.mark.timeout(180)

DELAY = {"choose": {"none": None, "axonal": {"kind": "axonal"}}, "name": "delay"}


def write(epochs=2, seeds=(0, 1), sizes=(4, 2), **study):
    document = {
        "study": {
            "name": "sweep",
            "objectives": {"validation_accuracy": "maximize"},
            "sampler": {"name": "grid"},
            "executor": {"name": "local", "workers": 2},
            **study,
        },
        "trial": {
            "device": "cpu",
            "seed": {"grid": list(seeds)},
            "dataset": {"name": "yin-yang", "train_share": 0.02},
            "network": {
                "kind": "first_spike",
                "loss": {"name": "shift_invariant_mse"},
                "layers": [
                    {
                        "name": "hidden",
                        "neurons": {"grid": list(sizes), "name": "neurons"},
                        "delay": DELAY,
                    },
                    {"name": "out", "neurons": "classes", "weights_mean": 0.5, "delay": DELAY},
                ],
            },
            "training": {"epochs": epochs, "batch_size": 50, "optimizer": {"learning_rate": 0.01}},
        },
    }
    Path("sweep.yaml").write_text(yaml.safe_dump(document))
    return "sweep.yaml"


def test_a_sweep_is_run_to_its_end_summed_up_and_drawn(cli):
    status, _, err = cli("run", write(keep={"checkpoints": "all"}))
    assert status == 0, err
    rows = Study("runs/sweep").rows()
    assert len(rows) == 8  # 2 seeds, 2 sizes, and one kind of delay for both layers
    _, out, err = cli("sweep-table", "runs/sweep", "--output-times", "--metadata", "--json")
    lines = json.loads(out)
    assert [line["n"] for line in lines] == [2] * 4
    assert "missing" not in err
    by_hand = [
        1.0 - row.metrics["validation_accuracy"]
        for row in rows
        if (row.params["neurons"], row.params["delay"]) == (4, "axonal")
    ]
    line = next(one for one in lines if (one["neurons"], one["delay"]) == (4, "axonal"))
    assert line["validation_error_mean"] == pytest.approx(sum(by_hand) / 2)
    assert line["validation_error_median"] == pytest.approx(sum(by_hand) / 2)
    assert line["n_parameters_mean"] == 4 * 4 + 4 * 3 + 4 + 4  # weights, one delay per input
    assert 0.0 < line["output_time_1_mean"] <= line["output_time_2_mean"]
    assert len(line["trials"]) == 2
    means = [line["validation_error_mean"] for line in lines]
    assert means == sorted(means)
    _, out, _ = cli("sweep-table", "runs/sweep")
    assert "validation_error" in out
    cli("sweep-table", "runs/sweep", "--by-epoch", "-o", "epochs.csv")
    with Path("epochs.csv").open() as file:
        told = list(csv.DictReader(file))
    assert len(told) == 4 * 2
    last = next(t for t in told if (t["neurons"], t["delay"], t["epoch"]) == ("4", "axonal", "2.0"))
    assert float(last["validation_error_mean"]) == pytest.approx(line["validation_error_mean"])
    assert cli("sweep-plot", "runs/sweep")[0] == 0
    drawn = figures(Path("runs/sweep/sweep.html"))
    assert drawn.keys() == {"parameter", "size", "epochs"}
    names = {t["name"] for t in drawn["parameter"]["data"] if t.get("showlegend", True)}
    assert names == {"none", "axonal"}
    _, out, _ = cli("status", "runs/sweep")
    assert "combinations: 8 of 8 finished" in out


def test_a_killed_sweep_resumed_finishes_without_repeating_a_finished_run(cli):
    file = write(epochs=200, sizes=(2,), keep={"logs": "all"})
    command = [sys.executable, "-m", "spiketune.cli.main", "run", file]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        deadline_s = time.monotonic() + 100
        while time.monotonic() < deadline_s:
            there = Path("runs/sweep/study.yaml").exists()
            if there and any(row.full for row in Study("runs/sweep").rows()):
                break
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
    before = {row.number: row for row in Study("runs/sweep").rows() if row.full}
    assert 0 < len(before) < 4
    _, out, err = cli("sweep-table", "runs/sweep", "--json")
    assert sum(len(line["missing"]) for line in json.loads(out)) == 4 - len(before)
    assert "missing: " in err
    assert "spiketune resume runs/sweep" in err
    status, _, err = cli("resume", "runs/sweep")
    assert status == 0, err
    rows = {row.number: row for row in Study("runs/sweep").rows()}
    assert len(rows) == 4
    assert all(row.full for row in rows.values())
    for number, row in before.items():
        assert rows[number].ended == row.ended
        assert rows[number].attempts == row.attempts
    points = {(row.params["seed"], row.params["delay"]) for row in rows.values()}
    assert points == {(0, "none"), (0, "axonal"), (1, "none"), (1, "axonal")}
    for row in rows.values():  # every epoch is there once, whoever trained it
        assert list(row.reports["fidelity"]) == list(range(1, 201))


def test_a_seed_in_the_grid_is_that_of_a_training_alone(cli):
    write(seeds=(5, 6), sizes=(3,))
    cli("run", "sweep.yaml")
    document = yaml.safe_load(Path("sweep.yaml").read_text())
    del document["study"]
    trial = document["trial"]
    trial["seed"] = 6
    trial["network"]["layers"][0] |= {"neurons": 3, "delay": None}
    trial["network"]["layers"][1] |= {"delay": None}
    Path("alone.yaml").write_text(yaml.safe_dump(document))
    _, out, _ = cli("train", "alone.yaml", "--json")
    alone = json.loads(out)["metrics"]
    row = next(
        row
        for row in Study("runs/sweep").rows()
        if (row.params["seed"], row.params["delay"]) == (6, "none")
    )
    assert row.metrics["validation_loss"] == alone["validation_loss"]


def test_the_shipped_sweep_has_24_runs_and_no_budget():
    configuration = load("yin-yang-sweep")
    from spiketune.study.over_seeds.sweeps import n_combinations

    assert n_combinations(configuration.space) == 24
    assert configuration.study.budget.trials is None
    assert load("quickstart").study.budget.trials is not None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sweep-table", "runs/mine"), "is a range without steps"),
        (("sweep-table", "runs/none"), "no study there"),
    ],
)
def test_what_is_no_sweep_is_refused_in_a_line(cli, file, arguments, told):
    cli("run", file(study={"budget": {"trials": 2}}))
    status, _, err = cli(*arguments)
    assert status == 2
    assert told in err


def test_a_parameter_of_texts_is_no_axis_and_is_told_of_its_use(cli, file):
    params = {
        "x": {"grid": [0.1, 0.2]},
        "kind": {"choice": ["none", "some"]},
        "seed": {"grid": [1]},
    }
    path = file("number", params=params, study={"sampler": {"name": "grid"}})
    assert cli("run", path)[0] == 0
    verb = ("sweep-plot", "runs/mine", "--over", "seed", "--metric", "loss")
    status, _, err = cli(*verb, "--along", "kind")
    assert status == 2
    assert err.startswith("error: --along kind: wants a parameter of numbers, and its values are")
    assert "none, some; `--line kind` draws" in err
    assert cli(*verb, "--along", "x", "--line", "kind")[0] == 0
