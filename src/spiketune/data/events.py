"""Recordings of events, kept as two short numbers an event and memory-mapped by every worker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketune.data.cache import Arrays

_FORMAT = 1  # of the stored arrays; a new number has every data set converted anew
_LONGEST_US = 2**32 - 2


@dataclass(frozen=True, slots=True)
class Events:
    """Recordings made of events, indexed like an array of samples.

    Attributes:
        times_us: When, since the start of the recording, all recordings one after the other,
            (n_events,), uint32; in any order within a recording.
        sources: Which pixel and polarity, or which channel, (n_events,), uint16.
        starts: Index of each recording's first event, and the end of the last,
            (n_recordings + 1,), int64.
        ends_us: Just after each recording's last event, at least 1, (n_recordings,), int64.
        targets: The input neuron that an event of each source reaches, (n_sources,), uint16.
        frame_shape: Shape of the input at one time step, such as (2, 34, 34).
        chosen: Which recordings are the samples, (n,).
    """

    times_us: NDArray[np.uint32]
    sources: NDArray[np.uint16]
    starts: NDArray[np.int64]
    ends_us: NDArray[np.int64]
    targets: NDArray[np.uint16]
    frame_shape: tuple[int, ...]
    chosen: NDArray[np.intp]

    @classmethod
    def stored(
        cls, arrays: Arrays, targets: NDArray[np.uint16], frame_shape: tuple[int, ...]
    ) -> Events:
        """All recordings in the arrays that `EventWriter` made."""
        starts = np.asarray(arrays["starts"])
        return cls(
            np.asarray(arrays["times_us"]),
            np.asarray(arrays["sources"]),
            starts,
            np.asarray(arrays["ends_us"]),
            targets,
            frame_shape,
            np.arange(len(starts) - 1),
        )

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, which: NDArray[Any] | slice) -> Events:
        return replace(self, chosen=self.chosen[which])

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples, then the shape of a frame."""
        return (len(self), *self.frame_shape)


class EventWriter:
    """Collects recordings into the arrays that are stored.

    Args:
        n_events: How many are expected; there may be more.
    """

    def __init__(self, n_events: int = 1 << 20) -> None:
        self._times_us = np.empty(n_events, np.uint32)
        self._sources = np.empty(n_events, np.uint16)
        self._starts, self._ends_us, self._labels = [0], list[int](), list[int]()

    def add(self, times_us: NDArray[Any], sources: NDArray[Any], label: int) -> None:
        """Add a recording.

        Args:
            times_us: Whole microseconds since its start, (n_events,).
            sources: (n_events,).
            label: Its class.

        Raises:
            ValueError: If a time is negative or beyond an hour.
        """
        first, last = self._starts[-1], self._starts[-1] + len(times_us)
        end_us = int(times_us.max()) + 1 if len(times_us) else 1
        if end_us > _LONGEST_US or (len(times_us) and times_us.min() < 0):
            raise ValueError("times lie before 0 or beyond an hour")
        if last > len(self._times_us):
            self._grow(max(last, 2 * len(self._times_us)))
        self._times_us[first:last] = times_us
        self._sources[first:last] = sources
        self._starts.append(last)
        self._ends_us.append(end_us)
        self._labels.append(label)

    def _grow(self, n_events: int) -> None:
        self._times_us = np.resize(self._times_us, n_events)
        self._sources = np.resize(self._sources, n_events)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is stored, `labels` among it."""
        n_events = self._starts[-1]
        return {
            "times_us": self._times_us[:n_events],
            "sources": self._sources[:n_events],
            "starts": np.array(self._starts, np.int64),
            "ends_us": np.array(self._ends_us, np.int64),
            "labels": np.array(self._labels, np.int64),
        }


def source_key(name: str, paths: Sequence[Path]) -> str:
    """A key for the cache that changes with the files or folders that events come from.

    Only size and time of change are looked at: reading gigabytes to learn that nothing has
    changed would take longer than a small trial.
    """
    facts = [f"v{_FORMAT}"]
    for path in paths:
        status = path.stat()
        facts.append(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}")
    return f"{name}-{hashlib.blake2b(chr(10).join(facts).encode(), digest_size=8).hexdigest()}"


def groups_of(arrays: Arrays, names: Iterable[str]) -> Mapping[str, NDArray[Any]]:
    """The groupings among the stored arrays."""
    return {name: np.asarray(arrays[name]) for name in names if name in arrays}
