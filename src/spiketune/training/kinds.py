"""Which trainer goes with which kind of network: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch

from spiketune.config.first_spike import FirstSpike
from spiketune.config.stdp import Stdp
from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Labelled, Splits
from spiketune.snn.first_spike import FirstSpikeNetwork
from spiketune.snn.stdp import StdpNetwork
from spiketune.training import evaluation, first_spike_evaluation, stdp
from spiketune.training.batches import on_device
from spiketune.training.evaluation import Evaluation
from spiketune.training.first_spike import FirstSpikeTrainer
from spiketune.training.progress import Metrics
from spiketune.training.saved import AnyNetwork
from spiketune.training.stdp import StdpTrainer
from spiketune.training.trainer import Trainer

AnyTrainer: TypeAlias = Trainer | StdpTrainer | FirstSpikeTrainer


def build_trainer(
    config: TrainingTrial,
    splits: Splits,
    *,
    seed: int,
    study_seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[int, Metrics], None] = lambda epoch, metrics: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> AnyTrainer:
    """The trainer of the kind of network that a configuration describes; see `Trainer`."""
    maker: type[AnyTrainer] = Trainer
    if isinstance(config.network, Stdp):
        maker = StdpTrainer
    elif isinstance(config.network, FirstSpike):
        maker = FirstSpikeTrainer
    return maker(
        config,
        splits,
        seed=seed,
        study_seed=study_seed,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
        should_stop=should_stop,
    )


def evaluate_trained(
    trainer: AnyTrainer, data: Labelled, config: TrainingTrial, *, study_seed: int, split: str
) -> Evaluation:
    """Measure the network of a trainer on a split.

    Args:
        trainer: After its run.
        data: The samples of the split.
        config: The trial section.
        study_seed: Draws the spikes of an encoding.
        split: Name of the split, which draws of its own.
    """
    return evaluate_network(
        trainer.network, trainer.device, data, config, study_seed=study_seed, split=split
    )


def evaluate_network(
    network: AnyNetwork,
    device: torch.device,
    data: Labelled,
    config: TrainingTrial,
    *,
    study_seed: int,
    split: str,
) -> Evaluation:
    """Measure a network on a split; the arguments are those of `evaluate_trained`."""
    samples = on_device(data, device, config.dataset)
    if isinstance(network, StdpNetwork):
        return stdp.evaluate(network, samples, config, study_seed=study_seed, split=split)
    if isinstance(network, FirstSpikeNetwork):
        return first_spike_evaluation.evaluate(network, samples, config, noise_seed=study_seed)
    return evaluation.evaluate(network, samples, config, study_seed=study_seed, split=split)
