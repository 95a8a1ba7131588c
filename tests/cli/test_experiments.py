"""Snapshots, going on from them, and measuring networks again."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from spiketune.runs import RunFolder
from spiketune.training.checkpoint import load

pytestmark = pytest.mark.timeout(120)

FIRST_SPIKE = {
    "kind": "first_spike",
    "loss": {"name": "shift_invariant_mse"},
    "layers": [
        {"name": "hidden", "neurons": 8, "delay": {"kind": "synaptic", "learning_rate": 0.003}},
        {"name": "out", "neurons": "classes", "weights_mean": 0.5, "delay": {"kind": "axonal"}},
    ],
}
LAYERED = {
    "neuron": {"beta": 0.8},
    "layers": [
        {"name": "hidden", "dense": 12, "dropout": 0.1},
        {"name": "out", "dense": "classes"},
    ],
}
NETWORKS = {"first_spike": FIRST_SPIKE, "layered": LAYERED}


def write(kind, name="mine.yaml", **training):
    dataset = {"name": "yin-yang", "train_share": 0.04}
    if kind == "layered":
        dataset |= {"encoding": "rate", "steps": 5}
    trial = {
        "device": "cpu",
        "dataset": dataset,
        "network": NETWORKS[kind],
        "training": {
            "epochs": 4,
            "batch_size": 50,
            "optimizer": {"learning_rate": 0.01},
            "scheduler": {"name": "step", "step_size": 2, "gamma": 0.5},
            **training,
        },
    }
    Path(name).write_text(yaml.safe_dump({"trial": trial}))
    return name


def reports(run):
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]


def same_training(one, other):
    """Whether two checkpoints hold the same numbers, bit for bit, but for seconds."""
    a, b = load(one), load(other)
    assert a.tensors.keys() == b.tensors.keys()
    histories = [found.facts["progress"]["history"] for found in (a, b)]
    return histories[0] == histories[1] and all(
        bool((a.tensors[name] == b.tensors[name]).all()) for name in a.tensors
    )


@pytest.mark.parametrize("kind", NETWORKS)
def test_continuing_from_a_snapshot_equals_never_having_stopped(cli, kind):
    assert cli("train", write(kind), "--seed", 3, "--snapshots", "0,2,4")[0] == 0
    whole = RunFolder(Path("runs/mine"))
    assert list(whole.snapshots) == [0, 2, 4]
    short = write(kind, "short.yaml", epochs=2, snapshots=[1])
    assert cli("train", short, "--seed", 3)[0] == 0
    status, _, err = cli("continue", "runs/short", "--from", 1, "--epochs", 4, "--snapshots", 4)
    assert status == 0, err
    continued = RunFolder(Path("runs/short"))
    assert list(continued.snapshots) == [1, 4]
    assert same_training(continued.checkpoint, whole.checkpoint)
    assert same_training(continued.snapshots[4], whole.snapshots[4])
    assert not same_training(whole.snapshots[2], whole.snapshots[4])
    ends = [{**run.result.metrics, "cost_s": 0.0} for run in (continued, whole)]
    assert ends[0] == ends[1]
    told = [report["fidelity"] for report in reports("runs/short")]
    assert told == [1, 2, 3, 4]


def test_another_seed_is_another_training(cli):
    cli("train", write("first_spike", epochs=1), "--seed", 3)
    cli("train", write("first_spike", "b.yaml", epochs=1), "--seed", 4)
    cli("train", write("first_spike", "c.yaml", epochs=1), "--set", "trial.seed=3")
    checkpoints = [RunFolder(Path("runs", name)).checkpoint for name in ("mine", "b", "c")]
    assert not same_training(checkpoints[0], checkpoints[1])
    assert same_training(checkpoints[0], checkpoints[2])


def test_a_continuation_that_was_killed_goes_on(cli):
    file = write("first_spike", epochs=1, snapshots=[0])
    cli("train", file)
    command = [sys.executable, "-m", "spiketune.cli.main", "continue", "runs/mine"]
    with subprocess.Popen(
        [*command, "--epochs", "100000"], stderr=subprocess.PIPE, text=True
    ) as child:
        while "epoch 5" not in child.stderr.readline():
            pass
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 1
    before = max(report["fidelity"] for report in reports("runs/mine"))
    status, _, err = cli("continue", "runs/mine", "--epochs", int(before) + 1)
    assert status == 0
    assert err.count("epoch ") == 1  # one more, and none again


def test_inference_measures_what_the_training_measured(cli):
    cli("train", write("layered"), "--snapshots", "0,2")
    _, out, _ = cli("inference", "runs/mine", "--repeat", 3, "--json")
    found = json.loads(out)
    accuracies = found["metrics"]["accuracy"]
    trained = RunFolder(Path("runs/mine")).result.metrics
    assert accuracies[0] == pytest.approx(trained["validation_accuracy"])
    assert len(accuracies) == len(found["seconds"]) == 3
    assert len(set(found["metrics"]["loss"])) == 3  # rate encoding draws anew
    _, out, _ = cli("inference", "runs/mine", "--epoch", 2, "--json")
    history = reports("runs/mine")
    told = json.loads(out)["metrics"]
    assert told["loss"][0] == pytest.approx(history[1]["metrics"]["validation_loss"])
    _, out, _ = cli("inference", "runs/mine")
    assert "accuracy" in out


def test_the_test_split_is_shown_only_from_what_retrain_stored(cli):
    cli("train", write("first_spike", epochs=1))
    status, _, err = cli("inference", "runs/mine", "--split", "test")
    assert status == 2
    assert "spiketune retrain runs/mine" in err
    _, out, _ = cli("retrain", "runs/mine", "--seeds", 2, "--json")
    accuracies = json.loads(out)[0]["metrics"]["test_accuracy"]
    _, out, _ = cli("inference", "runs/mine", "--split", "test", "--json")
    assert json.loads(out)["metrics"]["accuracy"] == pytest.approx(accuracies)
    assert len(Path("runs/mine/retrain/test-openings.jsonl").read_text().splitlines()) == 1
    saved = Path("runs/mine/retrain/run/seed-0/network.safetensors")
    assert cli("inference", saved)[0] == 0


def test_the_live_plot_follows_the_training(cli):
    cli("train", write("first_spike"), "--plot")
    page = Path("runs/mine/live.html").read_text()
    trained = RunFolder(Path("runs/mine")).result.metrics
    assert f"validation {trained['validation_accuracy']:.4f}" in page
    assert "refresh" not in page  # it is over
    assert page.count("<polyline") == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("continue", "nowhere"), "no training there"),
        (("continue", "runs/mine"), "has 2 epochs behind it and shall have 2"),
        (("continue", "runs/mine", "--from", 1), "no snapshot of epoch 1; there are: 0, 2"),
        (("continue", "runs/mine", "--snapshots", "two"), "must be epochs such as 0,10,100"),
        (("inference", "runs/mine", "--epoch", 7), "no snapshot of epoch 7"),
        (("inference", "nothing"), "No run folder or trained network named 'nothing'"),
        (("train", "mine.yaml", "--snapshots", "9", "--new"), "`snapshots` holds 9, but"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(cli, arguments, told):
    cli("train", write("first_spike", epochs=2), "--snapshots", "0")
    status, _, err = cli(*arguments)
    assert status == 2
    assert told in err
    assert "Traceback" not in err
