"""Small files in the formats of the event data sets, written by the tests that read them."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

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
