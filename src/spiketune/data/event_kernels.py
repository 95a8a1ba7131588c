"""Compiled loops over events; imported on first use, since Numba takes half a second to load.

Serial and without parallel threads, so that a forked child may call them, and ready in children
of a process that has imported them.
"""

from __future__ import annotations

from typing import Any, Final

from numba import types
from numpy.typing import NDArray

from spiketune.compilation import compiled


def _read(kind: Any) -> Any:
    """A vector that is only read: memory-mapped recordings are."""
    return types.Array(kind, 1, "C", readonly=True)


_SIGNATURE: Final = types.void(
    _read(types.uint32),
    _read(types.uint16),
    _read(types.int64),
    _read(types.uint16),
    _read(types.int64),
    types.int64,
    _read(types.int64),
    types.boolean,
    types.float32[:, :, ::1],
)


@compiled([_SIGNATURE])
def add_events(
    times_us: NDArray[Any],
    sources: NDArray[Any],
    starts: NDArray[Any],
    targets: NDArray[Any],
    recordings: NDArray[Any],
    factor: int,
    divisors: NDArray[Any],
    counted: bool,
    frames: NDArray[Any],
) -> None:  # pragma: no cover - compiled
    """Enter the events of some recordings into frames of zeros.

    An event at time t belongs to frame `t * factor // divisor`; those beyond the last frame
    are left out. `spiketune.data.binning.reference_frames` defines what is right.

    Args:
        times_us: (n_events,), uint32.
        sources: (n_events,), uint16.
        starts: (n_recordings + 1,), int64.
        targets: Input neuron of each source, (n_sources,), uint16.
        recordings: Which recordings, (B,), int64.
        factor: The same for all recordings.
        divisors: (B,), int64.
        counted: Whether events that fall together are counted or make a single one.
        frames: (T, B, N), float32; written to.
    """
    steps = frames.shape[0]
    for sample in range(len(recordings)):
        recording = recordings[sample]
        divisor = divisors[sample]
        for event in range(starts[recording], starts[recording + 1]):
            step = times_us[event] * factor // divisor
            if step < steps:
                target = targets[sources[event]]
                if counted:
                    frames[step, sample, target] += 1.0
                else:
                    frames[step, sample, target] = 1.0
