"""Where the files of a data set are looked for."""

from __future__ import annotations

import os
from pathlib import Path

from spiketune.config.training import Dataset
from spiketune.data.cache import cache_folder
from spiketune.errors import DatasetError


def local_folders(config: Dataset) -> list[Path]:
    """Folders that may hold the files, the first to be looked into first.

    `root:` of the configuration alone, if it is given; else `SPIKETUNE_DATA` and the cache
    folder's downloads. A sub-folder called after the data set is as good.
    """
    if config.root is not None:
        root = Path(config.root).expanduser()
        return [root, root / config.name]
    folders = [cache_folder() / "downloads" / config.name]
    if named := os.environ.get("SPIKETUNE_DATA"):
        root = Path(named).expanduser()
        folders = [root, root / config.name, *folders]
    return folders


def find(names: tuple[str, ...], folders: list[Path]) -> Path | None:
    """The first file or folder of one of these names."""
    paths = (folder / name for folder in folders for name in names)
    return next((path for path in paths if path.exists()), None)


def required(names: tuple[str, ...], config: Dataset) -> Path:
    """The first file or folder of one of these names, which cannot be downloaded.

    Raises:
        DatasetError: If there is none.
    """
    folders = local_folders(config)
    found = find(names, folders)
    if found is None:
        raise DatasetError(
            f"no {' or '.join(names)} of '{config.name}' in {' or '.join(map(str, folders))}; put "
            "the official files into a folder and name it in trial.dataset.root"
        )
    return found
