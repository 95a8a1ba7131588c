"""Small generated sets for networks of spike times: bars, exclusive or, and noisy patterns.

Every sample is a clean picture with values in [0, 1] plus normal noise, mirrored at 0 and 1. Train,
validation and test samples have noise of seeds of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketune.config.training import Dataset
from spiketune.data.cache import Arrays, cached
from spiketune.data.registry import DataSet
from spiketune.data.splits import Labelled

Floats = NDArray[np.float64]

# Samples, and the seed of their noise.
_PARTS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"train": (1200, 42), "validation": (300, 41), "test": (300, 40)}
)
_NOISE: Final = 0.1
_SIDE: Final = 3
_PATTERNS: Final = 5
_PATTERN_INPUTS: Final = 12
_PATTERN_SEED: Final = 7


def bars() -> tuple[Floats, NDArray[np.int64]]:
    """Pictures of 3 x 3 pixels with a bar: lying (0), standing (1) or along a diagonal (2)."""
    pictures, labels = [], []
    for place in range(_SIDE):
        lying = np.zeros((_SIDE, _SIDE))
        lying[place] = 1.0
        pictures += [lying, lying.T]
        labels += [0, 1]
    pictures += [np.eye(_SIDE), np.eye(_SIDE)[::-1]]
    return np.array(pictures), np.array([*labels, 2, 2])


def xor() -> tuple[Floats, NDArray[np.int64]]:
    """Two bits and their opposites, which are there because zeros may be late or silent."""
    bits = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return np.hstack([bits, 1.0 - bits]), np.array([0, 1, 1, 0])


def pattern() -> tuple[Floats, NDArray[np.int64]]:
    """Five patterns of twelve inputs, a class each, drawn once and for all."""
    rng = np.random.RandomState(_PATTERN_SEED)
    return rng.rand(_PATTERNS, _PATTERN_INPUTS), np.arange(_PATTERNS)


_CLEAN: Final = MappingProxyType({"bars": bars, "xor": xor, "pattern": pattern})


def generate(name: str, n_samples: int, seed: int) -> Arrays:
    """Noisy samples of balanced classes.

    Args:
        name: `bars`, `xor` or `pattern`.
        n_samples: How many; classes take turns.
        seed: Of the noise and of which picture of a class is taken.

    Returns:
        `inputs` (n, ...) float64 in [0, 1] and `labels` (n,).
    """
    pictures, classes = _CLEAN[name]()
    rng = np.random.RandomState(seed)
    labels = np.arange(n_samples) % (classes.max() + 1)
    which = np.array([rng.choice(np.flatnonzero(classes == label)) for label in labels])
    noise = _NOISE * rng.randn(n_samples, *pictures.shape[1:])
    order = rng.permutation(n_samples)
    inputs = 1.0 - np.abs(1.0 - np.abs(pictures[which] + noise))  # cut off, samples would be equal
    return {"inputs": inputs[order], "labels": labels[order].astype(np.int64)}


def _part(name: str, part: str, config: Dataset) -> Labelled:
    n_samples, seed = _PARTS[part]
    arrays = cached(f"{name}-v1-{part}", partial(generate, name, n_samples, seed))
    return Labelled(arrays["inputs"], arrays["labels"])


def _data_set(name: str, summary: str) -> DataSet:
    return DataSet(
        name=name,
        summary=f"{summary}, 1,800 samples, generated",
        labelled=partial(_part, name, "train"),
        validation=partial(_part, name, "validation"),
        test=partial(_part, name, "test"),
    )


BARS: Final = _data_set("bars", "noisy 3 x 3 pictures of a lying, standing or diagonal bar")
XOR: Final = _data_set("xor", "two noisy bits and their opposites, whether they differ")
PATTERN: Final = _data_set("pattern", "five noisy patterns of twelve inputs")
