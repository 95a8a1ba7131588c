"""Rungs of real trainings in real children: what is stopped or paused is a part of the whole."""

import pytest

from spiketune.executors.registry import make_executor
from spiketune.study.records.folder import load
from tests.study.support import loop_of, make

N_TRIALS, EPOCHS = 5, 3


def trained(path, fidelity):
    study = {
        "objectives": {"validation_accuracy": "maximize", "spikes_per_sample": "minimize"},
        "constraints": ["n_parameters <= 2000"],
        "sampler": {"name": "random"},
        "budget": {"trials": N_TRIALS},
        "executor": {"name": "local", "workers": 1},
        **({"fidelity": fidelity} if fidelity else {}),
    }
    trial = {
        "device": "cpu",
        "dataset": {"name": "digits", "steps": 6, "train_share": 0.2},
        "network": {
            "neuron": {"beta": {"float": [0.5, 0.99]}},
            "layers": [
                {"name": "hidden", "dense": {"int": [8, 40], "name": "neurons"}},
                {"name": "out", "dense": "classes"},
            ],
        },
        "training": {
            "epochs": EPOCHS,
            "optimizer": {"learning_rate": {"float": [1e-4, 1e-1], "scale": "log"}},
        },
    }
    folder = make(path, {"study": study, "trial": trial})
    configuration = load(folder.path)[1]
    executor = make_executor(configuration.study.executor, configuration.trial, "")
    loop, storage = loop_of(path, executor)
    assert loop.run() == "budget"
    found = storage.trials()
    storage.close()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole") / "s", None)


@pytest.mark.parametrize("kind", ["stopping", "promotion"])
def test_what_a_rung_ends_or_continues_is_the_training_it_would_have_been(tmp_path, whole, kind):
    trials = trained(tmp_path / "s", {"name": "asha", "kind": kind, "reduction": 2})
    assert [t.params for t in trials] == [t.params for t in whole]
    ends = [t.user_attrs["ended"] for t in trials]
    assert {"stopped", "finished"} == set(ends)
    for trial, full in zip(trials, whole, strict=True):
        reports, expected = trial.user_attrs["reports"], full.user_attrs["reports"]
        n = len(reports["fidelity"])
        assert reports["fidelity"] == [float(e) for e in range(1, n + 1)]
        for name in ("validation_accuracy", "spikes_per_sample", "train_loss", "n_parameters"):
            assert reports[name] == expected[name][:n]
        assert trial.values == [
            reports["validation_accuracy"][-1],
            reports["spikes_per_sample"][-1],
        ]
        assert (n == EPOCHS) == (trial.user_attrs["ended"] == "finished")
        assert trial.constraints == full.constraints
    if kind == "promotion":
        outcomes = [[a["outcome"] for a in t.user_attrs["attempts"]] for t in trials]
        assert any(o[0] == "paused" and len(o) > 1 for o in outcomes)
