"""One training of a chosen configuration with a fresh seed, measured on the test split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from spiketune.data.splits import TestPermit
from spiketune.objectives.training import train_and_test
from spiketune.objectives.trial import Trial


def retrain(trial: Trial) -> Mapping[str, float]:
    """Train `trial.params["section"]` and open the test split, once, on record.

    Returns:
        The metrics of validation and test.
    """
    folder = Path(trial.params["folder"])
    folder.mkdir(parents=True, exist_ok=True)

    def record(opening: Mapping[str, str]) -> None:
        with (folder / "test-opening.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(opening)) + "\n")

    permit = TestPermit.journalled(reason=trial.params["reason"], record=record)
    metrics, _ = train_and_test(
        trial.params["section"],
        seed=trial.seed,
        study_seed=trial.study_seed,
        permit=permit,
        folder=folder,
        on_epoch=lambda epoch, values: trial.report(epoch, **values),
    )
    return metrics
