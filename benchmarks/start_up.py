"""How long a training trial takes to start: from its submission to the end of its first batch.

The trial runs in a child of the fork server, caches warm, and trains for one epoch of a single
batch; the time ends when its report comes in, so validation is in it too. Part of
`benchmarks/training.py`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from spiketune.config.training import Dataset
from spiketune.data.registry import prepare
from spiketune.errors import DatasetError
from spiketune.executors.local import LocalExecutor
from spiketune.messages import Job, Report, Result

PRELOAD = ("spiketune.objectives.training",)
SECTIONS: dict[str, dict[str, Any]] = {
    "digits 64-100-10": {"name": "digits", "encoding": "rate", "train_share": 0.1},
    "nmnist 2312-100-10": {"name": "nmnist", "train_share": 0.1},
}


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds of each kind of trial; those whose data are missing are left out."""
    told: dict[str, Any] = {"case": "start-up", "target [ms]": 500}
    with tempfile.TemporaryDirectory() as folder:
        executor = LocalExecutor(1, preload=PRELOAD)
        for name, dataset in SECTIONS.items():
            try:
                prepare(Dataset.model_validate(dataset))
            except DatasetError:
                continue
            times = [
                _first_batch(executor, Path(folder) / name / str(number), number, dataset)
                for number in range(rounds + 1)
            ]
            told[name] = round(1000 * statistics.median(times[1:]))
            told[f"{name}, slowest"] = round(1000 * max(times[1:]))
        executor.close()
    return told


def _first_batch(
    executor: LocalExecutor, place: Path, number: int, dataset: dict[str, Any]
) -> float:
    section = {
        "device": "cpu",
        "dataset": dataset,
        "network": {"layers": [{"dense": 100}, {"dense": "classes"}]},
        "training": {"epochs": 1, "batch_size": 10_000},
    }
    job = Job("start-up", number, 1, section, {}, 0, 0, str(place), str(place))
    started_s, first_s, ended = time.monotonic(), 0.0, False
    executor.submit(job)
    while not ended:
        for message in executor.events(30.0):
            if isinstance(message, Report):
                first_s = first_s or time.monotonic() - started_s
            elif isinstance(message, Result):
                ended = True
            else:
                raise SystemExit(f"the trial failed: {message}")
    return first_s
