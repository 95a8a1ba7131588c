"""What `retrain` stored of the test split, for all that shows it without opening it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiketune.errors import InputError

PREDICTIONS_FILE = "predictions.npz"


@dataclass(frozen=True, slots=True)
class StoredTest:
    """One network on the test split.

    Attributes:
        folder: Holds the network.
        arrays: `predictions` and `labels`, (n,) each, and what else was stored.
    """

    folder: Path
    arrays: dict[str, NDArray[np.generic]]

    @property
    def accuracy(self) -> float:
        """Share of the samples told correctly."""
        return float((self.arrays["predictions"] == self.arrays["labels"]).mean())


def stored_tests(run: Path) -> list[StoredTest]:
    """Every network that `retrain` measured on the test split, seed by seed.

    Args:
        run: Folder of a run or of a study.

    Raises:
        InputError: If there is none.
    """
    files = sorted((run / "retrain").glob(f"*/seed-*/{PREDICTIONS_FILE}"))
    if not files:
        raise InputError(
            f"{run}: nothing is stored of the test split; `spiketune retrain {run}` opens it, on "
            "record"
        )
    found = []
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            found.append(StoredTest(file.parent, dict(arrays)))
    return found
