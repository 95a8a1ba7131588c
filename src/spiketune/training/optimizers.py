"""Optimisers, and learning rates as a function of the epoch."""

from __future__ import annotations

import bisect
import functools
import inspect
import math
from typing import Any

import torch
from torch import nn

from spiketune.config.training import Optimizer, Training


@functools.cache
def _uncompiled(kind: type[torch.optim.Optimizer]) -> type[Any]:
    """The same optimiser, without what only `torch.compile` needs.

    PyTorch wraps the methods of its optimisers in calls that load its compiler at the first
    use: 140 MB and 1.5 s for nothing here. State and results are the same.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


def build_optimizer(config: Optimizer, network: nn.Module) -> torch.optim.Optimizer:
    """The optimiser that a configuration names, over all weights of the network."""
    weights = list(network.parameters())
    fused = weights[0].device.type in {"cpu", "cuda"}  # one call a step instead of one a tensor
    if config.name == "adam":
        adam: torch.optim.Optimizer = _uncompiled(torch.optim.Adam)(
            weights,
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=fused,
        )
        return adam
    sgd: torch.optim.Optimizer = _uncompiled(torch.optim.SGD)(
        weights,
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        fused=fused,
    )
    return sgd


def learning_rate(config: Training, epoch: int) -> float:
    """Learning rate of an epoch, counted from 0.

    A function of the epoch, so a checkpoint need not hold a scheduler's state. The formulas
    are those of torch.optim.lr_scheduler; `cosine` reaches 0 after the last epoch.
    """
    base, schedule = config.optimizer.learning_rate, config.scheduler
    if schedule is None:
        return base
    if schedule.name == "cosine":
        return base * (1.0 + math.cos(math.pi * epoch / config.epochs)) / 2.0
    times = {
        "step": epoch // schedule.step_size,
        "multistep": bisect.bisect_right(sorted(schedule.milestones), epoch),
        "exponential": epoch,
    }[schedule.name]
    return base * schedule.gamma**times


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Let the next steps use this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value
