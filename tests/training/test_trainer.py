"""Training: it learns, it ends when it should, and an interruption changes nothing."""

import logging
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spiketune.config.training import TrainingTrial
from spiketune.errors import TrialError
from spiketune.snn.networks import Activity
from spiketune.training.epochs import Outcome
from spiketune.training.losses import LossFunction
from spiketune.training.trainer import Trainer

from .sections import splits, trial

CHANCY: dict[str, Any] = {
    "dataset": {"encoding": "rate"},
    "dropout": 0.2,
    "neuron": {"learn_beta": True, "beta": "uniform"},
    "training": {"scheduler": {"name": "exponential", "gamma": 0.7}},
}


def run(config: TrainingTrial, seed: int = 1, **options: Any) -> tuple[Outcome, Trainer]:
    trainer = Trainer(config, splits(), seed=seed, study_seed=0, **options)
    trainer.resume()
    return trainer.run(), trainer


def after(polls: int) -> Callable[[], bool]:
    """False for so many calls, then true."""
    calls = iter(range(polls))
    return lambda: next(calls, None) is None


def without_times(outcome: Outcome) -> dict[str, float]:
    return {name: value for name, value in outcome.metrics.items() if name != "cost_s"}


def same_weights(a: Trainer, b: Trainer) -> bool:
    pairs = zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("encoding", ["constant", "rate", "latency"])
def test_a_network_learns_to_tell_two_classes(encoding: str) -> None:
    outcome, _ = run(trial(dataset={"encoding": encoding}, training={"epochs": 10}))
    history = outcome.progress.history
    assert outcome.ended == "finished"
    assert outcome.metrics["validation_accuracy"] > 0.8
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_the_outcome_holds_every_metric_by_its_name() -> None:
    outcome, _ = run(trial(training={"epochs": 1}))
    assert set(outcome.metrics) == {
        "validation_accuracy",
        "validation_loss",
        "train_accuracy",
        "train_loss",
        "spikes_per_sample",
        "silent_share",
        "effective_acs_per_sample",
        "effective_macs_per_sample",
        "activation_sparsity",
        "n_parameters",
        "cost_s",
    }
    assert outcome.metrics["n_parameters"] == 4 * 24 + 24 + 24 * 2 + 2
    assert set(outcome.progress.firing_rates) == {"hidden", "out"}


def test_each_epoch_is_told() -> None:
    told: list[int] = []
    run(trial(), on_epoch=lambda epoch, metrics: told.append(epoch))
    assert told == [1, 2, 3, 4]


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    (first, a), (again, b), (_, c) = (run(trial(**CHANCY), seed=seed) for seed in (1, 1, 2))
    assert without_times(first) == without_times(again)
    assert same_weights(a, b)
    assert not same_weights(a, c)


def test_each_epoch_has_an_order_and_dropout_masks_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = Trainer(trial(dropout=0.2), splits(), seed=1, study_seed=0)
    orders, masks = [], []
    take, forward = trainer._train.batch, trainer.network.forward

    def batch(which: Tensor, generator: torch.Generator) -> Any:
        orders.append(which.tolist())
        return take(which, generator)

    def seen(inputs: Tensor, steps: int, dropout: torch.Generator | None = None) -> Any:
        if dropout is not None:
            masks.append(dropout.initial_seed())
        return forward(inputs, steps, dropout)

    monkeypatch.setattr(trainer._train, "batch", batch)
    monkeypatch.setattr(trainer.network, "forward", seen)
    trainer.run()
    epochs = [list(chain(*orders[first : first + 5])) for first in range(0, 20, 5)]
    assert [sorted(order) for order in epochs] == [list(range(150))] * 4
    assert len({tuple(order) for order in epochs}) == 4
    assert len(set(masks)) == 4


def test_the_schedule_sets_the_learning_rate_of_each_epoch() -> None:
    vanishing = {"name": "exponential", "gamma": 1e-30}
    rule = {"name": "sgd", "learning_rate": 0.1}
    config = trial(training={"optimizer": rule, "scheduler": vanishing, "epochs": 3})
    _, first = run(trial(training={"optimizer": rule, "epochs": 1}))
    _, third = run(config)
    assert same_weights(first, third)


def test_the_global_generator_has_no_part_in_it() -> None:
    state = torch.random.get_rng_state()
    run(trial(**CHANCY))
    assert torch.equal(state, torch.random.get_rng_state())


# Five batches an epoch, four epochs: before the first, within the first, at the end of the
# first, within the third, before the last batch.
@pytest.mark.parametrize("batches", [0, 3, 5, 12, 19])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path, batches: int) -> None:
    config, path = trial(**CHANCY), tmp_path / "checkpoint.safetensors"
    expected, whole = run(config)
    cut, _ = run(config, checkpoint=path, should_stop=after(batches))
    assert cut.ended == "interrupted"
    assert cut.progress.epochs_done == batches // 5
    told: list[int] = []
    found, resumed = run(config, checkpoint=path, on_epoch=lambda epoch, _: told.append(epoch))
    assert told == list(range(batches // 5 + 1, 5))
    assert without_times(found) == without_times(expected)
    assert found.progress.history == expected.progress.history
    assert same_weights(resumed, whole)


def test_sgd_with_momentum_resumes_exactly_too(tmp_path: Path) -> None:
    rule = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True}
    config, path = trial(training={"optimizer": rule}), tmp_path / "c.safetensors"
    expected, whole = run(config)
    run(config, checkpoint=path, should_stop=after(12))
    found, resumed = run(config, checkpoint=path)
    assert without_times(found) == without_times(expected)
    assert same_weights(resumed, whole)


def test_the_cost_includes_earlier_attempts_and_what_they_lost(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    cut, _ = run(trial(), checkpoint=path, should_stop=after(12))
    assert cut.progress.lost_s > 0
    found, _ = run(trial(), checkpoint=path)
    assert found.progress.lost_s == cut.progress.lost_s
    assert found.metrics["cost_s"] > cut.progress.cost_s


def test_a_finished_training_is_not_trained_again_but_goes_on_to_more_epochs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.safetensors"
    run(trial(), checkpoint=path)
    told: list[int] = []
    run(trial(), checkpoint=path, on_epoch=lambda epoch, _: told.append(epoch))
    assert told == []
    config = trial(training={"epochs": 6})
    longer, _ = run(config, checkpoint=path, on_epoch=lambda epoch, _: told.append(epoch))
    assert told == [5, 6]
    assert without_times(longer) == without_times(run(config)[0])


@pytest.mark.parametrize("content", ["torn", "another training"])
def test_a_checkpoint_of_no_use_means_a_fresh_start_with_a_warning(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c.safetensors"
    run(trial(neuron={"beta": 0.5}), checkpoint=path)
    if content == "torn":
        path.write_bytes(path.read_bytes()[:-10])
    with caplog.at_level(logging.WARNING):
        found, _ = run(trial(), checkpoint=path)
    assert "starting from the beginning" in caplog.text
    assert "c.safetensors" in caplog.text
    assert without_times(found) == without_times(run(trial())[0])


def test_a_silent_network_is_stopped_in_its_first_batches_and_still_validated() -> None:
    config = trial(neuron={"threshold": 50.0}, silence={"min_spikes": 2, "share": 0.1})
    outcome, _ = run(config)
    assert outcome.ended == "silent"
    assert outcome.progress.epochs_done == 1
    assert outcome.progress.silence == pytest.approx(1.0 - 0.1)
    assert outcome.metrics["silent_share"] == 1.0
    assert outcome.metrics["spikes_per_sample"] == 0.0


def test_a_speaking_network_meets_the_silence_constraint_in_its_last_epoch() -> None:
    config = trial(silence={"min_spikes": 1, "share": 1.0})
    outcome, _ = run(config)
    assert outcome.ended == "finished"
    assert outcome.progress.silence is not None
    assert -1.0 <= outcome.progress.silence <= 0.0


def test_without_the_rule_a_silent_network_trains_on() -> None:
    outcome, _ = run(trial(neuron={"threshold": 50.0}))
    assert outcome.ended == "finished"
    assert outcome.progress.silence is None


def test_patience_ends_a_training_that_stands_still() -> None:
    config = trial(
        neuron={"threshold": 50.0}, training={"patience": {"batches": 3, "improvement": 0.5}}
    )
    outcome, _ = run(config)
    assert outcome.ended == "finished"
    assert outcome.progress.stopped_by == "patience"
    assert outcome.progress.epochs_done == 2


def test_a_speaking_network_whose_patience_ended_meets_the_silence_constraint() -> None:
    patience = {"batches": 3, "improvement": 1.0}
    config = trial(
        neuron={"threshold": 0.1},
        silence={"min_spikes": 1, "share": 0.3},
        training={"patience": patience},
    )
    outcome, _ = run(config)
    assert outcome.progress.stopped_by == "patience"
    assert outcome.progress.silence is not None
    assert outcome.progress.silence <= 0.0


def test_a_loss_that_is_no_number_fails_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(activity: Activity, labels: Tensor) -> Tensor:
        return activity.output.sum() * float("nan")

    loss = LossFunction(broken, lambda activity: activity.output.sum(dim=0))
    monkeypatch.setattr("spiketune.training.trainer.build_loss", lambda config: loss)
    with pytest.raises(TrialError, match="the loss became nan in epoch 1") as caught:
        run(trial(dropout=0.1))
    assert caught.value.kind == "nan"


@pytest.mark.parametrize("silence", [None, {"min_spikes": 1, "share": 0.0}])
def test_weights_that_are_no_numbers_fail_the_trial_though_its_loss_is_finite(
    silence: dict[str, Any] | None,
) -> None:
    trainer = Trainer(trial(silence=silence), splits(), seed=1, study_seed=0)
    with torch.no_grad():
        trainer.network.layers[0].weight.fill_(float("nan"))
    with pytest.raises(TrialError, match="weights became infinite or no numbers") as caught:
        trainer.run()
    assert caught.value.kind == "nan"
