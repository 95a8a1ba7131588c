"""Losses, by hand and against snnTorch."""

import pytest
import snntorch.functional
import torch
from torch import Tensor

from spiketune.config.training import Loss, RateRegularization, Training
from spiketune.snn.layers import LayerActivity
from spiketune.snn.networks import Activity
from spiketune.training.losses import build_loss, count_mse, rate_cross_entropy

from .sections import trial


def draw(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(13, 9, 4, generator=generator) < 0.4).float()
    return spikes, torch.randint(0, 4, (9,), generator=generator)


def test_the_count_loss_is_zero_at_the_target_counts() -> None:
    spikes = torch.zeros(10, 1, 2)
    spikes[:8, 0, 1] = 1.0
    spikes[:2, 0, 0] = 1.0
    assert count_mse(spikes, torch.tensor([1]), 0.8, 0.2).item() == 0.0
    # Both counts 6 off their target: 36 in the mean, over 10 steps.
    assert count_mse(spikes, torch.tensor([0]), 0.8, 0.2).item() == pytest.approx(3.6)


def test_target_counts_are_rounded_down() -> None:
    spikes = torch.zeros(12, 1, 1)  # 0.8 * 12 = 9.6
    expected = 9**2 / 12
    assert count_mse(spikes, torch.tensor([0]), 0.8, 0.2).item() == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_the_count_loss_equals_that_of_snntorch(seed: int) -> None:
    spikes, labels = draw(seed)
    theirs = snntorch.functional.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)
    expected = theirs(spikes, labels)
    assert count_mse(spikes, labels, 0.8, 0.2).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_rate_loss_equals_that_of_snntorch(seed: int) -> None:
    spikes, labels = draw(seed)
    expected = snntorch.functional.ce_rate_loss()(spikes, labels)
    assert rate_cross_entropy(spikes, labels).item() == pytest.approx(expected.item(), rel=1e-6)


def activity(spikes: Tensor, membrane: Tensor | None = None) -> Activity:
    layer = LayerActivity(spikes, spikes if membrane is None else membrane)
    return Activity((layer,), (spikes,))


def test_a_configuration_names_its_loss() -> None:
    spikes, labels = draw(0)
    given = Loss(name="count_mse", correct_rate=1.0, incorrect_rate=0.0)
    found = build_loss(Training(loss=given))(activity(spikes), labels)
    assert found.minimised == found.mean == count_mse(spikes, labels, 1.0, 0.0)
    found = build_loss(Training())(activity(spikes), labels)
    assert found.minimised == found.mean == rate_cross_entropy(spikes, labels)


def test_the_rate_loss_of_slayer_sums_squares_over_batch_and_classes() -> None:
    spikes = torch.zeros(10, 2, 2)
    spikes[:5, 0, 0] = 1.0  # rates (0.5, 0) and (0, 0)
    given = Training(loss=Loss(name="spike_rate", correct_rate=0.9, incorrect_rate=0.1))
    found = build_loss(given)(activity(spikes), torch.tensor([0, 1]))
    assert found.minimised.item() == pytest.approx(0.4**2 + 0.1**2 + 0.1**2 + 0.9**2)


@pytest.mark.parametrize("name", ["rate_cross_entropy", "count_mse", "spike_rate"])
def test_the_same_samples_twice_have_the_same_mean_loss(name: str) -> None:
    spikes, labels = draw(1)
    loss = build_loss(
        Training.model_validate(
            {"loss": {"name": name}, "rate_regularization": {"strength": 3.0, "max_rate": 0.1}}
        )
    )
    once = loss(activity(spikes), labels)
    twice = loss(activity(torch.cat([spikes, spikes], dim=1)), torch.cat([labels, labels]))
    assert twice.mean.item() == pytest.approx(once.mean.item(), rel=1e-6)


def test_a_penalty_on_rates_is_no_sum_over_the_batch() -> None:
    spikes, labels = draw(2)
    of_slayer = {"loss": {"name": "spike_rate"}}
    punished = {**of_slayer, "rate_regularization": {"strength": 3.0, "max_rate": 0.1}}
    plain = build_loss(Training.model_validate(of_slayer))(activity(spikes), labels)
    found = build_loss(Training.model_validate(punished))(activity(spikes), labels)
    assert plain.mean.item() == pytest.approx(plain.minimised.item() / len(labels))
    penalty = (found.minimised - plain.minimised).item()
    assert (found.mean - plain.mean).item() == pytest.approx(penalty, rel=1e-4)


def test_the_membrane_loss_reads_the_largest_membrane_over_time() -> None:
    membrane = torch.tensor([[[1.0, -2.0]], [[0.5, 3.0]], [[-1.0, 0.0]]])
    loss = build_loss(Training(loss=Loss(name="membrane_cross_entropy")))
    found = loss(activity(torch.zeros_like(membrane), membrane), torch.tensor([0]))
    assert found.mean.item() == pytest.approx(torch.log(torch.tensor([1.0, 3.0]).exp().sum()) - 1.0)
    assert loss.scores(activity(torch.zeros_like(membrane), membrane)).tolist() == [[1.0, 3.0]]


def test_rates_outside_the_wanted_range_cost_their_squared_distance() -> None:
    spikes = torch.zeros(10, 1, 3)
    spikes[:6, 0, 1] = 1.0
    spikes[:2, 0, 2] = 1.0  # rates 0, 0.6, 0.2
    wanted = RateRegularization(strength=3.0, min_rate=0.1, max_rate=0.4)
    labels = torch.tensor([1])
    plain = build_loss(Training())(activity(spikes), labels)
    found = build_loss(Training(rate_regularization=wanted))(activity(spikes), labels)
    expected = pytest.approx(3.0 * (0.1**2 + 0.2**2) / 3, rel=1e-5)
    assert (found.minimised - plain.minimised).item() == expected


def test_a_loss_of_spikes_is_refused_for_an_output_that_never_spikes() -> None:
    with pytest.raises(ValueError, match="reads spikes, but the output layer has an `integrator`"):
        trial(output_neuron={"kind": "integrator"})
