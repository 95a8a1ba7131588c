"""Losses, by hand and against snnTorch."""

import pytest
import snntorch.functional
import torch
from torch import Tensor

from spiketune.config.training import Loss
from spiketune.training.losses import build_loss, count_mse, rate_cross_entropy


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


def test_a_configuration_names_its_loss() -> None:
    spikes, labels = draw(0)
    config = Loss(name="count_mse", correct_rate=1.0, incorrect_rate=0.0)
    assert build_loss(config)(spikes, labels) == count_mse(spikes, labels, 1.0, 0.0)
    assert build_loss(Loss())(spikes, labels) == rate_cross_entropy(spikes, labels)
