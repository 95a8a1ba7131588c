"""First spike times of many neurons with the same arrivals, in vector instructions.

Without delays all neurons of a layer get their inputs in the same order: a sample's inputs are
sorted once, and each is added to the sums of all neurons at a time. Where the membrane could have
reached the threshold since, which a few products tell, the time is found as in `one_pass`. For
time constants with closed forms.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike.arrivals import earliest, grow
from spiketune.snn.kernels.first_spike.crossing import rises_double, rises_equal
from spiketune.snn.kernels.first_spike.sorting import sort_indices
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, SLOPE, UNTIL

# From so many neurons on, this is the faster way.
MIN_NEURONS: Final = 16
# Of a comparison that tells where it is worth to look closer.
_SLACK: Final = 1e-9

_SIGNATURE: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,::1], float64, float64[:,::1],"
    " float64[:,:,::1])"
]


@compiled(None)
def _arrive(weights: Any, first: float, second: float, a: Any, e: Any) -> None:
    """Add an input to the sums of all neurons."""
    for m in range(len(weights)):
        a[m] += weights[m] * first
        e[m] += weights[m] * second


@compiled(None)
def _look_double(a: Any, e: Any, level: Any, grown: float, following: float, look: Any) -> int:
    """Where c x^2 - a x + e is zero or less at the next input, or at its lowest point before."""
    n = 0
    for m in range(len(a)):
        lowest = 0.5 * a[m] / level[m]
        reached = following * (level[m] * following * (1.0 - _SLACK) - a[m]) + e[m] <= 0.0
        near = (lowest * (1.0 + _SLACK) >= grown) & (lowest <= following)
        reached |= near & (e[m] <= 0.5 * a[m] * lowest * (1.0 + _SLACK))
        look[m] = 1 if reached else 0
        n += 1 if reached else 0
    return n


@compiled(None)
def _look_equal(
    e: Any, s: Any, level: Any, here: float, following: float, grown: float, look: Any
) -> int:
    """Where (e t - s) exp(-t) is the threshold at the next input, or peaks before it."""
    n = 0
    for m in range(len(e)):
        reached = e[m] * following - s[m] >= level[m] * grown * (1.0 - _SLACK)
        # It peaks at 1 + s / e.
        top = e[m] + s[m]
        near = (e[m] > 0.0) & (top >= e[m] * (here - _SLACK)) & (top <= e[m] * following)
        look[m] = 1 if reached | near else 0
        n += 1 if reached | near else 0
    return n


@compiled(_SIGNATURE)
def forward_wide(times: Any, by_input: Any, c: Any, rho: float, spikes: Any, kept: Any) -> None:
    """As `forward_one_pass`, without delays.

    Args:
        times: (B, n).
        by_input: The weights the other way round, (n, M).
        c: (1, M) or (B, M).
        rho: `EQUAL` or `DOUBLE`.
        spikes: Filled, (B, M).
        kept: Filled, (B, M, 2).
    """
    n, n_neurons = by_input.shape
    since, slows, fasts = np.empty(n), np.empty(n), np.empty(n)
    order, spare = np.empty(n, np.int64), np.empty(n, np.int64)
    a, e, look = np.empty(n_neurons), np.empty(n_neurons), np.empty(n_neurons)
    for b in range(times.shape[0]):
        spikes[b, :] = math.inf
        kept[b, :, SLOPE], kept[b, :, UNTIL] = 0.0, -math.inf
        first, n_there = earliest(times[b]), 0
        for i in range(n):
            if times[b, i] < math.inf:
                since[i] = times[b, i] - first
                slows[i], fasts[i] = grow(since[i], rho)
                order[n_there] = i
                n_there += 1
        sort_indices(since, order, n_there, spare)
        level = c[b if c.shape[0] > 1 else 0]
        # For rho = 1 `a` is the sum of w t exp(t).
        a[:], e[:] = 0.0, 0.0
        n_left = n_neurons
        for k in range(n_there):
            i = order[k]
            here, slow = since[i], slows[i]
            _arrive(by_input[i], slow if rho == DOUBLE else here * fasts[i], fasts[i], a, e)
            following, next_slow, next_fast = math.inf, math.inf, math.inf
            if k + 1 < n_there:
                after = order[k + 1]
                following, next_slow, next_fast = since[after], slows[after], fasts[after]
            if following == here:  # equal times act together
                continue
            if rho == DOUBLE:
                n_looks = _look_double(a, e, level, slow, next_slow, look)
            else:
                n_looks = _look_equal(e, a, level, here, following, next_fast, look)
            if n_looks == 0:
                continue
            for m in range(n_neurons):
                if look[m] == 0.0 or spikes[b, m] < math.inf:
                    continue
                if rho == DOUBLE:
                    at = rises_double(a[m], e[m], level[m], here, following, slow, next_slow)
                    slope = 0.5 * a[m] * math.exp(-0.5 * at)
                    slope = e[m] * math.exp(-at) - slope
                else:
                    at = rises_equal(e[m], a[m], level[m], here, following, next_fast)
                    slope = (e[m] - (e[m] * at - a[m])) * math.exp(-at)
                if at == at:
                    spikes[b, m] = at + first
                    kept[b, m, SLOPE], kept[b, m, UNTIL] = slope, here
                    n_left -= 1
            if n_left == 0:
                break
