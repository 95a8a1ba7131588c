"""Learning rates as a function of the epoch, against torch's schedulers."""

from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from spiketune.config.training import Optimizer, Training
from spiketune.training.optimizers import build_optimizer, learning_rate, set_learning_rate

SCHEDULES: list[tuple[dict[str, Any], Any]] = [
    (
        {"name": "step", "step_size": 3, "gamma": 0.5},
        lambda o: lr_scheduler.StepLR(o, step_size=3, gamma=0.5),
    ),
    (
        {"name": "multistep", "milestones": [2, 7], "gamma": 0.3},
        lambda o: lr_scheduler.MultiStepLR(o, milestones=[2, 7], gamma=0.3),
    ),
    (
        {"name": "exponential", "gamma": 0.9},
        lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9),
    ),
    ({"name": "cosine"}, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=12)),
]


@pytest.mark.parametrize(("schedule", "build"), SCHEDULES)
def test_learning_rates_equal_those_of_torch(schedule: dict[str, Any], build: Any) -> None:
    config = Training.model_validate({"epochs": 12, "scheduler": schedule})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    scheduler = build(optimizer)
    for epoch in range(12):
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(config, epoch) == pytest.approx(expected, rel=1e-12)
        optimizer.step()
        scheduler.step()


def test_without_a_schedule_the_learning_rate_stays() -> None:
    assert learning_rate(Training(optimizer=Optimizer(learning_rate=0.02)), 7) == 0.02


@pytest.mark.parametrize(
    ("config", "kind", "settings"),
    [
        (
            Optimizer(learning_rate=0.1, betas=(0.8, 0.9), weight_decay=0.01),
            torch.optim.Adam,
            {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.01},
        ),
        (
            Optimizer(name="sgd", momentum=0.9, nesterov=True),
            torch.optim.SGD,
            {"lr": 1e-3, "momentum": 0.9, "nesterov": True},
        ),
    ],
)
def test_the_settings_reach_the_optimizer(
    config: Optimizer, kind: type, settings: dict[str, Any]
) -> None:
    optimizer = build_optimizer(config, torch.nn.Linear(2, 2))
    assert isinstance(optimizer, kind)
    assert settings.items() <= optimizer.param_groups[0].items()


def test_a_learning_rate_can_be_set() -> None:
    optimizer = build_optimizer(Optimizer(), torch.nn.Linear(2, 2))
    set_learning_rate(optimizer, 0.5)
    assert optimizer.param_groups[0]["lr"] == 0.5
