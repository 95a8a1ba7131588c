"""One compiled call for a small network against autograd over its layers."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spiketune.config.architecture import plan_layers
from spiketune.config.network import Network
from spiketune.config.training import Training
from spiketune.snn.networks import SpikingNetwork
from spiketune.snn.sparse import SparseFrames
from spiketune.training.fused import FusedGradients, can_fuse
from spiketune.training.losses import build_loss
from spiketune.training.optimizers import build_optimizer

LOSSES: list[dict[str, Any]] = [
    {"name": "rate_cross_entropy"},
    {"name": "count_mse", "correct_rate": 0.7, "incorrect_rate": 0.1},
    {"name": "spike_rate", "correct_rate": 0.5},
]
SPIKE_GRADIENTS = ("atan", "fast_sigmoid", "triangular", "straight_through")


def network(sizes: tuple[int, ...], seed: int, **neuron: Any) -> SpikingNetwork:
    """Double weights of 4 times the usual size, so that every layer spikes."""
    hidden: list[dict[str, Any]] = [{"dense": size} for size in sizes[1:-1]]
    section = {"neuron": neuron, "layers": [*hidden, {"dense": "classes"}]}
    plans = plan_layers(Network.model_validate(section), (sizes[0],), sizes[-1])
    made = SpikingNetwork(plans, seed).double()
    with torch.no_grad():
        for layer in made.layers:
            layer.weight.mul_(4.0)
    return made


def batch(steps: int, n_samples: int, sizes: tuple[int, ...], seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(steps, n_samples, sizes[0], generator=generator, dtype=torch.float64)
    inputs *= torch.rand(inputs.shape, generator=generator) < 0.4
    return inputs, torch.randint(0, sizes[-1], (n_samples,), generator=generator)


def autograd(
    made: SpikingNetwork, config: Training, inputs: Tensor, labels: Tensor, n_steps: int
) -> tuple[Tensor, Tensor]:
    """Sets gradients; mean loss and counts."""
    made.zero_grad()
    activity = made(inputs, n_steps)
    loss = build_loss(config)(activity, labels)
    loss.minimised.backward()  # type: ignore[no-untyped-call]
    return loss.mean.detach(), activity.counts.detach()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 21), min_size=2, max_size=5).map(tuple),
    st.integers(1, 9),
    st.integers(1, 7),
    st.sampled_from(LOSSES),
    st.sampled_from(SPIKE_GRADIENTS),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.integers(0, 1000),
)
def test_loss_counts_and_gradients_equal_those_of_autograd(
    sizes: tuple[int, ...],
    n_steps: int,
    n_samples: int,
    loss: dict[str, Any],
    gradient: str,
    choices: tuple[bool, bool, bool],
    seed: int,
) -> None:
    constant, own_beta, learn_beta = choices
    made = network(
        sizes,
        seed,
        beta="uniform" if own_beta else 0.8,
        learn_beta=learn_beta,
        threshold=0.7,
        spike_gradient={"name": gradient},
    )
    inputs, labels = batch(1 if constant else n_steps, n_samples, sizes, seed)
    config = Training.model_validate({"loss": loss})
    value, counts = autograd(made, config, inputs, labels, n_steps)
    expected = {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}
    told = FusedGradients(made, config, n_steps)(SparseFrames.of(inputs), labels)
    assert told.loss == pytest.approx(float(value), abs=1e-10)
    assert torch.equal(told.counts, counts)
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None
        scale = max(1.0, float(expected[name].abs().max()))
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-10 * scale)


def test_float32_agrees_up_to_its_rounding() -> None:
    made = network((4, 30, 3), 0, beta=0.9).float()
    inputs, labels = batch(10, 16, (4, 30, 3), 0)
    autograd(made, Training(), inputs.float(), labels, 10)
    expected = [p.grad.clone() for p in made.parameters() if p.grad is not None]
    FusedGradients(made, Training(), 10)(inputs.float(), labels)
    for parameter, other in zip(made.parameters(), expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, other, rtol=0, atol=1e-5)


def test_a_decay_clamped_from_outside_gets_no_gradient() -> None:
    made = network((4, 6, 3), 0, beta=0.9, learn_beta=True)
    with torch.no_grad():
        made.layers[0].get_parameter("neurons.beta").fill_(1.2)
    inputs, labels = batch(10, 16, (4, 6, 3), 0)
    FusedGradients(made, Training(), 10)(inputs, labels)
    grads = [layer.get_parameter("neurons.beta").grad for layer in made.layers]
    assert grads[0] is not None
    assert grads[0] == 0.0
    assert grads[1] is not None
    assert grads[1] != 0.0


def test_the_first_losses_are_those_of_autograd() -> None:
    config = Training.model_validate({"optimizer": {"learning_rate": 0.01}})
    one, other = network((4, 20, 3), 1), network((4, 20, 3), 1)
    steps = [build_optimizer(config.optimizer, made) for made in (one, other)]
    fused = FusedGradients(one, config, 12)
    for seed in range(8):
        inputs, labels = batch(12, 32, (4, 20, 3), seed)
        told = fused(inputs, labels)
        value, _ = autograd(other, config, inputs, labels, 12)
        assert told.loss == pytest.approx(float(value), abs=1e-10)
        for optimizer in steps:
            optimizer.step()


@pytest.mark.parametrize(
    "changes",
    [
        {"neuron": {"reset": "zero"}},
        {"neuron": {"spike_gradient": {"name": "sigmoid"}}},
        {"neuron": {"kind": "cuba"}},
        {"layers": [{"dense": 5, "dropout": 0.1}, {"dense": "classes"}]},
        {"layers": [{"dense": 5, "weight_norm": True}, {"dense": "classes"}]},
        {"layers": [{"dense": 5000}, {"dense": "classes"}]},
        {"transmission_steps": 1},
    ],
)
def test_what_the_call_does_not_know_is_left_to_autograd(changes: dict[str, Any]) -> None:
    section = {"layers": [{"dense": 5}, {"dense": "classes"}], **changes}
    made = SpikingNetwork(plan_layers(Network.model_validate(section), (4,), 3), 0)
    assert not can_fuse(made, Training())


def test_losses_it_does_not_know_are_left_to_autograd() -> None:
    made = network((4, 5, 3), 0)
    assert can_fuse(made, Training())
    for changes in (
        {"loss": {"name": "membrane_cross_entropy"}},
        {"rate_regularization": {"strength": 1.0, "min_rate": 0.1, "max_rate": 0.5}},
    ):
        assert not can_fuse(made, Training.model_validate(changes))


def test_input_of_the_wrong_number_of_steps_is_refused() -> None:
    inputs, labels = batch(7, 2, (4, 5, 3), 0)
    with pytest.raises(ValueError, match="inputs must have 1 or 8 steps, got 7"):
        FusedGradients(network((4, 5, 3), 0), Training(), 8)(inputs, labels)
