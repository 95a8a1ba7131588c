"""MNIST in 16 x 16 pixels: the middle 24 x 24 of each picture, averaged over areas.

Made from the files of `mnist`, which are looked for where that set looks for them.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketune.config.training import Dataset
from spiketune.data.cache import Arrays, cached
from spiketune.data.mnist import MnistFiles
from spiketune.data.registry import DataSet, Progress
from spiketune.data.splits import Labelled

SIZE: Final = 16
_MIDDLE: Final = 24
_FULL_SCALE: Final = 255.0
_AT_ONCE: Final = 4096


def shrunk(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of pictures, (n, 28, 28), in 16 x 16 pixels, each the mean of its area."""
    border = (pictures.shape[1] - _MIDDLE) // 2
    middle = pictures[:, border : border + _MIDDLE, border : border + _MIDDLE]
    # Share of each of 24 rows in each of 16: how much the two intervals overlap.
    ends = np.arange(SIZE + 1) * _MIDDLE / SIZE
    rows = np.arange(_MIDDLE)
    overlap = np.minimum(ends[1:, None], rows + 1) - np.maximum(ends[:-1, None], rows)
    shares = np.clip(overlap, 0.0, 1.0) * SIZE / _MIDDLE
    found = np.empty((len(pictures), SIZE, SIZE), np.uint8)
    for first in range(0, len(pictures), _AT_ONCE):
        some = middle[first : first + _AT_ONCE].astype(np.float64)
        found[first : first + _AT_ONCE] = np.rint(shares @ some @ shares.T)
    return found


def _as_mnist(config: Dataset) -> Dataset:
    return config.model_copy(update={"name": "mnist"})


def _part(files: MnistFiles, prefix: str, config: Dataset) -> Labelled:
    def make() -> Arrays:
        whole = files.part(prefix, _as_mnist(config))
        return {"inputs": shrunk(np.asarray(whole.inputs)), "labels": whole.labels}

    content = "-".join(value[:8] for name, value in files.checksums.items() if prefix in name)
    arrays = cached(f"mnist-16-v1-{prefix}-{content}", make)
    return Labelled(arrays["inputs"], arrays["labels"], _FULL_SCALE)


def mnist_16(files: MnistFiles) -> DataSet:
    """The data set, from these files."""

    def prepare(config: Dataset, progress: Progress) -> None:
        files.prepare(_as_mnist(config), progress)

    return DataSet(
        name="mnist-16",
        summary="the digits of mnist in 16 x 16 pixels, 60,000 + 10,000 images",
        labelled=partial(_part, files, "train"),
        test=partial(_part, files, "t10k"),
        prepare=prepare,
    )


MNIST_16: Final = mnist_16(MnistFiles())
