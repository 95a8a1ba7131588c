"""Spoken words as the spikes of an artificial cochlea with 700 channels: SHD and SSC.

Takes the official HDF5 files, packed (`.h5.gz`) or not: `shd_train` and `shd_test`, or
`ssc_train`, `ssc_valid` and `ssc_test`. They hold `spikes/times` in seconds and `spikes/units`,
one array a recording, `labels`, and `extra/speaker`. SHD has no validation split of its own:
whole speakers are held out unless the configuration says otherwise, since a network that has
heard a speaker knows him better than it will know others.

Source: Cramer, Stradmann, Schemmel & Zenke (2022), "The Heidelberg Spiking Data Sets for the
Systematic Evaluation of Spiking Neural Networks", IEEE TNNLS 33(7).
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketune.config.training import Dataset
from spiketune.data.cache import Arrays, cached
from spiketune.data.events import Events, EventWriter, groups_of, source_key
from spiketune.data.files import required
from spiketune.data.registry import DataSet
from spiketune.data.splits import Labelled
from spiketune.errors import ConfigError, DatasetError, InputError

CHANNELS: Final = 700
_TIMES: Final = "spikes/times"
_UNITS: Final = "spikes/units"
_LABELS: Final = "labels"
_SPEAKERS: Final = "extra/speaker"
_US_PER_S: Final = 1e6
_AT_ONCE: Final = 256  # recordings; reading one by one takes several times as long
_AGAIN: Final = "delete it and fetch it again"


def channel_targets(channels: int) -> NDArray[np.uint16]:
    """The input neuron of each channel when neighbours are summed up to so many channels.

    Raises:
        ConfigError: If there are fewer than that.
    """
    if channels > CHANNELS:
        raise ConfigError("trial.dataset.channels", f"must be <= {CHANNELS}, got {channels}")
    return (np.arange(CHANNELS) * channels // CHANNELS).astype(np.uint16)


def _part(stem: str, config: Dataset) -> Labelled:
    channels = CHANNELS if config.channels is None else config.channels
    targets = channel_targets(channels)
    source = required((f"{stem}.h5", f"{stem}.h5.gz"), config)
    arrays = cached(source_key(stem, [source]), partial(_convert, source))
    events = Events.stored(arrays, targets, (channels,))
    return Labelled(
        events, np.asarray(arrays["labels"]), groups=groups_of(arrays, names=("speaker",))
    )


def _convert(source: Path) -> Arrays:
    h5py = _h5py()
    try:
        with _unpacked(source) as stream, h5py.File(stream, "r") as file:
            return _arrays(h5py, file)
    except ValueError as error:
        raise DatasetError(f"{source}: {error}; give the official file") from error
    except (OSError, RuntimeError, EOFError, zlib.error) as error:
        raise DatasetError(f"{source}: damaged or cut short ({error}); {_AGAIN}") from error


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            "SHD and SSC are HDF5 files, which need h5py: pip install 'spiketune[events]'"
        ) from error
    module: ModuleType = h5py
    return module


@contextmanager
def _unpacked(source: Path) -> Iterator[IO[bytes]]:
    if source.suffix != ".gz":
        with source.open("rb") as stream:
            yield stream
        return
    with tempfile.TemporaryFile() as stream:
        with gzip.open(source) as packed:
            shutil.copyfileobj(packed, stream)
        stream.seek(0)
        yield stream


def _arrays(h5py: ModuleType, file: Any) -> Arrays:
    """What is stored of an open file.

    Raises:
        ValueError: If something is missing in it, or is not what it should be.
    """
    for name in (_TIMES, _UNITS, _LABELS):
        if not isinstance(file.get(name), h5py.Dataset):
            raise ValueError(f"holds no '{name}', so it is no file of SHD or SSC")
    labels = np.asarray(file[_LABELS])
    if not len(labels):
        raise ValueError("holds no recordings")
    sizes = {name: len(file[name]) for name in (_TIMES, _UNITS, _LABELS)}
    speakers = None
    if _SPEAKERS in file:
        speakers = np.asarray(file[_SPEAKERS])
        sizes[_SPEAKERS] = len(speakers)
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{n} in '{name}'" for name, n in sizes.items())
        raise ValueError(f"holds different numbers of recordings ({told})")
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ValueError(f"holds '{_LABELS}' that are no whole numbers from 0 on")
    writer = EventWriter()
    for first in range(0, len(labels), _AT_ONCE):
        batch = slice(first, first + _AT_ONCE)
        recordings = zip(file[_TIMES][batch], file[_UNITS][batch], labels[batch], strict=True)
        for index, (times_s, units, label) in enumerate(recordings, start=first):
            try:
                _add(writer, np.asarray(times_s), np.asarray(units), int(label))
            except ValueError as error:
                raise ValueError(f"recording {index}: {error}") from error
    arrays = writer.arrays()
    return arrays if speakers is None else {**arrays, "speaker": speakers}


def _add(writer: EventWriter, times_s: NDArray[Any], units: NDArray[Any], label: int) -> None:
    if len(times_s) != len(units):
        raise ValueError(f"{len(times_s)} in '{_TIMES}', but {len(units)} in '{_UNITS}'")
    if units.dtype.kind not in "iu" or times_s.dtype.kind not in "fiu":
        raise ValueError(f"'{_TIMES}' and '{_UNITS}' are {times_s.dtype} and {units.dtype}")
    if len(units) and not 0 <= units.min() <= units.max() < CHANNELS:
        raise ValueError(f"'{_UNITS}' lie outside 0 to {CHANNELS - 1}")
    if not np.isfinite(times_s).all():
        raise ValueError(f"'{_TIMES}' are not all finite")
    writer.add(np.rint(times_s.astype(np.float64) * _US_PER_S).astype(np.int64), units, label)


SHD: Final = DataSet(
    name="shd",
    summary="spoken digits as spikes of 700 channels, 20 classes, 8,156 + 2,264 recordings",
    labelled=partial(_part, "shd_train"),
    test=partial(_part, "shd_test"),
    keys=frozenset({"frames", "channels"}),
    usual_group="speaker",
)

SSC: Final = DataSet(
    name="ssc",
    summary="spoken commands as spikes of 700 channels, 35 classes, 105,829 recordings",
    labelled=partial(_part, "ssc_train"),
    validation=partial(_part, "ssc_valid"),
    test=partial(_part, "ssc_test"),
    keys=frozenset({"frames", "channels"}),
)
