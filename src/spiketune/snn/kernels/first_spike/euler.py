"""First spike times by Euler's method, for comparison with those in closed form.

Membrane and synaptic current take steps of equal length; a neuron spikes at the end of the step
that takes its membrane to the threshold. What is returned is what
`backward` needs for the exact gradient at that time. Letters and units as there.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike.arrivals import earliest
from spiketune.snn.kernels.first_spike.sorting import sort_indices
from spiketune.snn.kernels.first_spike.spikes import EQUAL, SLOPE, UNTIL, Floats, Spikes

_SIGNATURE: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64[:,::1], float64, float64,"
    " int64, float64[:,::1], float64[:,:,::1])"
]


@compiled(_SIGNATURE)
def _forward(
    times: Any,
    weights: Any,
    delays: Any,
    c: Any,
    rho: float,
    step: float,
    n_steps: int,
    spikes: Any,
    kept: Any,
) -> None:
    n_neurons, n = weights.shape
    arrivals = np.empty(n)
    order, spare = np.empty(n, np.int64), np.empty(n, np.int64)
    for b in range(times.shape[0]):
        first = earliest(times[b])
        for m in range(n_neurons):
            spikes[b, m], kept[b, m, SLOPE], kept[b, m, UNTIL] = math.inf, 0.0, -math.inf
            if first == math.inf:
                continue
            level = c[b if c.shape[0] > 1 else 0, m]
            # Times of the simulation count from 0, arrivals from the first one, as in `kept`.
            start = first
            arrivals[:] = times[b] - first
            if delays.shape[0] > 0:
                own = delays[b if delays.shape[0] > 1 else 0, m]
                low = earliest(own)
                arrivals[:] = arrivals + (own - low)
                start = first + low
            order[:] = np.arange(n)
            sort_indices(arrivals, order, n, spare)
            membrane, current, k = 0.0, 0.0, 0
            for q in range(n_steps):
                now = q * step
                while k < n and arrivals[order[k]] + start <= now:
                    current += weights[m, order[k]]
                    k += 1
                membrane += step * (current - membrane) / rho
                current -= step * current
                if membrane >= level:
                    at = now + step
                    spikes[b, m] = at
                    kept[b, m, UNTIL] = arrivals[order[k - 1]]
                    slope = 0.0
                    for j in range(k):
                        since = at - start - arrivals[order[j]]
                        w = weights[m, order[j]]
                        if rho == EQUAL:
                            slope += w * (1.0 - since) * math.exp(-since)
                        else:
                            fall = math.exp(-since / rho) / rho
                            slope += w * (math.exp(-since) - fall) / (rho - 1.0)
                    kept[b, m, SLOPE] = slope
                    break


def forward(
    times: Floats,
    weights: Floats,
    delays: Floats | None,
    rho: float,
    c: Floats | float,
    *,
    step: float,
    duration: float,
) -> Spikes:
    """First spike times from 0 to `duration` in steps of `step`; else as the exact `forward`."""
    B, M = len(times), len(weights)
    spikes, kept = np.empty((B, M)), np.empty((B, M, 2))
    given = np.empty((0, *weights.shape)) if delays is None else np.ascontiguousarray(delays)
    levels = np.full((1, M), c) if isinstance(c, float) else np.ascontiguousarray(c)
    _forward(
        np.ascontiguousarray(times),
        np.ascontiguousarray(weights),
        given,
        levels,
        float(rho),
        step,
        math.ceil(duration / step),
        spikes,
        kept,
    )
    return Spikes(spikes, kept)
