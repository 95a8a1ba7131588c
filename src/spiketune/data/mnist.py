"""MNIST: 60,000 + 10,000 handwritten digits of 28 x 28 pixels.

Files are looked for in `root:` of the configuration, then in `SPIKETUNE_DATA` (the folder or
its `mnist` sub-folder), then in the cache folder, where they are downloaded to if missing.

Source: LeCun, Cortes & Burges (1998), "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from spiketune.config.training import Dataset
from spiketune.data.cache import Arrays, cache_folder, cached
from spiketune.data.download import fetch
from spiketune.data.files import find, local_folders
from spiketune.data.idx import read_idx
from spiketune.data.registry import DataSet, Progress
from spiketune.data.splits import Labelled
from spiketune.errors import DatasetError

# Both hold the original four files; the author's own site stopped serving them.
MIRRORS: Final = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# SHA-256 of the uncompressed content, so that a recompressed copy is as good.
CHECKSUMS: Final = MappingProxyType(
    {
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    }
)
_FULL_SCALE: Final = 255.0


@dataclass(frozen=True, slots=True)
class MnistFiles:
    """Where the files come from and what they must hold.

    Attributes:
        checksums: SHA-256 of the uncompressed content by file name.
        mirrors: Base addresses, tried in turn; `SPIKETUNE_MNIST_URL` goes before them all.
    """

    checksums: Mapping[str, str] = field(default_factory=lambda: CHECKSUMS)
    mirrors: tuple[str, ...] = MIRRORS

    def part(self, prefix: str, config: Dataset) -> Labelled:
        """The samples of `train` or `t10k`, converted on first use."""
        names = [name for name in self.checksums if name.startswith(prefix)]
        content = "-".join(self.checksums[name][:8] for name in names)
        arrays = cached(f"mnist-{prefix}-{content}", partial(self._read, prefix, config))
        return Labelled(arrays["inputs"], arrays["labels"], _FULL_SCALE)

    def prepare(self, config: Dataset, progress: Progress) -> None:
        """Download what is missing, and convert the training data."""
        folders = local_folders(config)
        for name in self.checksums:
            if find((f"{name}.gz", name), folders) is None:
                self._obtain(name, config, progress)
        self.part("train", config)

    def _read(self, prefix: str, config: Dataset) -> Arrays:
        images = self._obtain(f"{prefix}-images-idx3-ubyte", config)
        labels = self._obtain(f"{prefix}-labels-idx1-ubyte", config)
        inputs = read_idx(images, self.checksums[f"{prefix}-images-idx3-ubyte"])
        targets = read_idx(labels, self.checksums[f"{prefix}-labels-idx1-ubyte"])
        if inputs.ndim != 3 or targets.shape != inputs.shape[:1]:
            raise DatasetError(f"{images} and {labels} do not hold images and their labels")
        return {"inputs": inputs, "labels": targets.astype(np.int64)}

    def _obtain(self, name: str, config: Dataset, progress: Progress | None = None) -> Path:
        found = find((f"{name}.gz", name), local_folders(config))
        if found is not None:
            return found
        if config.root is not None:
            raise DatasetError(
                f"trial.dataset.root: {config.root} holds no {name}.gz; MNIST needs "
                f"{', '.join(f'{needed}.gz' for needed in self.checksums)} there, or no `root:` "
                "to download them"
            )
        override = os.environ.get("SPIKETUNE_MNIST_URL")
        mirrors = (override, *self.mirrors) if override else self.mirrors
        urls = [f"{mirror.rstrip('/')}/{name}.gz" for mirror in mirrors]
        target = cache_folder() / "downloads" / "mnist" / f"{name}.gz"
        return fetch(
            urls,
            target,
            check=lambda path: read_idx(path, self.checksums[name]),
            remedy="put the four MNIST files into a folder and name it in trial.dataset.root",
            progress=progress,
        )


def mnist(files: MnistFiles) -> DataSet:
    """The data set, from these files."""
    return DataSet(
        name="mnist",
        summary="28 x 28 handwritten digits, 10 classes, 60,000 + 10,000 images, 11 MB download",
        labelled=partial(files.part, "train"),
        test=partial(files.part, "t10k"),
        prepare=files.prepare,
    )


MNIST: Final = mnist(MnistFiles())
