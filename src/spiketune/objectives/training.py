"""Trials that train a network: the built-in objective, and `retrain`'s training and test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from spiketune.config.checking import check
from spiketune.config.training import TrainingTrial
from spiketune.data import event_kernels as _loaded_before_the_fork  # noqa: F401
from spiketune.data.registry import load, load_test
from spiketune.data.splits import TestPermit, check_permit
from spiketune.errors import TrialError
from spiketune.objectives.inspection import inspect_network, inspect_samples
from spiketune.objectives.probing import audited, silent_at_once
from spiketune.objectives.trial import Preempted, Trial
from spiketune.snn.kernels import events as _compiled_before_the_fork  # noqa: F401
from spiketune.training.epochs import Outcome
from spiketune.training.kinds import AnyTrainer, build_trainer, evaluate_trained
from spiketune.training.memory import keep_freed_memory
from spiketune.training.progress import Metrics
from spiketune.training.saved import save_network

CHECKPOINT_FILE: Final = "checkpoint.safetensors"
NETWORK_FILE: Final = "network.safetensors"
PREDICTIONS_FILE: Final = "predictions.npz"
REPORTED: Final = (
    "validation_accuracy",
    "validation_loss",
    "train_accuracy",
    "train_loss",
    "spikes_per_sample",
    "silent_share",
)


def train(trial: Trial) -> Mapping[str, float]:
    """Train the network of a trial section, reporting after each epoch.

    Goes on from the trial's checkpoint if there is one. Sets the constraint `silence` where
    the section has `silence:`.

    Returns:
        The metrics of the last epoch, with `n_parameters` and `cost_s`.

    Raises:
        Preempted: If asked to stop; the checkpoint holds the epochs done.
        TrialError: If the loss is not finite (`nan`) or memory runs out (`oom`).
        ConfigError: If the section is not a valid training.
        DatasetError: If the data are not there.
        DeviceError: If the device is not there.
    """
    config = checked_section(trial.section)
    keep_freed_memory()
    started_s = time.perf_counter()
    splits = load(config.dataset)

    def report(epoch: int, metrics: Metrics) -> None:
        if (silence := trainer.progress.silence) is not None:
            trial.set_constraint("silence", silence)
        names = dict.fromkeys((*REPORTED, *(name for name in trial.needed if name in metrics)))
        trial.report(epoch, **{name: metrics[name] for name in names}, **audited(trial))

    with memory_errors_named():
        trainer = build_trainer(
            config,
            splits,
            seed=trial.seed if config.seed is None else config.seed,
            study_seed=trial.study_seed,
            checkpoint=trial.checkpoint_dir / CHECKPOINT_FILE,
            on_epoch=report,
            should_stop=trial.should_stop,
        )
        load_s = time.perf_counter() - started_s
        n_before = trainer.resume()
        if not n_before and (silent := silent_at_once(trial, trainer, config)) is not None:
            return silent
        outcome = trainer.run()
    progress = outcome.progress
    trial.note(
        load_s=load_s,
        train_s=progress.train_s,
        validation_s=progress.validation_s,
        lost_s=progress.lost_s,
        firing_rates=dict(progress.firing_rates),
        epochs=progress.epochs_done,
        stopped_by=progress.stopped_by,
        device=trainer.device.type,
        paths=dict(trainer.paths),
        torch=torch.__version__,
    )
    if outcome.ended == "interrupted":
        raise Preempted
    if n_before == progress.epochs_done:  # the checkpoint held the end: tell it again
        report(n_before, outcome.metrics)
    if outcome.ended == "silent":
        trial.end("silent")
    return outcome.metrics


def train_and_test(
    section: Mapping[str, Any],
    *,
    seed: int,
    study_seed: int,
    permit: TestPermit,
    folder: Path,
    on_epoch: Callable[[int, Metrics], None] = lambda epoch, metrics: None,
) -> tuple[Mapping[str, float], NDArray[np.int64]]:
    """Train once from the beginning, then measure on the test split.

    Args:
        section: The trial section, every leaf fixed.
        seed: Of this training.
        study_seed: Of the encodings that all trainings share.
        permit: Leave to open the test split.
        folder: Gets the weights (`network.safetensors`) and `predictions.npz`, which holds
            `predictions` and `labels`, (n,) each, and what else plots of the network need.
        on_epoch: Called with the number of epochs done and the metrics after each of them.

    Returns:
        The metrics, with `test_accuracy` and `test_loss`; and the predicted classes, (n,).

    Raises:
        TestSplitError: If `permit` is anything but a journalled permit.
        TrialError: If the loss is not finite (`nan`) or memory runs out (`oom`).
        ConfigError: If the section is not a valid training.
        DatasetError: If the data are not there.
        DeviceError: If the device is not there.
    """
    check_permit(permit)
    config = checked_section(section)
    keep_freed_memory()
    with memory_errors_named():
        trainer = build_trainer(
            config, load(config.dataset), seed=seed, study_seed=study_seed, on_epoch=on_epoch
        )
        outcome = trainer.run()
        return measured_on_test(
            trainer, outcome, config, study_seed=study_seed, permit=permit, folder=folder
        )


def measured_on_test(
    trainer: AnyTrainer,
    outcome: Outcome,
    config: TrainingTrial,
    *,
    study_seed: int,
    permit: TestPermit,
    folder: Path,
) -> tuple[Mapping[str, float], NDArray[np.int64]]:
    """Measure a trained network on the test split and keep it; see `train_and_test`."""
    test = load_test(config.dataset, permit)
    found = evaluate_trained(trainer, test, config, study_seed=study_seed, split="test")
    metrics = {
        **outcome.metrics,
        "test_accuracy": found.metrics["accuracy"],
        "test_loss": found.metrics["loss"],
    }
    save_network(folder / NETWORK_FILE, trainer.network, config)
    arrays = {
        **inspect_samples(trainer.network, test, config, found.predictions),
        **inspect_network(trainer.network, config),
    }
    np.savez_compressed(folder / PREDICTIONS_FILE, allow_pickle=False, **arrays)
    return metrics, found.predictions


def checked_section(section: Mapping[str, Any]) -> TrainingTrial:
    """The trial section as a checked model.

    Raises:
        ConfigError: If it is not a valid training; names the leaves that are wrong.
    """
    return check(TrainingTrial, section, "trial")


@contextmanager
def memory_errors_named() -> Iterator[None]:
    """Tell what torch says of a lack of memory as a failure of kind `oom`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrialError("oom", str(error)) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # what torch raises on a CPU
            raise
        raise TrialError("oom", str(error)) from error
