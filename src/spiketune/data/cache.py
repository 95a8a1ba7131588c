"""Arrays made once per machine and memory-mapped by every worker after that."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_log = logging.getLogger(__name__)

# Arrays that could not be stored, so that this process at least makes them once.
_not_stored: dict[Path, dict[str, NDArray[Any]]] = {}


def cache_folder() -> Path:
    """Where downloads and converted data are kept: `SPIKETUNE_CACHE`, or the platform's place."""
    if named := os.environ.get("SPIKETUNE_CACHE"):
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "spiketune"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "spiketune" / "cache"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "spiketune"


def cached(key: str, make: Callable[[], Arrays]) -> dict[str, NDArray[Any]]:
    """The arrays stored under a key; made, and stored, on first use.

    Two processes may make the same arrays at once: the first rename wins, and both read
    the same files. Where the folder cannot be written the arrays are made in memory, once per
    process.

    Args:
        key: A name fit for a folder, which changes whenever the arrays would.
        make: Makes the arrays.

    Returns:
        The arrays, memory-mapped copy-on-write: writing to them changes no file.
    """
    folder = cache_folder() / "arrays" / key
    if folder in _not_stored:
        return dict(_not_stored[folder])
    if not folder.is_dir():
        arrays = dict(make())
        try:
            _store(folder, arrays)
        except OSError as error:
            _log.warning("cannot keep converted data in %s: %s", folder, error)
            _not_stored[folder] = arrays
            return dict(arrays)
    return {path.stem: np.load(path, mmap_mode="c") for path in sorted(folder.glob("*.npy"))}


def _store(folder: Path, arrays: Arrays) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, values in arrays.items():
            np.save(temporary / f"{name}.npy", values)
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():  # unless another process was first
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
