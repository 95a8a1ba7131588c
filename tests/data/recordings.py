"""Small files in the formats of the event data sets, written by the tests that read them."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Event = tuple[int, int, int, int]


def nmnist_bytes(events: Sequence[Event]) -> bytes:
    """A recording of N-MNIST; each event is x, y, polarity and microseconds."""
    return b"".join(
        bytes([x, y, polarity << 7 | time_us >> 16, time_us >> 8 & 0xFF, time_us & 0xFF])
        for x, y, polarity, time_us in events
    )


def saccade(digit: int, rng: np.random.Generator) -> list[Event]:
    """A recording whose events lie in a row of pixels that tells the digit."""
    times_us = np.sort(rng.integers(0, 300_000, 60)).tolist()
    xs, polarities = rng.integers(0, 34, 60).tolist(), rng.integers(0, 2, 60).tolist()
    row = 3 * digit + 2
    return [(x, row, p, t) for x, p, t in zip(xs, polarities, times_us, strict=True)]


def nmnist_members(part: str, n_per_digit: int) -> dict[str, bytes]:
    """Names and contents of the recordings of `Train` or `Test`."""
    rng = np.random.default_rng([len(part), n_per_digit])
    return {
        f"{part}/{digit}/{10 * digit + copy:05}.bin": nmnist_bytes(saccade(digit, rng))
        for copy in range(n_per_digit)
        for digit in range(10)
    }


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """An archive with directories of its own, as the official ones have."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in sorted({f"{Path(name).parent}/" for name in members}):
            archive.writestr(folder, b"")
        for name, content in members.items():
            archive.writestr(name, content)


def write_nmnist(folder: Path) -> None:
    """`Train.zip` with 50 recordings and `Test.zip` with 10."""
    write_zip(folder / "Train.zip", nmnist_members("Train", 5))
    write_zip(folder / "Test.zip", nmnist_members("Test", 1))


def cochlea_content(n: int, seed: int) -> dict[str, Any]:
    """What a file of SHD holds: n recordings of 3 classes by 5 speakers, 40 spikes each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return {
        "spikes/times": [np.sort(rng.random(40)).astype(np.float16) for _ in range(n)],
        "spikes/units": [(200 * label + rng.integers(0, 99, 40)).astype("u2") for label in labels],
        "labels": labels.astype("u2"),
        "extra/speaker": (np.arange(n) // 3 % 5).astype("u2"),
    }


def write_cochlea(path: Path, content: Mapping[str, Any]) -> None:
    """An HDF5 file; a list becomes arrays of differing lengths."""
    h5py = pytest.importorskip("h5py", reason="needs the extra 'events'")
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            if not isinstance(values, list):
                file[name] = values
                continue
            kind = h5py.vlen_dtype(values[0].dtype)
            rows = file.create_dataset(name, (len(values),), kind)
            for index, row in enumerate(values):
                rows[index] = row


def write_shd(folder: Path) -> None:
    """`shd_train.h5` with 45 recordings and `shd_test.h5` with 9."""
    write_cochlea(folder / "shd_train.h5", cochlea_content(45, seed=1))
    write_cochlea(folder / "shd_test.h5", cochlea_content(9, seed=2))


def write_ssc(folder: Path) -> None:
    """`ssc_train.h5` with 30 recordings, `ssc_valid.h5` with 9 and `ssc_test.h5` with 9."""
    for seed, (part, n) in enumerate({"train": 30, "valid": 9, "test": 9}.items()):
        write_cochlea(folder / f"ssc_{part}.h5", cochlea_content(n, seed=seed + 3))
