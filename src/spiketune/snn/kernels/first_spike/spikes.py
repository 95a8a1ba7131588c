"""What the kernels of first spike times take and give: arrays, and what they keep of a spike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Time constants of the membrane over that of the synapses that have closed forms.
EQUAL: Final = 1.0
DOUBLE: Final = 2.0

# What is kept of a spike, by position.
SLOPE, UNTIL = 0, 1


@dataclass(frozen=True, slots=True)
class Spikes:
    """What a layer did.

    Attributes:
        times: Spike times, infinite for silent neurons, (B, M); for a pack, (G, B, M).
        kept: For the backward pass, (..., 2): the slope of the membrane at the spike, and the
            last arrival before it, in a neuron's own time; minus infinity for silent neurons.
    """

    times: Floats
    kept: Floats

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Which neurons stayed silent, as `times`."""
        return np.isinf(self.times)


@dataclass(frozen=True, slots=True)
class Gradients:
    """What a layer passes back.

    Attributes:
        weights: Summed over the batch, (M, n); for a pack, (G, M, n).
        times: Of the inputs, (B, n); for a pack, (G, B, n).
        delays: As the delays were given; None where there are none.
        n_capped: How many gradients of a neuron in a sample were left out for their size.
    """

    weights: Floats
    times: Floats
    delays: Floats | None
    n_capped: int
