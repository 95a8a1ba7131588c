"""Learning by spike timing on the command line, on scikit-learn's digits."""

import json

import yaml

from spiketune.training.saved import load_network

SECTION = {
    "dataset": {"name": "digits", "encoding": "poisson", "max_rate_hz": 200, "steps": 80},
    "silence": {"min_spikes": 1, "share": 0.9},
    "network": {"kind": "stdp", "neurons": 20, "norm": 25, "readout": "vote"},
    "training": {"epochs": 1},
}


def test_train_and_retrain_take_a_network_without_gradients(cli, tmp_path):
    (tmp_path / "one.yaml").write_text(yaml.safe_dump({"trial": SECTION}))
    status, out, _ = cli("train", "one.yaml", "--json")
    assert status == 0
    trained = json.loads(out)["metrics"]
    assert trained["validation_accuracy"] > 0.5
    status, out, _ = cli("retrain", "runs/one", "--seeds", 2, "--json")
    assert status == 0
    (found,) = json.loads(out)
    assert min(found["metrics"]["test_accuracy"]) > 0.5
    files = sorted((tmp_path / "runs/one/retrain").rglob("network.safetensors"))
    assert len(files) == 2
    network, config = load_network(files[0])
    assert network.names == ("excitatory", "inhibitory")
    assert config.network.kind == "stdp"


def test_the_recipe_searches_and_resumes_on_other_data(cli, tmp_path):
    small = [
        "study.budget.trials=2",
        "study.executor={name: inline}",
        "trial.dataset={name: digits, encoding: poisson, steps: 40, train_share: 0.2}",
        "trial.network.neurons={int: [5, 20], name: map_size}",
    ]
    status, out, _ = cli("run", "mnist-stdp-18", "--json", *(f"--set={leaf}" for leaf in small))
    assert status == 0
    status, out, _ = cli("resume", "runs/mnist-stdp-18", "--add-trials", 1, "--json")
    assert status == 0
    _, out, _ = cli("export", "runs/mnist-stdp-18", "--format", "json")
    trials = json.loads(out)
    assert len(trials) == 3
    assert all(trial["state"] in {"finished", "silent"} for trial in trials), trials
    assert all("silence" in json.dumps(trial) for trial in trials)


def test_currents_as_input_are_refused_before_any_trial(cli, tmp_path):
    wrong = {**SECTION, "dataset": {"name": "digits"}}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({"trial": wrong}))
    status, _, err = cli("train", "wrong.yaml")
    assert status == 2
    assert "trial.dataset.encoding: `kind: stdp` needs spikes" in err
    assert not (tmp_path / "runs/wrong/result.json").exists()


def test_a_run_is_gone_on_with_measured_and_drawn_like_any_other(cli, tmp_path):
    small = {
        **SECTION,
        "dataset": {**SECTION["dataset"], "train_share": 0.1, "steps": 40},
        "training": {"epochs": 2},
    }
    (tmp_path / "one.yaml").write_text(yaml.safe_dump({"trial": small}))
    status, out, _ = cli("train", "one.yaml", "--snapshots", "0,1", "--json")
    assert status == 0
    whole = json.loads(out)["metrics"]
    status, out, err = cli("continue", "runs/one", "--from", 1, "--epochs", 2, "--json")
    assert status == 0, err
    again = json.loads(out)["metrics"]
    assert again["validation_accuracy"] == whole["validation_accuracy"]
    assert again["spikes_per_sample"] == whole["spikes_per_sample"]
    status, _, err = cli("inference", "runs/one", "--epoch", 1, "--repeat", 2)
    assert status == 0, err
    status, _, err = cli("evaluate", "runs/one")
    assert status == 0, err
    assert (tmp_path / "runs/one/evaluation-validation.html").exists()
