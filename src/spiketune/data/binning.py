"""Events into frames: which time step and which input neuron an event belongs to.

Letters: `T` time steps, `B` batch, `N` input neurons.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketune.config.training import Dataset
from spiketune.data.events import Events

Frames = NDArray[np.float32]

_US_PER_MS = 1000.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Binning:
    """How recordings become frames.

    Attributes:
        steps: Number of frames T.
        dt_us: Length of a frame; None to cut each recording into T frames of equal length.
        counted: Whether a frame holds the number of events, or ones where there are any.
    """

    steps: int
    dt_us: int | None = None
    counted: bool = False

    @classmethod
    def configured(cls, config: Dataset, events: Events) -> Binning:
        """What a configuration asks for, given the recordings.

        With `dt_ms` the number of frames follows from the longest recording; `steps`, if it is
        given, is the most there can be.
        """
        counted = config.frames == "count"
        if config.dt_ms is None:
            return cls(config.steps, None, counted)
        dt_us = max(1, round(config.dt_ms * _US_PER_MS))
        ends_us = events.ends_us[events.chosen]
        steps = math.ceil(int(ends_us.max(initial=1)) / dt_us)
        if "steps" in config.model_fields_set and config.steps < steps:
            steps = config.steps
            _log.warning(
                "%d of %d recordings in '%s' last longer than steps x dt_ms = %g ms; "
                "what lies beyond is left out",
                np.count_nonzero(ends_us > steps * dt_us),
                len(events),
                config.name,
                steps * dt_us / _US_PER_MS,
            )
        return cls(steps, dt_us, counted)

    def rule(self, events: Events, recordings: NDArray[Any]) -> tuple[int, NDArray[np.int64]]:
        """The factor, and the divisor of each recording, that turn times into frames."""
        if self.dt_us is None:
            return self.steps, events.ends_us[recordings]
        return 1, np.full(len(recordings), self.dt_us, np.int64)


def frames_of(events: Events, which: NDArray[Any] | slice, binning: Binning) -> Frames:
    """The frames of some samples.

    Args:
        events: The recordings.
        which: Which samples, (B,).
        binning: How they become frames.

    Returns:
        (T, B, N), a fresh array.
    """
    from spiketune.data.event_kernels import add_events  # half a second, and not always needed

    recordings = events.chosen[which]
    factor, divisors = binning.rule(events, recordings)
    frames = np.zeros((binning.steps, len(recordings), math.prod(events.frame_shape)), np.float32)
    add_events(
        events.times_us,
        events.sources,
        events.starts,
        events.targets,
        recordings,
        factor,
        divisors,
        binning.counted,
        frames,
    )
    return frames


def reference_frames(events: Events, which: NDArray[Any] | slice, binning: Binning) -> Frames:
    """What `frames_of` must return, in plain NumPy."""
    recordings = events.chosen[which]
    factor, divisors = binning.rule(events, recordings)
    frames = np.zeros((binning.steps, len(recordings), math.prod(events.frame_shape)), np.float32)
    for sample, (recording, divisor) in enumerate(zip(recordings, divisors, strict=True)):
        own = slice(events.starts[recording], events.starts[recording + 1])
        steps = events.times_us[own].astype(np.int64) * factor // divisor
        inside = steps < binning.steps
        targets = events.targets[events.sources[own]]
        np.add.at(frames[:, sample], (steps[inside], targets[inside]), 1.0)
    return frames if binning.counted else np.minimum(frames, 1.0)
