"""Frames of events, against examples counted by hand and the reference in plain NumPy."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketune.config.training import Dataset
from spiketune.data.binning import Binning, frames_of, reference_frames
from spiketune.data.events import Events, EventWriter

Recording = list[tuple[int, int]]


def events_of(recordings: list[Recording], n_sources: int, n_targets: int | None = None) -> Events:
    """Recordings of (time in microseconds, source)."""
    writer = EventWriter(sum(map(len, recordings)))
    for recording in recordings:
        times_us, sources = np.array(recording, np.int64).reshape(-1, 2).T
        writer.add(times_us, sources, label=0)
    n_targets = n_targets or n_sources
    targets = (np.arange(n_sources) * n_targets // n_sources).astype(np.uint16)
    return Events.stored(writer.arrays(), targets, (n_targets,))


def test_a_recording_is_cut_into_frames_of_equal_length() -> None:
    events = events_of([[(0, 0), (9, 1), (10, 1), (10, 1), (19, 0)], [(3, 1)]], 2)
    counts = frames_of(events, slice(None), Binning(2, counted=True))
    assert counts[:, 0].tolist() == [[1, 1], [1, 2]]
    assert counts[:, 1].tolist() == [[0, 0], [0, 1]]
    assert frames_of(events, slice(None), Binning(2))[:, 0].tolist() == [[1, 1], [1, 1]]


def test_an_event_at_the_edge_of_two_frames_belongs_to_the_later_one() -> None:
    events = events_of([[(999, 0), (1000, 0), (2000, 0)]], 1)
    found = frames_of(events, slice(None), Binning(3, dt_us=1000, counted=True))
    assert found[:, 0, 0].tolist() == [1, 1, 1]


def test_what_lies_beyond_the_last_frame_is_left_out() -> None:
    events = events_of([[(0, 0), (2000, 0)]], 1)
    assert frames_of(events, slice(None), Binning(2, dt_us=1000))[:, 0, 0].tolist() == [1, 0]


def test_a_recording_without_events_makes_empty_frames() -> None:
    events = events_of([[], [(5, 0)], []], 1)
    for binning in (Binning(3), Binning(3, dt_us=2)):
        assert frames_of(events, slice(None), binning).sum(axis=(0, 2)).tolist() == [0, 1, 0]


def test_samples_come_in_the_order_asked_for() -> None:
    events = events_of([[(0, source)] for source in range(4)], 4)[np.array([3, 1, 2])]
    found = frames_of(events, np.array([2, 0]), Binning(1))
    assert found.shape == (1, 2, 4)
    assert found[0].argmax(axis=1).tolist() == [2, 3]


RECORDINGS = st.lists(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=30), min_size=1, max_size=6
)


@given(
    recordings=RECORDINGS,
    steps=st.integers(1, 9),
    dt_us=st.none() | st.integers(1, 12),
    counted=st.booleans(),
    n_targets=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_the_kernel_does_as_the_reference(
    recordings: list[Recording],
    steps: int,
    dt_us: int | None,
    counted: bool,
    n_targets: int,
    seed: int,
) -> None:
    events = events_of(recordings, 7, n_targets)
    which = np.random.default_rng(seed).integers(0, len(recordings), 5)
    binning = Binning(steps, dt_us, counted)
    found, expected = (make(events, which, binning) for make in (frames_of, reference_frames))
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)
    if dt_us is None and counted:  # nothing is lost
        assert found.sum() == sum(len(recordings[recording]) for recording in which)


def test_the_number_of_frames_follows_from_the_longest_recording() -> None:
    events = events_of([[(2400, 0)], [(5000, 0)]], 1)
    config = Dataset(name="nmnist", dt_ms=1.0)
    assert Binning.configured(config, events) == Binning(6, 1000)
    assert Binning.configured(config, events[:1]) == Binning(3, 1000)
    longer = Dataset(name="nmnist", dt_ms=1.0, steps=50, frames="count")
    assert Binning.configured(longer, events) == Binning(6, 1000, counted=True)


def test_recordings_that_last_longer_than_the_steps_are_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = events_of([[(2400, 0)], [(5000, 0)]], 1)
    config = Dataset(name="nmnist", dt_ms=1.0, steps=3)
    with caplog.at_level(logging.WARNING):
        assert Binning.configured(config, events).steps == 3
    assert "1 of 2 recordings in 'nmnist' last longer than steps x dt_ms = 3 ms" in caplog.text


def test_times_beyond_what_is_stored_are_refused() -> None:
    for time_us in (-1, 2**32):
        with pytest.raises(ValueError, match="before 0 or beyond an hour"):
            EventWriter(1).add(np.array([time_us]), np.array([0]), label=0)
