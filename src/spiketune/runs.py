"""One training in a folder of its own: what `spiketune train` makes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spiketune.config.loading import Configuration, without_parameters
from spiketune.errors import InputError
from spiketune.executors.registry import n_cores
from spiketune.messages import Failure, Job, Report, Result, to_json
from spiketune.study.attempts import read_end
from spiketune.study.folder import provenance, write_atomically
from spiketune.study.running import signals_to


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one training lies: `run.yaml`, `metrics.jsonl`, `result.json`, checkpoints."""

    path: Path

    @property
    def configuration_file(self) -> Path:
        """The resolved configuration."""
        return self.path / "run.yaml"

    @property
    def result(self) -> Result | None:
        """How it ended, if it has."""
        end = read_end(self.path)
        return end if isinstance(end, Result) else None


def is_study(path: Path) -> bool:
    """Whether a folder holds a study."""
    return (path / "study.yaml").exists()


def train_once(
    configuration: Configuration, run: RunFolder, seed: int, listen: Callable[[Report], None]
) -> Result | Failure:
    """Train in this process; SIGINT and SIGTERM write a checkpoint and leave.

    Args:
        configuration: A file without ranges.
        run: Where to; a checkpoint there is gone on from.
        seed: Of weights, order and noise.
        listen: Told of every report.

    Raises:
        InputError: If the folder cannot be written.
    """
    from spiketune.objectives.execution import execute

    section = without_parameters(configuration.trial)
    document: dict[str, Any] = {"trial": section}
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        write_atomically(run.configuration_file, yaml.safe_dump(document, sort_keys=False))
        facts = {**provenance(configuration.base_folder), "seed": seed}
        write_atomically(run.path / "provenance.yaml", yaml.safe_dump(facts, sort_keys=False))
    except OSError as error:
        raise InputError(f"{run.path}: cannot be written: {error.strerror}") from error
    job = Job(
        study=run.path.name,
        number=0,
        attempt=1,
        section=section,
        params=section.get("params", {}),
        seed=seed,
        study_seed=0,
        folder=str(run.path.absolute()),
        checkpoint_folder=str((run.path / "checkpoints").absolute()),
        base_folder=configuration.base_folder,
        threads=n_cores(),
    )
    stop = threading.Event()

    metrics = (run.path / "metrics.jsonl").open("a", encoding="utf-8", buffering=1)
    with metrics as log, signals_to(stop.set):

        def send(report: Report) -> None:
            log.write(to_json(report) + "\n")
            listen(report)

        end = execute(job, send, stop.is_set)
    if isinstance(end, Result):
        write_atomically(run.path / "result.json", to_json(end))
    return end
