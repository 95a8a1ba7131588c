"""Training by spike timing: it learns, it ends when it should, it resumes bit for bit."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Labelled, Splits
from spiketune.errors import ConfigError, TrialError
from spiketune.training.batches import on_device
from spiketune.training.epochs import Outcome
from spiketune.training.kinds import build_trainer
from spiketune.training.saved import load_network, save_network
from spiketune.training.stdp import StdpTrainer, batch_size, evaluate
from spiketune.training.trainer import Trainer

from . import sections


def trial(**changes: Any) -> TrainingTrial:
    rule = {"max_weight": 5.0}  # there are few inputs, so weights must be large
    network = {
        "kind": "stdp", "neurons": 12, "norm": 30.0, "label_samples": 60, "plasticity": rule
    }  # fmt: skip
    return TrainingTrial.model_validate(
        {
            "dataset": {"name": "made", "encoding": "rate", "steps": 60},
            "training": {"epochs": 3, **changes.pop("training", {})},
            "network": {**network, **changes.pop("network", {})},
            **changes,
        }
    )


def stripes(n: int, seed: int) -> Labelled:
    """One of three thirds of 30 pixels is bright."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    bright = np.arange(30) // 10 == labels[:, None]
    inputs = np.where(bright, rng.uniform(0.15, 0.45, (n, 30)), 0.0).astype(np.float32)
    return Labelled(inputs, labels)


def splits() -> Splits:
    return Splits(stripes(100, 0), stripes(50, 1), n_classes=3)


def run(config: TrainingTrial, seed: int = 1, **options: Any) -> tuple[Outcome, StdpTrainer]:
    trainer = build_trainer(config, splits(), seed=seed, study_seed=0, **options)
    assert isinstance(trainer, StdpTrainer)
    trainer.resume()
    return trainer.run(), trainer


def without_times(outcome: Outcome) -> dict[str, float]:
    return {name: value for name, value in outcome.metrics.items() if name != "cost_s"}


def same_network(a: StdpTrainer, b: StdpTrainer) -> bool:
    pairs = zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def after(polls: int) -> Callable[[], bool]:
    calls = iter(range(polls))
    return lambda: next(calls, None) is None


def test_the_kind_of_the_network_picks_the_trainer() -> None:
    layered = build_trainer(sections.trial(), sections.splits(), seed=0, study_seed=0)
    assert isinstance(layered, Trainer)
    with pytest.raises(ValueError, match="`kind: layered` is not for this trainer"):
        StdpTrainer(sections.trial(), sections.splits(), seed=0, study_seed=0)


@pytest.mark.parametrize("readout", ["all", "vote", "2gram"])
@pytest.mark.parametrize("together", [1, 8])
def test_a_network_learns_to_tell_stripes_apart(readout: str, together: int) -> None:
    config = trial(network={"readout": readout}, training={"batch_size": together})
    outcome, _ = run(config)
    assert outcome.ended == "finished"
    assert outcome.metrics["validation_accuracy"] > 0.9
    assert outcome.metrics["train_accuracy"] > 0.9
    assert 0 < outcome.metrics["validation_loss"] < np.log(3)


def test_the_outcome_holds_the_metrics_that_every_kind_has() -> None:
    told: list[int] = []
    outcome, trainer = run(trial(), on_epoch=lambda epoch, _: told.append(epoch))
    layered = Trainer(sections.trial(), sections.splits(), seed=0, study_seed=0).run()
    assert outcome.metrics.keys() == layered.metrics.keys()
    assert told == [1, 2, 3]
    assert outcome.metrics["n_parameters"] == 30 * 12 + 12
    assert set(outcome.progress.firing_rates) == {"excitatory", "inhibitory"}
    assert trainer.device.type == "cpu"


def test_spikes_and_accumulates_are_counted_over_both_layers() -> None:
    outcome, trainer = run(trial(training={"epochs": 1}))
    rates, n_slots = outcome.progress.firing_rates, 12 * 60
    excitatory, inhibitory = rates["excitatory"] * n_slots, rates["inhibitory"] * n_slots
    metrics = outcome.metrics
    assert metrics["spikes_per_sample"] == pytest.approx(excitatory + inhibitory)
    assert metrics["activation_sparsity"] == pytest.approx(
        1 - metrics["spikes_per_sample"] / (2 * n_slots)
    )
    samples = on_device(splits().validation, torch.device("cpu"), trial().dataset)
    n_input = sum(
        int(samples.batch(slice(first, first + 32), generator)[0].sum())
        for first, generator in zip((0, 32), _validation_generators(), strict=False)
    )
    assert trainer.network.weights.all()
    acs = n_input / 50 * 12 + excitatory + inhibitory * 11
    assert metrics["effective_acs_per_sample"] == pytest.approx(acs)
    assert metrics["effective_macs_per_sample"] == 0.0


def _validation_generators() -> list[torch.Generator]:
    from spiketune.seeding import child_seed

    seeds = [child_seed(0, "encoding", "validation", block) for block in (0, 1)]
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    (first, a), (again, b), (_, c) = (run(trial(), seed=seed) for seed in (1, 1, 2))
    assert without_times(first) == without_times(again)
    assert same_network(a, b)
    assert not same_network(a, c)


# Six polls an epoch (four blocks of training, two of labelling): before the first, in the first,
# while labelling, at the end of the first epoch, within the third.
@pytest.mark.parametrize("polls", [0, 2, 5, 6, 15])
@pytest.mark.parametrize("readout", ["all", "2gram"])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    tmp_path: Path, polls: int, readout: str
) -> None:
    config, path = trial(network={"readout": readout}), tmp_path / "checkpoint.safetensors"
    expected, whole = run(config)
    cut, _ = run(config, checkpoint=path, should_stop=after(polls))
    assert cut.ended == "interrupted"
    assert cut.progress.epochs_done == polls // 6
    told: list[int] = []
    found, resumed = run(config, checkpoint=path, on_epoch=lambda epoch, _: told.append(epoch))
    assert told == list(range(polls // 6 + 1, 4))
    assert without_times(found) == without_times(expected)
    assert found.progress.history == expected.progress.history
    assert same_network(resumed, whole)
    assert found.metrics["cost_s"] > cut.progress.cost_s


def test_a_finished_training_goes_on_to_more_epochs(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    run(trial(), checkpoint=path)
    longer, _ = run(trial(training={"epochs": 4}), checkpoint=path)
    assert without_times(longer) == without_times(run(trial(training={"epochs": 4}))[0])


def test_a_checkpoint_of_another_size_means_a_fresh_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c.safetensors"
    run(trial(network={"neurons": 5}), checkpoint=path)
    found, _ = run(trial(), checkpoint=path)
    assert "starting from the beginning" in caplog.text
    assert without_times(found) == without_times(run(trial())[0])


def test_a_silent_network_is_stopped_in_its_first_samples_and_still_validated() -> None:
    config = trial(
        network={"excitatory": {"threshold_mv": 500.0}}, silence={"min_spikes": 5, "share": 0.1}
    )
    outcome, _ = run(config)
    assert outcome.ended == "silent"
    assert outcome.progress.epochs_done == 1
    assert outcome.progress.silence == pytest.approx(0.9)
    assert outcome.metrics["silent_share"] == 1.0
    assert outcome.metrics["spikes_per_sample"] == 0.0
    assert outcome.metrics["validation_loss"] == pytest.approx(np.log(3))


def test_a_sample_speaks_when_its_excitatory_layer_spikes_often_enough() -> None:
    outcome, _ = run(trial(silence={"min_spikes": 1, "share": 1.0}))
    assert outcome.ended == "finished"
    assert outcome.progress.silence == pytest.approx(-1.0)
    assert outcome.metrics["silent_share"] == 0.0
    many, _ = run(trial(silence={"min_spikes": 10_000, "share": 1.0}))
    assert many.metrics["silent_share"] == 1.0
    assert many.progress.silence == pytest.approx(0.0)


def test_samples_are_presented_one_by_one_unless_told_otherwise() -> None:
    assert batch_size(trial()) == 1
    assert batch_size(trial(training={"batch_size": 50})) == 50
    (one, a), (eight, b) = (run(trial(training={"batch_size": n, "epochs": 1})) for n in (1, 8))
    assert not same_network(a, b)
    assert without_times(one) == without_times(run(trial(training={"epochs": 1}))[0])
    assert eight.ended == "finished"


def test_neurons_are_labelled_by_the_last_samples_of_an_epoch() -> None:
    config = trial(network={"label_samples": 7}, training={"epochs": 1})
    _, trainer = run(config)
    labels = trainer.network.rates.any(dim=0).nonzero().flatten().tolist()
    assert 0 < len(labels) <= 3
    share = run(config)[0].metrics["train_accuracy"] * 7
    assert share == pytest.approx(round(share))


def test_currents_are_no_input_for_it() -> None:
    with pytest.raises(ConfigError, match=r"dataset\.encoding: `kind: stdp` needs spikes") as error:
        run(trial(dataset={"name": "made", "encoding": "constant"}))
    assert error.value.path == "trial.dataset.encoding"


def test_weights_that_are_no_numbers_fail_the_trial() -> None:
    trainer = build_trainer(trial(), splits(), seed=1, study_seed=0)
    assert isinstance(trainer, StdpTrainer)
    trainer.network.weights.fill_(float("nan"))
    with pytest.raises(TrialError, match="infinite or no numbers in epoch 1") as caught:
        trainer.run()
    assert caught.value.kind == "nan"


@pytest.mark.parametrize("readout", ["vote", "2gram"])
def test_a_network_comes_back_from_its_file_and_measures_the_same(
    tmp_path: Path, readout: str
) -> None:
    config = trial(network={"readout": readout})
    outcome, trainer = run(config)
    save_network(tmp_path / "n.safetensors", trainer.network, config)
    network, found_config = load_network(tmp_path / "n.safetensors")
    assert found_config == config
    data = on_device(splits().validation, torch.device("cpu"), config.dataset)
    found = evaluate(network, data, config, study_seed=0)  # type: ignore[arg-type]
    assert found.metrics["accuracy"] == outcome.metrics["validation_accuracy"]
    assert found.metrics["loss"] == outcome.metrics["validation_loss"]
    assert len(list(islice(found.predictions, 50))) == 50
