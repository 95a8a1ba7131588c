"""Trainings of a chosen configuration with fresh seeds, measured on the test split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from spiketune.data.registry import load
from spiketune.data.splits import TestPermit
from spiketune.errors import TrialError
from spiketune.objectives.training import (
    checked_section,
    measured_on_test,
    memory_errors_named,
    train_and_test,
)
from spiketune.objectives.trial import Preempted, Trial
from spiketune.training.first_spike_pack import FirstSpikePack
from spiketune.training.memory import keep_freed_memory
from spiketune.training.progress import Metrics


def retrain(trial: Trial) -> Mapping[str, float]:
    """Train `trial.params["section"]` and open the test split, once, on record.

    Returns:
        The metrics of validation and test.
    """
    folder = Path(trial.params["folder"])
    metrics, _ = train_and_test(
        trial.params["section"],
        seed=trial.seed,
        study_seed=trial.study_seed,
        permit=_permit(folder, trial.params["reason"]),
        folder=folder,
        on_epoch=lambda epoch, values: trial.report(epoch, **values),
    )
    return metrics


def retrain_pack(trial: Trial) -> Mapping[str, float]:
    """The same for several seeds at once, `trial.params["seeds"]`, each with its folder.

    Returns:
        The metrics of each, named by its position and theirs: `0/test_accuracy`. Those of a
        training that failed are missing; the detail `failures` has its words.

    Raises:
        Preempted: If asked to stop.
    """
    params = trial.params
    config = checked_section(params["section"])
    keep_freed_memory()

    def report(which: int, epoch: int, metrics: Metrics) -> None:
        if which == 0:
            trial.report(epoch, **metrics)

    with memory_errors_named():
        pack = FirstSpikePack(
            config,
            load(config.dataset),
            params["seeds"],
            study_seed=trial.study_seed,
            on_epoch=report,
            should_stop=trial.should_stop,
        )
        ends = pack.run()
    if any(not isinstance(end, TrialError) and end.ended == "interrupted" for end in ends):
        raise Preempted  # before the test split is opened for any of them
    metrics: dict[str, float] = {}
    failures: dict[str, str] = {}
    for g, (end, place) in enumerate(zip(ends, params["folders"], strict=True)):
        if isinstance(end, TrialError):
            failures[str(g)] = str(end)
            continue
        folder = Path(place)
        found, _ = measured_on_test(
            pack.trainers[g],
            end,
            config,
            study_seed=trial.study_seed,
            permit=_permit(folder, params["reason"]),
            folder=folder,
        )
        metrics |= {f"{g}/{name}": value for name, value in found.items()}
    trial.note(failures=failures)
    return metrics


def _permit(folder: Path, reason: str) -> TestPermit:
    """Leave to open the test split once, on record in a folder."""
    folder.mkdir(parents=True, exist_ok=True)

    def record(opening: Mapping[str, str]) -> None:
        with (folder / "test-opening.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(opening)) + "\n")

    return TestPermit.journalled(reason=reason, record=record)
