"""N-MNIST: MNIST's digits seen by a moving event camera, 34 x 34 pixels, two polarities.

Takes the official `Train.zip` and `Test.zip`, or the folders `Train` and `Test` unpacked from
them, with files `<digit>/<id>.bin` of five bytes an event: x, y, then the polarity as the top
bit of 24, of which the other 23 are the time in microseconds, most significant byte first. Both
polarities are input neurons of their own: the input has the shape (2, 34, 34).

Source: Orchard, Jayawant, Cohen & Thakor (2015), "Converting Static Image Datasets to Spiking
Neuromorphic Datasets Using Saccades", Frontiers in Neuroscience 9:437.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spiketune.config.training import Dataset
from spiketune.data.cache import Arrays, cached
from spiketune.data.events import Events, EventWriter, source_key
from spiketune.data.files import required
from spiketune.data.registry import DataSet
from spiketune.data.splits import Labelled
from spiketune.errors import ConfigError, DatasetError

SIZE: Final = 34
_SIZES: Final = (28, SIZE)
_EVENT_BYTES: Final = 5
# A marker in place of an event: the camera's clock of 13 bits went round once more.
_CLOCK_WENT_ROUND_Y: Final = 240
_CLOCK_PERIOD_US: Final = 1 << 13
_MEMBER: Final = re.compile(r"(?P<digit>\d)/[^/]+\.bin")
# What operating systems add to folders and archives.
_IS_BOOKKEEPING: Final = re.compile(r"(^|/)(\.|__MACOSX/|Thumbs\.db$)")
_AGAIN: Final = "delete it and fetch it again"


class _Recording(NamedTuple):
    """Where a recording lies: its name within the source, its class and its size in bytes."""

    name: str
    digit: int
    n_bytes: int


def recording_events(content: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times and sources of the events in a file.

    Args:
        content: Of the file.

    Returns:
        Times in microseconds and sources, polarity * 34 * 34 + y * 34 + x, (n_events,) each.

    Raises:
        ValueError: If it is not whole events of this camera.
    """
    if not content:
        raise ValueError("is empty")
    if len(content) % _EVENT_BYTES:
        raise ValueError(f"has {len(content)} bytes, which is no multiple of {_EVENT_BYTES}")
    rows = np.frombuffer(content, np.uint8).reshape(-1, _EVENT_BYTES).astype(np.int64)
    x, y = rows[:, 0], rows[:, 1]
    polarity = rows[:, 2] >> 7
    times_us = (rows[:, 2] & 0x7F) << 16 | rows[:, 3] << 8 | rows[:, 4]
    is_marker = y == _CLOCK_WENT_ROUND_Y
    if is_marker.any():
        times_us = times_us + _CLOCK_PERIOD_US * np.cumsum(is_marker)
        x, y, polarity, times_us = (v[~is_marker] for v in (x, y, polarity, times_us))
    if len(x) and max(int(x.max()), int(y.max())) >= SIZE:
        raise ValueError(f"has an event at ({x.max()}, {y.max()}), beyond {SIZE} x {SIZE} pixels")
    return times_us, polarity * SIZE * SIZE + y * SIZE + x


def pixel_targets(size: int) -> NDArray[np.uint16]:
    """The input neuron of each source when the picture is brought to `size` x `size` pixels."""
    polarity, y, x = np.indices((2, SIZE, SIZE)).reshape(3, -1)
    row, column = y * size // SIZE, x * size // SIZE
    return (polarity * size * size + row * size + column).astype(np.uint16)


def _part(part: str, config: Dataset) -> Labelled:
    size = SIZE if config.size is None else config.size
    if size not in _SIZES:
        known = " and ".join(map(str, _SIZES))
        raise ConfigError("trial.dataset.size", f"'nmnist' comes in {known}, got {size}")
    source = required((f"{part}.zip", part), config)
    paths = [source] if source.is_file() else [source, *sorted(source.glob("[0-9]"))]
    arrays = cached(source_key(f"nmnist-{part.lower()}", paths), partial(_convert, source, part))
    events = Events.stored(arrays, pixel_targets(size), (2, size, size))
    return Labelled(events, np.asarray(arrays["labels"]))


def _convert(source: Path, part: str) -> Arrays:
    if source.is_dir():
        files = (path for path in source.rglob("*") if path.is_file())
        sizes = [(path.relative_to(source).as_posix(), path.stat().st_size) for path in files]
        return _events(source, sizes, lambda name: (source / name).read_bytes())
    try:
        with zipfile.ZipFile(source) as archive:
            members = {
                info.filename.removeprefix(f"{part}/"): info
                for info in archive.infolist()
                if not info.is_dir()
            }
            sizes = [(name, info.file_size) for name, info in members.items()]
            return _events(source, sizes, lambda name: _read(archive, members[name]))
    except zipfile.BadZipFile as error:
        raise DatasetError(f"{source}: damaged or cut short ({error}); {_AGAIN}") from error


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise ValueError(f"is damaged ({error})") from error


def _recordings(source: Path, sizes: Iterable[tuple[str, int]]) -> list[_Recording]:
    """Every file, ordered by name, so that archive and folder give the same samples."""
    recordings = []
    for name, n_bytes in sorted(sizes):
        if _IS_BOOKKEEPING.search(name):
            continue
        match = _MEMBER.fullmatch(name)
        if match is None:
            raise DatasetError(
                f"{source}: '{name}' is no recording of N-MNIST, which are called "
                f"{source.stem}/<digit>/<id>.bin; give the official file"
            )
        recordings.append(_Recording(name, int(match["digit"]), n_bytes))
    if not recordings:
        raise DatasetError(f"{source}: holds no recordings; {_AGAIN}")
    return recordings


def _events(source: Path, sizes: Iterable[tuple[str, int]], read: Callable[[str], bytes]) -> Arrays:
    recordings = _recordings(source, sizes)
    writer = EventWriter(sum(recording.n_bytes // _EVENT_BYTES for recording in recordings))
    for recording in recordings:
        try:
            times_us, sources = recording_events(read(recording.name))
        except ValueError as error:
            raise DatasetError(f"{source}: {recording.name} {error}; {_AGAIN}") from error
        writer.add(times_us, sources, recording.digit)
    return writer.arrays()


NMNIST: Final = DataSet(
    name="nmnist",
    summary="MNIST seen by an event camera, 2 x 34 x 34, 10 classes, 60,000 + 10,000 recordings",
    labelled=partial(_part, "Train"),
    test=partial(_part, "Test"),
    keys=frozenset({"frames", "size"}),
)
