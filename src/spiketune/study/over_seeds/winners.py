"""Chosen trials trained again where their study ran, and what came of it on record."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from spiketune.config.command import uses_seed
from spiketune.config.loading import Configuration
from spiketune.config.study import Executor
from spiketune.executors.registry import make_executor, n_threads
from spiketune.space import parse_inequality
from spiketune.study.over_seeds.confirmation import Confirmation
from spiketune.study.over_seeds.confirming import ConfirmationPlan, confirm
from spiketune.study.over_seeds.retraining import Plan, Retrained, refuse_if_all_failed, retrain
from spiketune.study.over_seeds.trainings import Candidate, Listen, unheard
from spiketune.study.records.folder import StudyFolder, now_text
from spiketune.study.running import storage_of, study_of


def confirm_trials(
    candidates: Mapping[int, Candidate],
    seeds: int,
    folder: StudyFolder,
    configuration: Configuration,
    listen: Listen = unheard,
) -> Confirmation:
    """Train trials of a study again on the validation data, and write down what came of it.

    Args:
        candidates: By trial number.
        seeds: Trainings of each.
        folder: The study's folder.
        configuration: Its checked configuration.
        listen: Told of every report and end.
    """
    study = study_of(configuration)
    plan = ConfirmationPlan(
        n_seeds=seeds,
        folder=folder.path / "confirm",
        study_seed=study.seed,
        base_folder=configuration.base_folder,
        objectives=tuple(study.objectives),
        constraints=tuple(parse_inequality(text) for text in study.constraints),
        threads=n_threads(study.executor),
        time_limit_s=study.executor.time_limit,
    )
    _warn_of_seeds(configuration)
    executor = make_executor(study.executor, configuration.trial, configuration.base_folder)
    try:
        found = confirm(candidates, plan, executor, listen)
    finally:
        executor.close()
    confirmation = Confirmation(dict(study.objectives), tuple(found), now_text())
    with closing(storage_of(folder, configuration, writable=True)) as writer:
        writer.add_confirmed(confirmation.as_record())
    return confirmation


def retrain_trials(
    candidates: Sequence[Candidate],
    seeds: int,
    folder: StudyFolder,
    configuration: Configuration,
    *,
    reason: str,
    listen: Listen = unheard,
) -> list[Retrained]:
    """Train trials of a study again and open the test split, on record.

    Args:
        candidates: What to train.
        seeds: Trainings of each.
        folder: The study's folder.
        configuration: Its checked configuration.
        reason: Goes into the record of the opened test split.
        listen: Told of every report and end.

    Raises:
        SpiketuneError: If every seed of all candidates failed; that is on record then, too.
    """
    with closing(storage_of(folder, configuration, writable=True)) as writer:
        if configuration.kind == "network":
            writer.add_test_opening({"reason": reason, "opened_at": now_text()})
        place = folder.path / "retrain"
        found = retrain_sections(
            candidates, seeds, place, configuration, reason=reason, listen=listen
        )
        for retrained in found:
            writer.add_retrained(retrained.as_record())
    refuse_if_all_failed(found)
    return found


def retrain_sections(
    candidates: Sequence[Candidate],
    seeds: int,
    folder: Path,
    configuration: Configuration,
    *,
    reason: str,
    listen: Listen = unheard,
) -> list[Retrained]:
    """Train sections again over fresh seeds, on the executor of their configuration.

    Args:
        candidates: What to train.
        seeds: Trainings of each.
        folder: Gets a folder per candidate and seed.
        configuration: Of the study or the run.
        reason: Goes into the record of the opened test split.
        listen: Told of every report and end.
    """
    study = configuration.study
    _warn_of_seeds(configuration)
    config = study.executor if study else Executor()
    base_folder = configuration.base_folder
    plan = Plan(
        n_seeds=seeds,
        folder=folder,
        study_seed=study.seed if study else 0,
        reason=reason,
        base_folder=base_folder,
        threads=n_threads(config),
        objectives=tuple(study.objectives) if study else (),
    )
    executor = make_executor(config, configuration.trial, base_folder)
    try:
        return retrain(candidates, plan, executor, listen)
    finally:
        executor.close()


def _warn_of_seeds(configuration: Configuration) -> None:
    if configuration.kind == "command" and not uses_seed(configuration.trial):
        warnings.warn(
            "the command has no {seed}; unless the program reads SPIKETUNE_SEED, all its trainings "
            "are the same",
            stacklevel=4,
        )
