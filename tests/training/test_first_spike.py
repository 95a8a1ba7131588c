"""Training by exact spike times: losses, raised weights, resuming, and what is learned."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from spiketune.config.first_spike import SpikeLoss
from spiketune.config.training import TrainingTrial
from spiketune.training.epochs import Outcome
from spiketune.training.first_spike import FirstSpikeTrainer
from spiketune.training.first_spike_losses import classes, time_losses
from spiketune.training.saved import load_network, save_network

from .sections import splits


def trial(epochs: int = 3, training: dict[str, Any] | None = None, **network: Any) -> TrainingTrial:
    delay = {"kind": "synaptic", "learning_rate": 0.003}
    layers = [
        {"name": "hidden", "neurons": 12, "delay": delay},
        {"name": "out", "neurons": "classes", "weights_mean": 0.5, "delay": delay},
    ]
    section = {
        "device": "cpu",
        "dataset": {"name": "yin-yang"},
        "network": {
            "kind": "first_spike",
            "loss": {"name": "shift_invariant_mse"},
            "layers": layers,
            **network,
        },
        "training": {
            "epochs": epochs,
            "batch_size": 30,
            "optimizer": {"learning_rate": 0.02},
            **(training or {}),
        },
    }
    return TrainingTrial.model_validate(section)


def test_losses_are_as_written_by_hand() -> None:
    times = torch.tensor([[1.0, 1.5, math.inf], [2.0, 2.5, 3.0], [math.inf, 1.0, 2.0]]).double()
    labels = torch.tensor([0, 1, 0])
    ttfs = time_losses(times, labels, SpikeLoss(name="ttfs", xi=0.5))
    assert ttfs.tolist() == pytest.approx(
        [
            math.log(1 + math.exp(-1.0)),
            math.log(math.exp(1.0) + 1 + math.exp(-1.0)),
            100.0,
        ]
    )
    shifted = time_losses(times, labels, SpikeLoss(name="shift_invariant_mse", gap=0.2))
    assert shifted.tolist() == pytest.approx([100.0, 0.5 * (0.7**2 + 0.3**2), 100.0])
    timed = time_losses(times, labels, SpikeLoss(name="time_mse", correct=2.0, wrong=3.0))
    assert timed.tolist() == pytest.approx([100.0, 0.5 * (1.0 + 0.25 + 0.0), 100.0])


@pytest.mark.parametrize("name", ["ttfs", "time_mse", "shift_invariant_mse"])
def test_gradients_of_losses_are_numbers_and_zero_for_silent_neurons(name: str) -> None:
    times = torch.tensor([[1.0, math.inf], [math.inf, 2.0], [1.0, 2.0]]).double().requires_grad_()
    loss = time_losses(times, torch.tensor([0, 0, 0]), SpikeLoss(name=name))
    loss.sum().backward()
    assert bool(times.grad.isfinite().all())
    assert times.grad[0, 1] == times.grad[1, 0] == 0.0
    finite = torch.tensor([[1.0, 2.0], [0.7, 0.9]]).double().requires_grad_()
    labels = torch.tensor([1, 0])
    assert torch.autograd.gradcheck(lambda t: time_losses(t, labels, SpikeLoss(name=name)), finite)


def test_the_class_is_first_or_closest_and_silence_is_none() -> None:
    times = torch.tensor([[1.0, 0.5], [3.0, 1.2], [math.inf, math.inf]])
    assert classes(times, SpikeLoss()).tolist() == [1, 1, -1]
    assert classes(times, SpikeLoss(name="time_mse", correct=1.1)).tolist() == [0, 1, -1]


def run(config: TrainingTrial, **options: Any) -> tuple[FirstSpikeTrainer, Outcome]:
    trainer = FirstSpikeTrainer(config, splits(), seed=1, study_seed=0, **options)
    trainer.resume()
    return trainer, trainer.run()


def test_two_classes_are_learned() -> None:
    _, outcome = run(trial(epochs=12))
    assert outcome.metrics["validation_accuracy"] >= 0.8
    assert outcome.metrics["silent_share"] <= 0.05
    assert 0 < outcome.metrics["spikes_per_sample"] <= 14
    assert 0 < outcome.metrics["effective_acs_per_sample"] <= 4 * 12 + 12 * 2
    assert outcome.metrics["effective_macs_per_sample"] == 0.0
    assert outcome.metrics["n_parameters"] == 2 * (4 * 12 + 12 * 2)


def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, expected = run(trial())
    path = tmp_path / "checkpoint.safetensors"
    polls = iter(range(1000))
    _, cut = run(trial(), checkpoint=path, should_stop=lambda: next(polls) == 8)
    assert cut.ended == "interrupted"
    again, outcome = run(trial(), checkpoint=path)
    for ours, theirs in zip(again.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    for name in ("validation_accuracy", "validation_loss", "train_loss"):
        assert outcome.metrics[name] == expected.metrics[name]


def silent_layers(max_missing: float) -> list[dict[str, Any]]:
    weights = {"weights_mean": 0.0, "weights_std": 0.0}
    return [
        {"name": "hidden", "neurons": 6, "max_missing": max_missing, **weights},
        {"name": "out", "neurons": "classes", "max_missing": max_missing, **weights},
    ]


def test_silent_layers_are_raised_from_the_first_on_until_they_spike() -> None:
    rule = {"value": 0.01, "doubling": True}
    trainer, outcome = run(trial(epochs=8, layers=silent_layers(0.3), bumping=rule))
    assert outcome.metrics["silent_share"] < 0.3
    hidden = trainer.network.layers[0].weight.detach()
    assert float(hidden.min()) > 0.01


def test_raises_double_while_the_same_layer_needs_them() -> None:
    for doubling, expected in ((True, 0.01 * (1 + 2 + 4 + 8 + 16)), (False, 0.05)):
        rule = {"value": 0.01, "doubling": doubling}
        config = trial(epochs=1, layers=silent_layers(0.3), bumping=rule)
        trainer = FirstSpikeTrainer(config, splits(), seed=1, study_seed=0)
        for _ in range(5):
            trainer._train_batch(torch.arange(30))
            if trainer.network.layers[1].weight.detach().any():
                break
        hidden = trainer.network.layers[0].weight.detach()
        assert float(hidden.max()) == pytest.approx(expected)


def test_a_silent_network_that_is_never_raised_is_silent_to_the_end() -> None:
    _, outcome = run(trial(epochs=1, layers=silent_layers(1.0)))
    assert outcome.metrics["silent_share"] == 1.0
    assert outcome.metrics["validation_accuracy"] == 0.0
    assert outcome.metrics["validation_loss"] == 100.0


def test_a_network_comes_back_from_its_file(tmp_path: Path) -> None:
    config = trial()
    trainer, outcome = run(config)
    save_network(tmp_path / "n.safetensors", trainer.network, config)
    network, found = load_network(tmp_path / "n.safetensors")
    assert found == config
    given = torch.rand(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for ours, theirs in zip(network(given), trainer.network(given), strict=True):
        assert torch.equal(ours, theirs)
    assert outcome.ended == "finished"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"loss": {"name": "count_mse"}}}, "`training.loss` means nothing"),
        ({"layers": [{"neurons": 3}]}, "the last layer must be the output"),
        ({"tau_ratio": 3}, "tau_ratio"),
        ({"kind": "first_spikes"}, "must be `layered`, `stdp` or `first_spike`"),
    ],
)
def test_what_does_not_belong_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trial(**changes)
