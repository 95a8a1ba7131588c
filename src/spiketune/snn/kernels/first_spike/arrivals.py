"""When inputs arrive at a neuron, and the exponentials that grow until then.

Arrivals are input times plus delays, and exponentials of sums are products, so what is taken per
neuron, sample and input is sums and products only. All count from a neuron's first possible
arrival, so that nothing overflows.
"""

from __future__ import annotations

import math
from typing import Any, Final

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, EQUAL

_PREPARE: Final = [
    "void(float64[:,::1], float64, float64[::1], float64[:,::1], float64[:,::1], float64[:,::1])"
]


@compiled(None)
def earliest(times: Any) -> float:
    """The first of some times, infinite if none is finite."""
    first = math.inf
    for i in range(len(times)):
        if times[i] < first:
            first = times[i]
    return first


@compiled(None)
def grow(since: float, rho: float) -> tuple[float, float]:
    """exp(t / rho) and exp(t)."""
    if rho == DOUBLE:
        slow = math.exp(0.5 * since)
        return slow, slow * slow
    fast = math.exp(since)
    return (fast if rho == EQUAL else math.exp(since / rho)), fast


@compiled(_PREPARE)
def prepare_delays(delays: Any, rho: float, lows: Any, since: Any, slow: Any, fast: Any) -> None:
    """Delays of a layer, (M, n), from each neuron's shortest on, and what grows with them."""
    for m in range(delays.shape[0]):
        lows[m] = earliest(delays[m])
        for i in range(delays.shape[1]):
            since[m, i] = delays[m, i] - lows[m]
            slow[m, i], fast[m, i] = grow(since[m, i], rho)
