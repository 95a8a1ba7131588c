"""The Yin-Yang set: points in a disc of which half is yin, half yang, and two dots.

Four inputs x, y, 1 - x, 1 - y and three classes. Sizes and seeds are those of the original:
5,000 / 1,000 / 1,000 samples from the seeds 42 / 41 / 40 for train, validation and test.

Source: Kriener, Göltz & Petrovici (2022), "The Yin-Yang Dataset", arXiv:2102.08211.
"""

from __future__ import annotations

from functools import partial
from math import hypot

import numpy as np

from spiketune.config.training import Dataset
from spiketune.data.cache import Arrays, cached
from spiketune.data.registry import DataSet
from spiketune.data.splits import Labelled

R_SMALL = 0.1
R_BIG = 0.5
_PARTS = {"train": (5000, 42), "validation": (1000, 41), "test": (1000, 40)}
YANG, YIN, DOT = 0, 1, 2


def class_of(x: float, y: float) -> int:
    """Class of a point in the disc of radius `R_BIG` around (R_BIG, R_BIG)."""
    to_left = hypot(x - 0.5 * R_BIG, y - R_BIG)
    to_right = hypot(x - 1.5 * R_BIG, y - R_BIG)
    if min(to_left, to_right) < R_SMALL:
        return DOT
    in_left_half_disc = R_SMALL < to_left <= 0.5 * R_BIG
    above_right_half_disc = y > R_BIG and to_right > 0.5 * R_BIG
    on_the_dots_rim = to_right == R_SMALL
    return YIN if in_left_half_disc or above_right_half_disc or on_the_dots_rim else YANG


def generate(n_samples: int, seed: int) -> Arrays:
    """Draw samples as the original generator does, number for number.

    A class is drawn first, then points until one of that class lies in the disc: the classes
    are balanced.

    Args:
        n_samples: How many.
        seed: Of a `numpy.random.RandomState`.

    Returns:
        `inputs` (n, 4) float64 in [0, 1] and `labels` (n,).
    """
    rng = np.random.RandomState(seed)
    points = np.empty((n_samples, 2))
    labels = np.empty(n_samples, dtype=np.int64)
    for sample in range(n_samples):
        goal = rng.randint(3)
        label = -1
        while label != goal:
            x, y = (rng.rand(2) * 2.0 * R_BIG).tolist()
            label = class_of(x, y) if hypot(x - R_BIG, y - R_BIG) <= R_BIG else -1
        points[sample], labels[sample] = (x, y), label
    return {"inputs": np.hstack([points, 1.0 - points]), "labels": labels}


def _part(name: str, config: Dataset) -> Labelled:
    n_samples, seed = _PARTS[name]
    arrays = cached(f"yin_yang-v1-{name}", partial(generate, n_samples, seed))
    return Labelled(arrays["inputs"], arrays["labels"])


YIN_YANG = DataSet(
    name="yin-yang",
    summary="points of the Yin-Yang sign, 4 inputs, 3 classes, 7,000 samples, generated",
    labelled=partial(_part, "train"),
    validation=partial(_part, "validation"),
    test=partial(_part, "test"),
)
