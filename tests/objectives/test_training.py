"""The built-in objective, from a job to its metrics; and training for the test split."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from spiketune.data.splits import TestPermit
from spiketune.errors import ConfigError, TestSplitError
from spiketune.messages import Job, Report
from spiketune.objectives.training import train, train_and_test
from spiketune.objectives.trial import Preempted, Trial

from ..training.sections import section


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKETUNE_CACHE", str(tmp_path / "cache"))


def small(**changes: Any) -> dict[str, Any]:
    training = {"epochs": 2, "batch_size": 500, **changes.pop("training", {})}
    return section(training=training, **changes)


def make_trial(
    folder: Path,
    trial_section: dict[str, Any],
    sent: list[Report],
    stop: Callable[[], bool] = lambda: False,
) -> Trial:
    job = Job(
        study="s",
        number=3,
        attempt=1,
        section=trial_section,
        params={},
        seed=11,
        study_seed=5,
        folder=str(folder),
        checkpoint_folder=str(folder / "checkpoint"),
    )
    return Trial(job, send=sent.append, stop_requested=stop)


def test_a_trial_reports_each_epoch_and_returns_its_metrics(tmp_path: Path) -> None:
    sent: list[Report] = []
    trial = make_trial(tmp_path, small(), sent)
    metrics = train(trial)
    assert [report.fidelity for report in sent] == [1, 2]
    assert set(sent[-1].metrics) == {
        "validation_accuracy",
        "validation_loss",
        "train_accuracy",
        "train_loss",
        "spikes_per_sample",
        "silent_share",
    }
    assert sent[-1].metrics.items() <= metrics.items()
    constraints, ended, fidelity, details = trial.outcome
    assert (constraints, ended, fidelity) == ({}, "finished", 2)
    assert {"load_s", "train_s", "validation_s", "firing_rates"} <= details.keys()
    json.dumps([metrics, details])


def test_a_silent_trial_says_so_and_sets_the_constraint(tmp_path: Path) -> None:
    silent = small(neuron={"threshold": 99.0}, silence={"min_spikes": 1, "share": 0.05})
    trial = make_trial(tmp_path, silent, [])
    train(trial)
    constraints, ended, fidelity, _ = trial.outcome
    assert (ended, fidelity) == ("silent", 1)
    assert constraints == {"silence": pytest.approx(0.95)}


def test_a_speaking_trial_sets_the_constraint_too(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, small(silence={"min_spikes": 1, "share": 1.0}), [])
    train(trial)
    constraints, ended, _, _ = trial.outcome
    assert ended == "finished"
    assert constraints["silence"] <= 0


def test_a_preempted_trial_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    whole: list[Report] = []
    expected = train(make_trial(tmp_path / "whole", small(), whole))
    polls = iter(range(15))  # ten batches an epoch: in the middle of the second
    sent: list[Report] = []
    with pytest.raises(Preempted):
        train(make_trial(tmp_path / "cut", small(), sent, lambda: next(polls, None) is None))
    found = train(make_trial(tmp_path / "cut", small(), sent))
    assert sent == whole
    assert {**found, "cost_s": 0} == {**expected, "cost_s": 0}


def test_a_trial_whose_checkpoint_holds_the_end_reports_the_end_again(tmp_path: Path) -> None:
    first: list[Report] = []
    expected = train(make_trial(tmp_path, small(), first))
    sent: list[Report] = []
    assert train(make_trial(tmp_path, small(), sent)) == expected
    assert sent == first[-1:]


def test_a_wrong_leaf_is_named_by_its_path(tmp_path: Path) -> None:
    wrong = small(training={"batch_size": 0})
    with pytest.raises(ConfigError, match=r"trial\.training\.batch_size: "):
        train(make_trial(tmp_path, wrong, []))


def permit() -> TestPermit:
    return TestPermit.journalled(reason="a test", record=lambda entry: None)


def test_training_for_the_test_split_keeps_weights_and_predictions(tmp_path: Path) -> None:
    metrics, predictions = train_and_test(
        small(), seed=11, study_seed=5, permit=permit(), folder=tmp_path / "seed-0"
    )
    with np.load(tmp_path / "seed-0" / "predictions.npz") as kept:
        assert np.array_equal(kept["predictions"], predictions)
        accuracy = (kept["predictions"] == kept["labels"]).mean()
    assert metrics["test_accuracy"] == pytest.approx(accuracy)
    assert len(predictions) == 1000
    with safe_open(tmp_path / "seed-0" / "network.safetensors", framework="np") as network:
        shapes = {name: network.get_slice(name).get_shape() for name in network.keys()}  # noqa: SIM118
    assert shapes["stack.0.synapses.weight"] == [24, 4]


def test_it_is_the_same_training_as_that_of_the_trial(tmp_path: Path) -> None:
    tuned = train(make_trial(tmp_path, small(), []))
    retrained, _ = train_and_test(
        small(), seed=11, study_seed=5, permit=permit(), folder=tmp_path / "again"
    )
    assert retrained["validation_accuracy"] == tuned["validation_accuracy"]
    assert retrained["validation_loss"] == tuned["validation_loss"]


def test_without_a_permit_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("spiketune.objectives.training.build_trainer")
    with pytest.raises(TestSplitError):
        train_and_test(
            small(),
            seed=1,
            study_seed=0,
            permit=None,  # type: ignore[arg-type]
            folder=tmp_path / "never",
        )
    assert not (tmp_path / "never").exists()
