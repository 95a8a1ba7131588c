"""DVS128 Gesture: eleven hand and arm movements seen by an event camera, 128 x 128 pixels.

Read, and fetched where it is missing, by tonic, in whose form recordings are cut to one gesture
each. Both polarities are input neurons of their own: the input has the shape (2, size, size).

Source: Amir et al. (2017), "A Low Power, Fully Event-Based Gesture Recognition System", IEEE
Conference on Computer Vision and Pattern Recognition, 7243-7252.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketune.config.training import Dataset
from spiketune.data.cache import Arrays, cached
from spiketune.data.events import Events, EventWriter, groups_of, source_key
from spiketune.data.files import local_folders
from spiketune.data.registry import DataSet, Progress
from spiketune.data.splits import Labelled
from spiketune.errors import ConfigError, DatasetError

SIZE: Final = 128
_SIZES: Final = (16, 32, 64, 128)
_FOLDER: Final = "DVSGesture"  # tonic's
_PARTS: Final = {"train": "ibmGestureTrain", "test": "ibmGestureTest"}


def pixel_targets(size: int) -> NDArray[np.uint16]:
    """The input neuron of each source when the picture is brought to `size` x `size` pixels."""
    polarity, y, x = np.indices((2, SIZE, SIZE)).reshape(3, -1)
    row, column = y * size // SIZE, x * size // SIZE
    return (polarity * size * size + row * size + column).astype(np.uint16)


def _labelled(part: str, config: Dataset) -> Labelled:
    size = 32 if config.size is None else config.size
    if size not in _SIZES:
        known = ", ".join(map(str, _SIZES))
        raise ConfigError("trial.dataset.size", f"'dvs-gesture' comes in {known}, got {size}")
    folder = _found(part, config)
    if folder is None:
        places = " or ".join(str(place / _FOLDER) for place in local_folders(config))
        raise DatasetError(
            f"no {_PARTS[part]} in {places}; `spiketune datasets prepare dvs-gesture` fetches it"
        )
    source = folder / _FOLDER / _PARTS[part]
    arrays = cached(source_key(f"dvs-gesture-{part}", [source]), partial(_convert, folder, part))
    events = Events.stored(arrays, pixel_targets(size), (2, size, size))
    return Labelled(events, np.asarray(arrays["labels"]), groups=groups_of(arrays, ["subject"]))


def _found(part: str, config: Dataset) -> Path | None:
    folders = local_folders(config)
    return next((folder for folder in folders if (folder / _FOLDER / _PARTS[part]).is_dir()), None)


def _opened(folder: Path, part: str) -> Any:
    """Tonic's view of a part; it downloads what is not there."""
    try:
        from tonic.datasets import DVSGesture
    except ImportError as error:
        raise DatasetError(
            "'dvs-gesture' is read by tonic: pip install 'spiketune[gesture]'"
        ) from error
    return DVSGesture(str(folder), train=part == "train")


def _convert(folder: Path, part: str) -> Arrays:
    recordings = _opened(folder, part)
    order = np.argsort(recordings.data)  # tonic lists folders in the order of the disk
    writer = EventWriter()
    for index in order:
        path = recordings.data[index]
        try:
            events, label = recordings[index]
        except (ValueError, EOFError, OSError, IndexError) as error:
            raise DatasetError(f"{path}: damaged or cut short ({error}); fetch it again") from error
        writer.add(*_columns(events, path), int(label))
    subjects = np.array(recordings.users, np.int64)[order]
    return {**writer.arrays(), "subject": subjects}


def _columns(events: NDArray[Any], path: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times since the first event in microseconds, and sources."""
    x, y, polarity = (events[name].astype(np.int64) for name in ("x", "y", "p"))
    if len(x) and (min(x.min(), y.min()) < 0 or max(x.max(), y.max()) >= SIZE):
        raise DatasetError(f"{path}: has an event beyond {SIZE} x {SIZE} pixels; fetch it again")
    times_us = events["t"].astype(np.int64)
    times_us = times_us - (times_us.min() if len(times_us) else 0)
    return times_us, polarity * SIZE * SIZE + y * SIZE + x


def _prepare(config: Dataset, progress: Progress) -> None:
    for part, name in _PARTS.items():
        if _found(part, config) is None:
            progress(name, 0, None)
            folder = local_folders(config)[0]
            try:
                _opened(folder, part)
            except (OSError, RuntimeError) as error:
                raise DatasetError(
                    f"cannot fetch {name} into {folder / _FOLDER}: {error}; put tonic's files "
                    "there, or name their folder in trial.dataset.root"
                ) from error


DVS_GESTURE: Final = DataSet(
    name="dvs-gesture",
    summary="11 gestures seen by an event camera, 2 x 32 x 32 (`size`), 1,077 + 264 recordings",
    labelled=partial(_labelled, "train"),
    test=partial(_labelled, "test"),
    prepare=_prepare,
    keys=frozenset({"frames", "size"}),
    usual_group="subject",
)
