"""N-MNIST: archives and folders, and what can be wrong with them."""

import hashlib
import multiprocessing
import os
import zipfile
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spiketune.config.training import Dataset
from spiketune.data import nmnist
from spiketune.data.binning import Binning, frames_of
from spiketune.data.events import Events
from spiketune.data.nmnist import NMNIST, recording_events
from spiketune.data.registry import load
from spiketune.errors import DatasetError

from .recordings import nmnist_bytes, nmnist_members, write_nmnist, write_zip

REAL_DATA = os.environ.get("SPIKETUNE_DATA", "")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    write_nmnist(folder)
    return folder


def at(folder: Path, **keys: Any) -> Dataset:
    return Dataset(name="nmnist", root=str(folder), **keys)


def events_in(folder: Path, **keys: Any) -> Events:
    events = NMNIST.labelled(at(folder, **keys)).inputs
    assert isinstance(events, Events)
    return events


def test_the_bytes_of_an_event_are_its_pixel_polarity_and_time() -> None:
    content = nmnist_bytes([(5, 7, 1, 70_000), (33, 0, 0, 8_388_607)])
    times_us, sources = recording_events(content)
    assert times_us.tolist() == [70_000, 8_388_607]
    assert sources.tolist() == [34 * 34 + 7 * 34 + 5, 33]


def test_a_clock_that_went_round_moves_the_events_after_it() -> None:
    marker = (0, 240, 0, 0)
    times_us, sources = recording_events(
        nmnist_bytes([(1, 0, 0, 100), marker, (2, 0, 0, 5), marker, (3, 0, 0, 6)])
    )
    assert times_us.tolist() == [100, 8192 + 5, 2 * 8192 + 6]
    assert sources.tolist() == [1, 2, 3]


def test_no_recording_and_no_event_is_lost(files: Path) -> None:
    data = NMNIST.labelled(at(files))
    assert data.labels.tolist() == [digit for digit in range(10) for _ in range(5)]
    assert data.shape == (2, 34, 34)
    frames = frames_of(events_in(files), slice(None), Binning(4, counted=True))
    assert frames.sum(axis=(0, 2)).tolist() == [60] * 50


def test_a_smaller_picture_has_every_event_at_its_place(files: Path) -> None:
    events = events_in(files, size=28)
    assert events.shape == (50, 2, 28, 28)
    frames = frames_of(events, slice(None), Binning(4, counted=True)).reshape(4, 50, 2, 28, 28)
    assert frames.sum(axis=(0, 2, 3, 4)).tolist() == [60] * 50
    rows = frames.sum(axis=(0, 2, 4)).argmax(axis=1)
    assert rows.tolist() == [(3 * digit + 2) * 28 // 34 for digit in range(10) for _ in range(5)]


def test_unpacked_folders_are_as_good_as_the_archive(files: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(files / "Train.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    (tmp_path / "unpacked" / "Train" / ".DS_Store").write_bytes(b"left by a file manager")
    packed, unpacked = events_in(files), events_in(tmp_path / "unpacked")
    for name in ("times_us", "sources", "starts", "ends_us"):
        assert np.array_equal(getattr(packed, name), getattr(unpacked, name))


def test_an_archive_without_its_top_folder_is_as_good(files: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    members = nmnist_members("Train", 5)
    write_zip(flat / "Train.zip", {k.removeprefix("Train/"): v for k, v in members.items()})
    assert np.array_equal(events_in(flat).sources, events_in(files).sources)


def test_files_are_converted_once(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = events_in(files)
    monkeypatch.setattr(nmnist, "_convert", lambda *arguments: pytest.fail("converted again"))
    again = events_in(files, size=28, frames="count")
    assert np.array_equal(first.times_us, again.times_us)


def test_files_that_changed_are_converted_again(files: Path) -> None:
    assert len(events_in(files)) == 50
    write_zip(files / "Train.zip", nmnist_members("Train", 4))
    assert len(events_in(files)) == 40


def _convert_together(root: str, barrier: Barrier, answers: "SimpleQueue[str]") -> None:
    original = nmnist._convert

    def together(source: Path, part: str) -> Any:
        barrier.wait(60)
        arrays = original(source, part)
        barrier.wait(60)
        return arrays

    nmnist._convert = together
    events = NMNIST.labelled(at(Path(root))).inputs
    assert isinstance(events, Events)
    answers.put(hashlib.sha256(events.times_us.tobytes() + events.sources.tobytes()).hexdigest())


def test_two_processes_that_convert_at_once_leave_one_good_cache(files: Path, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.SimpleQueue()
    processes = [
        context.Process(target=_convert_together, args=(str(files), barrier, answers))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(list((cache / "arrays").iterdir())) == 1
    events = events_in(files)
    own = hashlib.sha256(events.times_us.tobytes() + events.sources.tobytes()).hexdigest()
    assert [answers.get(), answers.get()] == [own, own]


def test_training_opens_no_test_file(files: Path) -> None:
    (files / "Test.zip").write_bytes(b"not to be looked at")
    assert len(load(at(files)).train) == 40


def refused(files: Path, cache: Path, match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        NMNIST.labelled(at(files))
    assert not (cache / "arrays").exists()


@pytest.mark.parametrize("kept", [0, 10, 4000, -30])
def test_an_archive_cut_short_is_named(files: Path, cache: Path, kept: int) -> None:
    path = files / "Train.zip"
    path.write_bytes(path.read_bytes()[:kept])
    refused(files, cache, r"Train\.zip: damaged or cut short .*fetch it again")


def test_a_damaged_recording_is_named_with_its_archive(files: Path, cache: Path) -> None:
    path = files / "Train.zip"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("Train/3/00031.bin")
    content = bytearray(path.read_bytes())
    middle = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    content[middle : middle + 4] = b"\xff\x00\xff\x00"
    path.write_bytes(content)
    refused(files, cache, r"Train\.zip: 3/00031\.bin is damaged .*fetch it again")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"1234567", "has 7 bytes, which is no multiple of 5"),
        (nmnist_bytes([(34, 0, 0, 1)]), r"has an event at \(34, 0\), beyond 34 x 34 pixels"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_recording_that_is_none_is_named(
    files: Path, cache: Path, content: bytes, message: str, packed: bool
) -> None:
    members = {**nmnist_members("Train", 2), "Train/4/1.bin": content}
    if packed:
        write_zip(files / "Train.zip", members)
    else:
        (files / "Train.zip").unlink()
        for name, written in members.items():
            (files / name).parent.mkdir(parents=True, exist_ok=True)
            (files / name).write_bytes(written)
    refused(files, cache, rf"Train.*: 4/1\.bin {message}")


@pytest.mark.parametrize("name", ["Train/x/1.bin", "Train/1/1.txt", "Test/1/1.bin", "1/1.bin.gz"])
def test_a_member_of_another_name_is_refused(files: Path, cache: Path, name: str) -> None:
    members = nmnist_members("Train", 1)
    write_zip(files / "Train.zip", {**members, name: next(iter(members.values()))})
    refused(files, cache, r"Train\.zip: '.*' is no recording of N-MNIST.*Train/<digit>/<id>\.bin")


def test_an_archive_without_recordings_is_refused(files: Path, cache: Path) -> None:
    write_zip(files / "Train.zip", {})
    refused(files, cache, r"Train\.zip: holds no recordings")


def test_missing_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"no Train\.zip or Train of 'nmnist' in .*trial\.dataset\.root"
    ):
        NMNIST.labelled(at(tmp_path))


@pytest.mark.skipif(
    not (Path(REAL_DATA) / "nmnist" / "Train.zip").is_file(),
    reason="SPIKETUNE_DATA names no N-MNIST",
)
def test_the_real_files_hold_all_ten_digits() -> None:
    splits = load(at(Path(REAL_DATA)))
    assert splits.n_classes == 10
    assert splits.train.shape == (2, 34, 34)
    events = splits.train.inputs
    assert isinstance(events, Events)
    assert 250_000 < np.median(events.ends_us) < 350_000
