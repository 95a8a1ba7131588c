"""Epochs of the training of networks of first spike times, one network or a pack of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator

from spiketune.config.training import TrainingTrial
from spiketune.errors import TrialError
from spiketune.seeding import child_seed
from spiketune.training.epochs import TrainedEpoch
from spiketune.training.first_spike_raising import TRAINED
from spiketune.training.first_spike_rates import set_rates
from spiketune.training.first_spike_steps import Steps
from spiketune.training.progress import EpochTally
from spiketune.training.stopping import PatienceCount, SilenceCount


def train_epoch(
    steps: Steps,
    config: TrainingTrial,
    epoch: int,
    seeds: Sequence[int],
    patience: Sequence[PatienceCount],
    should_stop: Callable[[], bool],
) -> list[TrainedEpoch | TrialError] | None:
    """Train for an epoch; order and noise of each network come from its seed.

    Args:
        steps: Of the networks.
        config: The trial section.
        epoch: Counted from 0.
        seeds: Of each network.
        patience: Of each network, so far.
        should_stop: Polled before each batch.

    Returns:
        What came of it for each network, an error where the loss was not finite; None if asked
        to stop.
    """
    set_rates(steps.optimizer, config.training, epoch)
    n = len(steps.data)
    orders = torch.stack([torch.randperm(n, generator=_of(s, "order", epoch)) for s in seeds])
    noise = [_of(seed, "noise", epoch) for seed in seeds]
    starts = [len(own.log) for own in steps.raising]
    tallies = [EpochTally(SilenceCount(n), own) for own in patience]
    learning, errors = [True for _ in seeds], dict[int, TrialError]()
    for which in torch.split(orders, config.training.batch_size, dim=1):
        if should_stop():
            for own, start in zip(steps.raising, starts, strict=True):
                own.forget(start)
            return None
        for g, told in enumerate(steps(which, noise, learning)):
            if not learning[g]:
                continue
            if not math.isfinite(told.loss):
                errors[g] = TrialError("nan", f"the loss became {told.loss} in epoch {epoch + 1}")
            tallies[g] = tallies[g].after(
                config,
                epoch,
                which.shape[1],
                loss=told.loss,
                correct=told.correct,
                silent=told.silent,
            )
            learning[g] = g not in errors and tallies[g].stopped_by is None
        if not any(learning):
            break
    ends: list[TrainedEpoch | TrialError] = []
    for g, (tally, own, start) in enumerate(zip(tallies, steps.raising, starts, strict=True)):
        log = own.log[start:]
        raised_share = sum(step != TRAINED for step in log) / len(log)
        metrics = {**tally.metrics, "raised_share": raised_share}
        ended = TrainedEpoch(metrics, tally.silence, tally.stopped_by, tally.patience)
        ends.append(errors.get(g, ended))
    return ends


def _of(seed: int, purpose: str, epoch: int) -> Generator:
    return Generator().manual_seed(child_seed(seed, purpose, epoch))
