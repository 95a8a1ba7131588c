"""What is known of a trained network on one split, as the plots read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketune.report.palette import BLUE, GREEN, ORANGE, PINK, RED, SKY

CLASS_COLORS: Final = (
    BLUE,
    ORANGE,
    GREEN,
    RED,
    PINK,
    SKY,
    "#f0e442",
    "#7a5c99",
    "#5a5f69",
    "#8c6d31",
)


@dataclass(frozen=True)
class NetworkRecord:
    """A trained network on one split.

    Attributes:
        arrays: Their keys are told in `spiketune.objectives.inspection`.
        history: Metrics after each epoch; may be empty.
    """

    arrays: Mapping[str, NDArray[Any]]
    history: Sequence[Mapping[str, float]] = ()

    @cached_property
    def labels(self) -> NDArray[Any]:
        """Class of each sample, (n,)."""
        return self.arrays["labels"]

    @cached_property
    def predictions(self) -> NDArray[Any]:
        """Class that each sample is told to be, (n,); -1 for none."""
        return self.arrays["predictions"]

    @cached_property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(max(self.labels.max(), self.predictions.max())) + 1

    def named(self, kind: str) -> dict[str, NDArray[Any]]:
        """Arrays by layer of one kind, such as `times`, from the input on."""
        start = f"{kind}:"
        return {k.removeprefix(start): v for k, v in self.arrays.items() if k.startswith(start)}

    @cached_property
    def output_times(self) -> NDArray[Any] | None:
        """Spike times of the output, (n, K), infinite for silence."""
        times = self.named("times")
        return times[list(times)[-1]] if times else None

    @cached_property
    def plane(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Values along both sides of the plane."""
        points = self.arrays.get("plane")
        return None if points is None else (np.unique(points[:, 0]), np.unique(points[:, 1]))

    def on_plane(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values at the points of the plane as a picture; not a number outside of the disc."""
        points, side = self.arrays["plane"], len(np.unique(self.arrays["plane"][:, 0]))
        outside = ((points - 0.5) ** 2).sum(axis=1) >= 0.25
        shown = np.where(outside | ~np.isfinite(values), np.nan, values)
        return shown.reshape(side, side).astype(np.float32)


def color_of(label: int) -> str:
    """The colour of a class, the same in every plot."""
    return CLASS_COLORS[label % len(CLASS_COLORS)]
