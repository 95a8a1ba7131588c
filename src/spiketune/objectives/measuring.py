"""Trained networks measured again: those of a run's checkpoints, and saved ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spiketune.config.training import TrainingTrial
from spiketune.data.registry import load
from spiketune.data.splits import Splits
from spiketune.errors import InputError
from spiketune.objectives.inspection import (
    Arrays,
    inspect_network,
    inspect_samples,
    inspect_snapshots,
)
from spiketune.objectives.training import checked_section
from spiketune.seeding import child_seed
from spiketune.snn.first_spike import FirstSpikeNetwork
from spiketune.training import checkpoint as checkpoints
from spiketune.training.kinds import build_trainer, evaluate_network
from spiketune.training.progress import Metrics
from spiketune.training.saved import AnyNetwork, load_network


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network with what it was trained on, never the test split.

    Attributes:
        network: With its weights.
        device: Where it is.
        config: Its trial section.
        splits: Training and validation data.
        history: Metrics after each epoch; empty for a saved network.
    """

    network: AnyNetwork
    device: torch.device
    config: TrainingTrial
    splits: Splits
    history: tuple[Metrics, ...] = ()


def from_checkpoint(
    section: Mapping[str, Any], checkpoint: Path, seed: int, *, study_seed: int = 0
) -> Trained:
    """The network of a training as it stood at a checkpoint.

    Args:
        section: The trial section.
        checkpoint: The file.
        seed: Of the training, where the section has none.
        study_seed: Of its study.

    Raises:
        InputError: If the file is torn, or of another training.
        ConfigError: If the section is not a valid training.
        DatasetError: If the data are not there.
    """
    config = checked_section(section)
    splits = load(config.dataset)
    trainer = build_trainer(
        config,
        splits,
        seed=seed if config.seed is None else config.seed,
        study_seed=study_seed,
        checkpoint=checkpoint,
    )
    try:
        done = checkpoints.load(checkpoint).facts["progress"]["epochs_done"]
    except (ValueError, KeyError, OSError) as error:
        raise InputError(f"{checkpoint}: cannot be read: {error}") from error
    if trainer.resume() != done:
        raise InputError(f"{checkpoint}: is of another training than the configuration beside it")
    return Trained(trainer.network, trainer.device, config, splits, trainer.progress.history)


def from_network_file(path: Path) -> Trained:
    """A network that was saved with its trial section.

    Raises:
        InputError: If the file holds none.
        DatasetError: If the data are not there.
    """
    try:
        network, config = load_network(path)
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from error
    return Trained(network, torch.device("cpu"), config, load(config.dataset))


def measure(trained: Trained, repeat: int) -> Iterator[tuple[Metrics, float]]:
    """Metrics on the validation split, and the seconds that measuring took, again and again.

    The first time is that of the training; others draw encodings and noise of their own.
    """
    for number in range(repeat):
        seed = 0 if number == 0 else child_seed(0, "inference", number)
        started_s = time.perf_counter()
        found = evaluate_network(
            trained.network,
            trained.device,
            trained.splits.validation,
            trained.config,
            study_seed=seed,
            split="validation",
        )
        yield found.metrics, time.perf_counter() - started_s


def inspect(trained: Trained, snapshots: Mapping[int, Path] | None = None) -> Arrays:
    """What the network does with the validation split, and what it learned; see `inspection`.

    Args:
        trained: The network.
        snapshots: File by epoch of the run's snapshots.
    """
    network, config, validation = trained.network, trained.config, trained.splits.validation
    found = evaluate_network(
        network, trained.device, validation, config, study_seed=0, split="validation"
    )
    return {
        **inspect_samples(network, validation, config, found.predictions),
        **inspect_network(network, config),
        **inspect_snapshots(network, validation, config, snapshots or {}),
    }


def mean_output_times(trained: Trained) -> list[float]:
    """Mean time of the first, second, ... output spike over the validation samples.

    Returns:
        One time per output neuron; not a number where no sample has so many spikes.

    Raises:
        InputError: If the network is of another kind than `first_spike`.
    """
    if not isinstance(trained.network, FirstSpikeNetwork):
        raise InputError("output times are those of `network: {kind: first_spike}`")
    none = np.zeros(len(trained.splits.validation), dtype=np.int64)
    arrays = inspect_samples(trained.network, trained.splits.validation, trained.config, none)
    ordered = np.sort(arrays[f"times:{trained.network.names[-1]}"], axis=1)
    told = (column[np.isfinite(column)] for column in ordered.T)
    return [float(column.mean()) if len(column) else float("nan") for column in told]
