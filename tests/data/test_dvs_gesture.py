"""DVS128 Gesture: files as tonic keeps them, and what can be wrong with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spiketune.config.training import Dataset
from spiketune.data.binning import Binning, frames_of
from spiketune.data.dvs_gesture import DVS_GESTURE
from spiketune.data.events import Events
from spiketune.data.registry import load
from spiketune.errors import ConfigError, DatasetError

pytest.importorskip("tonic", reason="needs the extra 'gesture'")


def write_gestures(folder: Path) -> None:
    """A row of x, y, polarity and milliseconds for each event; tonic wants 100 files at least."""
    for part in ("ibmGestureTrain", "ibmGestureTest"):
        for number in range(10):
            home = folder / "DVSGesture" / part / f"user{number + 1:02}_led"
            home.mkdir(parents=True)
            for label in range(11):
                rows = [[label * 11, 5, 1, 100], [label * 11, 6, 0, 107], [127, 127, 1, 119]]
                np.save(home / f"{label}.npy", np.array(rows, np.int64))
        (folder / "DVSGesture" / f"{part}.tar.gz").touch()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_gestures(tmp_path / "files")
    return tmp_path / "files"


def at(folder: Path, **keys: Any) -> Dataset:
    return Dataset(name="dvs-gesture", root=str(folder), **keys)


def test_recordings_become_frames_and_whole_subjects_are_held_out(files: Path) -> None:
    config = at(files, size=64, steps=20)
    splits = load(config)
    assert (len(splits.train), len(splits.validation), splits.n_classes) == (88, 22, 11)
    assert splits.train.input_shape == (2, 64, 64)
    seen, held_out = (set(part.groups["subject"]) for part in (splits.train, splits.validation))
    assert not seen & held_out
    events = splits.train.inputs
    assert isinstance(events, Events)
    frames = frames_of(events, slice(0, 1), Binning.configured(config, events))
    frames = frames.reshape(20, 2, 64, 64)
    label = int(splits.train.labels[0])
    x = label * 11 // 2
    assert sorted(map(tuple, np.argwhere(frames).tolist())) == sorted(
        [(0, 1, 2, x), (7, 0, 3, x), (19, 1, 63, 63)]
    )


def test_the_test_files_are_read_for_the_test_split_alone(files: Path) -> None:
    for path in (files / "DVSGesture" / "ibmGestureTest").rglob("*.npy"):
        path.write_bytes(b"never read")
    assert len(load(at(files)).train) == 88
    with pytest.raises(DatasetError, match=r"\.npy: damaged or cut short"):
        DVS_GESTURE.test(at(files))


def test_an_event_beyond_the_camera_is_refused_by_name(files: Path) -> None:
    path = files / "DVSGesture" / "ibmGestureTrain" / "user03_led" / "4.npy"
    np.save(path, np.array([[128, 0, 1, 5]]))
    with pytest.raises(DatasetError, match=r"user03_led/4\.npy: has an event beyond 128 x 128"):
        load(at(files))


def test_missing_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no ibmGestureTrain in .* datasets prepare"):
        load(at(tmp_path))


def test_a_size_it_does_not_come_in_is_refused(files: Path) -> None:
    with pytest.raises(ConfigError, match="comes in 16, 32, 64, 128, got 34"):
        load(at(files, size=34))
