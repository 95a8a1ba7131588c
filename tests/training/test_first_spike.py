"""Training by exact spike times: losses, raised weights, resuming, and what is learned."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from spiketune.config.first_spike import EarlyOutput, SpikeLoss, is_plain
from spiketune.config.training import TrainingTrial
from spiketune.errors import ConfigError
from spiketune.training.epochs import Outcome
from spiketune.training.first_spike import FirstSpikeTrainer
from spiketune.training.first_spike_gradients import PackGradients
from spiketune.training.first_spike_losses import (
    classes,
    delay_penalty,
    losses_and_gradients,
    time_losses,
)
from spiketune.training.first_spike_raising import RAISED_OUTPUT, TRAINED
from spiketune.training.saved import load_network, save_network

from .first_spike_sections import silent_layers, trial
from .sections import splits


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
    times = torch.tensor([[1.0, 0.5], [3.0, 1.2], [math.inf, math.inf]]).double()
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
            trainer._train_batch(torch.arange(30), torch.Generator())
            if trainer.network.layers[1].weight.detach().any():
                break
        hidden = trainer.network.layers[0].weight.detach()
        assert float(hidden.max()) == pytest.approx(expected)


def test_one_spike_is_enough_for_a_sample_not_to_be_silent_unless_said_otherwise() -> None:
    trainer, outcome = run(trial(silence={"share": 0.5}))
    assert (trainer.min_spikes, outcome.ended) == (1, "finished")


def test_a_silent_network_that_is_never_raised_is_silent_to_the_end() -> None:
    _, outcome = run(trial(epochs=1, layers=silent_layers(1.0)))
    assert outcome.metrics["silent_share"] == 1.0
    assert outcome.metrics["validation_accuracy"] == 0.0
    assert outcome.metrics["validation_loss"] == 100.0


@pytest.mark.parametrize("ratio", [1.0, 2.0, 1.4])
@pytest.mark.parametrize(
    "delay",
    [
        None,
        {"kind": "axonal"},
        {"kind": "dendritic", "share_neurons": 2, "shift": 0.1, "scale": 2.0},
        {"kind": "synaptic", "share_inputs": 2, "share_neurons": 3},
        {"kind": "synaptic", "positivity": "clip", "mean": 0.5},
    ],
)
def test_plain_gradients_are_those_of_autograd(delay: dict[str, Any] | None, ratio: float) -> None:
    layers: list[dict[str, Any]] = [
        {"name": "hidden", "neurons": 12, "delay": delay},
        {"name": "out", "neurons": "classes", "weights_mean": 0.5},
    ]
    loss = {"name": "ttfs", "early_output": {"alpha": 0.1}}
    config = trial(layers=layers, tau_ratio=ratio, loss=loss)
    trainer = FirstSpikeTrainer(config, splits(), seed=1, study_seed=0)
    assert trainer.paths["gradients"] == "plain"
    network, rule = trainer.network, trainer.network.config.loss
    assert is_plain(network.config)
    times, labels = torch.rand(20, 4).double() * 2, torch.arange(20) % 2
    output = network(times)
    losses = time_losses(output[-1], labels, rule)
    losses.sum().backward()
    expected = [parameter.grad.clone() for parameter in network.parameters()]
    plain = PackGradients([network])
    found = [torch.from_numpy(values[0]) for values in plain.forward(times.numpy()[None])]
    for ours, theirs in zip(found, output, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-14, atol=0.0)
    same, gradients = losses_and_gradients(found[-1], labels, rule)
    torch.testing.assert_close(same, losses, rtol=1e-12, atol=0.0)
    plain.backward(gradients.numpy()[None])
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        assert gradient.any()
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=1e-14)


NOISY: dict[str, Any] = {
    "input_noise": {"std": 0.02},
    "threshold_noise": {"fixed_std": 0.05, "batch_std": 0.02, "sample_std": 0.01},
    "weights": {"clip": 1.2, "rounding": 0.05},
}


def noisy(**changes: Any) -> TrainingTrial:
    delay = {"kind": "axonal", "jitter": 0.01, "share_inputs": 3}
    layers = [
        {"name": "hidden", "neurons": 12, "multiplex": 3, "learning_rate": 0.01, "jitter": 0.01},
        {"name": "out", "neurons": "classes", "weights_mean": 0.5, "biases": [0.9, 1.0, 1.1]},
    ]
    layers[0]["delay"] = layers[1]["delay"] = delay
    return trial(layers=layers, **NOISY, **changes)


def test_a_noisy_substrate_is_learned_on_and_interrupted_without_a_trace(tmp_path: Path) -> None:
    whole, expected = run(noisy(epochs=6))
    assert whole.paths["gradients"] == "autograd"
    assert expected.metrics["validation_accuracy"] >= 0.7
    for layer in whole.network.layers:
        assert float(layer.weight.detach().abs().max()) <= 1.2
        on_grid = layer.used_weight.detach() / 0.05
        torch.testing.assert_close(on_grid, on_grid.round(), rtol=0.0, atol=1e-9)
    path, polls = tmp_path / "checkpoint.safetensors", iter(range(1000))
    run(noisy(epochs=6), checkpoint=path, should_stop=lambda: next(polls) == 8)
    again, outcome = run(noisy(epochs=6), checkpoint=path)
    for ours, theirs in zip(again.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert again.step_log == whole.step_log
    assert outcome.metrics["validation_loss"] == expected.metrics["validation_loss"]


def test_layers_that_are_not_trainable_stay_as_they_start() -> None:
    layers = [
        {"name": "hidden", "neurons": 12, "trainable": False, "delay": {"kind": "axonal"}},
        {"name": "out", "neurons": "classes", "weights_mean": 0.5},
    ]
    fresh = FirstSpikeTrainer(trial(layers=layers), splits(), seed=1, study_seed=0)
    before = {name: value.clone() for name, value in fresh.network.state_dict().items()}
    fresh.run()
    for name, value in fresh.network.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("stack.0")


def test_the_step_log_tells_what_every_step_did() -> None:
    rule = {"value": 0.01}
    trainer, outcome = run(trial(epochs=6, layers=silent_layers(0.3), bumping=rule))
    assert trainer.step_log[0] == 0
    assert set(trainer.step_log) == {TRAINED, RAISED_OUTPUT, 0}
    n_batches = len(trainer.step_log) // 6
    for epoch, metrics in enumerate(outcome.progress.history):
        steps = trainer.step_log[epoch * n_batches : (epoch + 1) * n_batches]
        raised = sum(step != TRAINED for step in steps) / n_batches
        assert metrics["raised_share"] == pytest.approx(raised)


def test_late_answers_and_long_delays_cost_what_is_said() -> None:
    times = torch.tensor([[1.0, 1.5]]).double()
    rule = SpikeLoss(name="shift_invariant_mse", early_output=EarlyOutput(alpha=0.3, beta=2.0))
    found = time_losses(times, torch.tensor([1]), rule)
    assert found.item() == pytest.approx(0.5 * 0.7**2 + 0.3 * math.exp(1.5 / 2.0))
    config = trial(loss={"name": "ttfs", "delay_l2": 0.5})
    trainer = FirstSpikeTrainer(config, splits(), seed=1, study_seed=0)
    delays = [layer.delay.delays.detach() for layer in trainer.network.layers]
    expected = 0.5 * sum(float(each.square().mean()) for each in delays)
    assert delay_penalty(trainer.network).item() == pytest.approx(expected)
    before = sum(float(each.mean()) for each in delays)
    strong = trial(loss={"name": "shift_invariant_mse", "delay_l2": 100.0})
    strict = FirstSpikeTrainer(strong, splits(), seed=1, study_seed=0)
    strict.run()
    assert sum(float(x.delay.delays.detach().mean()) for x in strict.network.layers) < before


def test_the_last_class_is_told_where_the_label_is_to_come_last() -> None:
    times = torch.tensor([[1.0, 2.0], [3.0, math.inf]]).double()
    rule = SpikeLoss(name="shift_invariant_mse", gap=-0.2)
    assert classes(times, rule).tolist() == [1, -1]


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


LAST = {"neurons": "classes"}


def test_shared_delays_that_do_not_divide_the_inputs_are_refused() -> None:
    layers = [{**LAST, "delay": {"kind": "axonal", "share_inputs": 3}}]
    with pytest.raises(ConfigError, match=r"0\.delay\.share_inputs: 3 does not divide 4 in"):
        FirstSpikeTrainer(trial(layers=layers), splits(), seed=1, study_seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"loss": {"name": "count_mse"}}}, "`training.loss` means nothing"),
        ({"layers": [{"neurons": 3}]}, "the last layer must be the output"),
        ({"tau_ratio": 1.0001}, "too close to 1"),
        ({"euler": {"step": 2.0, "duration": 1.0}}, "`step` 2.0 must be below"),
        ({"loss": {"gap": 0.0}}, "`gap` 0 would make all classes one"),
        (
            {"layers": [{"neurons": 5, "delay": {"kind": "synaptic", "share_neurons": 2}}, LAST]},
            "share_neurons: 2 does not divide 5 neurons",
        ),
        (
            {"layers": [{"neurons": 5}, {**LAST, "delay": {"kind": "axonal", "share_inputs": 2}}]},
            "share_inputs: 2 does not divide 5 inputs",
        ),
        ({"layers": [LAST, LAST]}, "only the last layer has `neurons: classes`"),
        (
            {"layers": [{**LAST, "delay": {"kind": "axonal", "positivity": "clip", "scale": 2.0}}]},
            "`scale` goes with `positivity: sigmoid`",
        ),
        ({"kind": "first_spikes"}, "must be `layered`, `stdp` or `first_spike`"),
    ],
)
def test_what_does_not_belong_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trial(**changes)
