"""MNIST: local files, downloads from a server of the test's own, and what can go wrong."""

import gzip
import hashlib
import os
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spiketune.config.training import Dataset
from spiketune.data.mnist import MnistFiles, mnist
from spiketune.data.registry import load, no_progress
from spiketune.errors import DatasetError


def idx(values: np.ndarray[Any, Any]) -> bytes:
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


RNG = np.random.default_rng(0)
CONTENT = {
    "train-images-idx3-ubyte": idx(RNG.integers(0, 256, (30, 4, 4))),
    "train-labels-idx1-ubyte": idx(np.arange(30) % 3),
    "t10k-images-idx3-ubyte": idx(RNG.integers(0, 256, (6, 4, 4))),
    "t10k-labels-idx1-ubyte": idx(np.arange(6) % 3),
}
CHECKSUMS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
CONFIG = Dataset(name="mnist")
OFFLINE = MnistFiles(CHECKSUMS, mirrors=("http://127.0.0.1:9/",))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def address(files: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(files))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def at(folder: Path) -> Dataset:
    return Dataset(name="mnist", root=str(folder))


def test_files_in_the_root_are_read(files: Path) -> None:
    train = mnist(OFFLINE).labelled(at(files))
    raw = CONTENT["train-images-idx3-ubyte"][16:]
    assert train.inputs.tobytes() == raw
    assert train.labels.tolist() == [label % 3 for label in range(30)]
    assert train.full_scale == 255.0


def test_a_second_load_needs_no_file(files: Path) -> None:
    first = mnist(OFFLINE).labelled(at(files))
    for path in files.iterdir():
        path.unlink()
    assert np.array_equal(mnist(OFFLINE).labelled(at(files)).inputs, first.inputs)


def test_training_opens_no_test_file(files: Path) -> None:
    for path in files.glob("t10k*"):
        path.write_bytes(b"not to be looked at")
    mnist(OFFLINE).labelled(at(files))
    prepare = mnist(OFFLINE).prepare
    assert prepare is not None
    prepare(at(files), no_progress)


@pytest.mark.parametrize("sub_folder", ["", "mnist"])
def test_the_data_folder_of_the_environment_is_searched(
    files: Path, sub_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.rename(tmp_path / "mnist")
    root = tmp_path / "mnist" if not sub_folder else tmp_path
    monkeypatch.setenv("SPIKETUNE_DATA", str(root))
    assert len(mnist(OFFLINE).test(CONFIG)) == 6


def test_missing_files_are_downloaded_once(address: str, files: Path, cache: Path) -> None:
    data_set = mnist(MnistFiles(CHECKSUMS, mirrors=("http://127.0.0.1:9/", address)))
    seen: list[tuple[str, int, int | None]] = []
    assert data_set.prepare is not None
    data_set.prepare(CONFIG, lambda *progress: seen.append(progress))
    assert {name for name, _, _ in seen} == {f"{name}.gz" for name in CONTENT}
    assert all(done == total for _, done, total in seen)
    for path in files.iterdir():
        path.unlink()
    assert len(data_set.labelled(CONFIG)) == 30
    assert len(data_set.test(CONFIG)) == 6
    downloads = cache / "downloads" / "mnist"
    assert sorted(path.name for path in downloads.iterdir()) == sorted(f"{n}.gz" for n in CONTENT)


def test_the_environment_can_name_a_mirror(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKETUNE_MNIST_URL", address)
    assert len(mnist(OFFLINE).labelled(CONFIG)) == 30


def test_a_wrong_download_is_refused_and_leaves_nothing(
    address: str, files: Path, cache: Path
) -> None:
    (files / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"a login page"))
    with pytest.raises(DatasetError, match=r"train-images.*wrong checksum.*trial\.dataset\.root"):
        mnist(MnistFiles(CHECKSUMS, mirrors=(address,))).labelled(CONFIG)
    assert list((cache / "downloads" / "mnist").iterdir()) == []


def test_without_a_network_the_message_names_the_file_and_the_remedy() -> None:
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte\.gz.*trial\.dataset\.root"):
        mnist(OFFLINE).labelled(CONFIG)


def test_a_root_without_the_files_is_named_and_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"trial\.dataset\.root: .* holds no train-images"):
        mnist(OFFLINE).labelled(at(tmp_path))


def test_a_file_cut_short_is_named(files: Path) -> None:
    path = files / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r"train-images.*cut short.*fetch it again"):
        mnist(OFFLINE).labelled(at(files))


def test_a_file_of_other_content_is_named(files: Path) -> None:
    (files / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(30))))
    with pytest.raises(DatasetError, match=r"train-labels.*wrong checksum"):
        mnist(OFFLINE).labelled(at(files))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\x00\x00\x0d\x01", "not an IDX file"), (idx(np.zeros(9))[:-1], "8 bytes of data where 9")],
)
def test_a_file_that_is_no_idx_file_is_refused(files: Path, content: bytes, message: str) -> None:
    name = "train-images-idx3-ubyte"
    (files / f"{name}.gz").unlink()
    (files / name).write_bytes(content)
    checksums = {**CHECKSUMS, name: hashlib.sha256(content).hexdigest()}
    with pytest.raises(DatasetError, match=message):
        mnist(MnistFiles(checksums)).labelled(at(files))


@pytest.mark.skipif("SPIKETUNE_DATA" not in os.environ, reason="SPIKETUNE_DATA names no MNIST")
def test_the_real_files_have_their_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKETUNE_DATA", REAL_DATA)
    splits = load(CONFIG)
    assert (len(splits.train), len(splits.validation)) == (48_000, 12_000)
    assert splits.train.shape == (28, 28)


REAL_DATA = os.environ.get("SPIKETUNE_DATA", "")
