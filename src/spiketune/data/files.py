"""Where the files of a data set are looked for."""

from __future__ import annotations

import os
from pathlib import Path

from spiketune.config.training import Dataset
from spiketune.data.cache import cache_folder


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
