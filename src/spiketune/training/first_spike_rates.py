"""Optimisers of networks of first spike times, whose weights and delays have rates of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from spiketune.config.training import Training
from spiketune.snn.first_spike import FirstSpikeNetwork
from spiketune.training.optimizers import build_optimizer, learning_rate, set_learning_rate


def build_scaled(config: Training, networks: Sequence[FirstSpikeNetwork]) -> torch.optim.Optimizer:
    """One optimiser for all parameters of some networks of one configuration.

    Those with a learning rate of their own are in groups of their own, with its share of the
    common one.
    """
    optimizer = build_optimizer(config.optimizer, nn.ModuleList(networks))
    base, groups = config.optimizer.learning_rate, optimizer.param_groups
    for layers in zip(*(network.layers for network in networks), strict=True):
        owned = [([layer.weight for layer in layers], layers[0].config.learning_rate)]
        delays = [layer.delay for layer in layers if layer.delay is not None]
        if delays:
            rate = delays[0].config.learning_rate
            owned.append(([delay.parameter for delay in delays], rate))
        for parameters, own in owned:
            if own is None:
                continue
            apart = {id(parameter) for parameter in parameters}
            kept = [p for p in groups[0]["params"] if id(p) not in apart]
            groups[0]["params"] = kept
            rest = {key: value for key, value in groups[0].items() if key != "params"}
            optimizer.add_param_group({**rest, "params": parameters, "share": own / base})
    return optimizer


def set_rates(optimizer: torch.optim.Optimizer, config: Training, epoch: int) -> None:
    """Let the next steps use the learning rates of an epoch."""
    set_learning_rate(optimizer, learning_rate(config, epoch))
    for group in optimizer.param_groups:
        group["lr"] *= group.get("share", 1.0)
