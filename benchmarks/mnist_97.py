"""Trainings to 97 % validation accuracy on MNIST per hour, from the start of a fresh process.

Start-up, reading the data and validation are in it. One script each, turn about, one thread,
in processor time; a seed a round. Part of `benchmarks/training.py`.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

TARGET = 0.97
SCRIPTS = {"ours": "mnist_spiketune.py", "snntorch": "mnist_snntorch.py"}


def measure(rounds: int) -> dict[str, Any]:
    """Trainings per hour of either side, and the ratio."""
    times: dict[str, list[float]] = {side: [] for side in SCRIPTS}
    epochs: dict[str, list[int]] = {side: [] for side in SCRIPTS}
    for seed in range(rounds):
        for side, script in SCRIPTS.items():
            took_s, n_epochs = _trained(script, seed)
            times[side].append(took_s)
            epochs[side].append(n_epochs)
    pairs = zip(times["snntorch"], times["ours"], strict=True)
    return {
        "case": "mnist-97",
        "ratio": round(statistics.median(theirs / mine for theirs, mine in pairs), 2),
        **{f"{side}_per_hour": round(3600 / statistics.median(times[side])) for side in SCRIPTS},
        **{f"{side}_epochs": epochs[side] for side in SCRIPTS},
        **{f"{side}_s": [round(each, 1) for each in times[side]] for side in SCRIPTS},
    }


def _trained(script: str, seed: int) -> tuple[float, int]:
    """Processor seconds and epochs of one training."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), str(TARGET), str(seed)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    epoch, accuracy = said.split()
    if float(accuracy) < TARGET:
        raise SystemExit(f"{script} reached {accuracy} only, after {epoch} epochs")
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime), int(epoch)
