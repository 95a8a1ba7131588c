"""First spike times: one sort, then one pass over the inputs of a neuron.

With the inputs in order of arrival, sums over the inputs so far tell when a neuron would spike
if no more came; the first such time that lies before the next arrival is the spike. So a neuron
costs O(n) after an O(n log n) sort, where all prefixes against all inputs cost O(n^2).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike.arrivals import earliest, grow, prepare_delays
from spiketune.snn.kernels.first_spike.crossing import rises, rises_double, rises_equal
from spiketune.snn.kernels.first_spike.sorting import sort_indices
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, EQUAL, SLOPE, UNTIL

_SIGNATURE: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64[:,::1], float64, float64,"
    " float64[:,::1], float64[:,:,::1])"
]


@compiled(_SIGNATURE)
def forward_one_pass(
    times: Any,
    weights: Any,
    delays: Any,
    c: Any,
    rho: float,
    offset: float,
    spikes: Any,
    kept: Any,
) -> None:
    """Fill `spikes`, (B, M), and `kept`, (B, M, 2); the rest is as `entry.forward` takes it."""
    n_neurons, n = weights.shape
    n_delays = delays.shape[0]
    there, order, spare = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    since, arrivals = np.empty(n), np.empty(n)
    slows, fasts = np.empty(n), np.empty(n)
    shape = (n_neurons, n) if n_delays > 0 else (0, 0)
    late, late_slow, late_fast = np.empty(shape), np.empty(shape), np.empty(shape)
    lows = np.zeros(n_neurons)
    if n_delays == 1:
        prepare_delays(delays[0], rho, lows, late, late_slow, late_fast)
    for b in range(times.shape[0]):
        first = earliest(times[b])
        if first == math.inf:
            spikes[b, :] = math.inf
            kept[b, :, SLOPE], kept[b, :, UNTIL] = 0.0, -math.inf
            continue
        n_there = 0
        for i in range(n):
            since[i] = times[b, i] - first
            if since[i] < math.inf:
                slows[i], fasts[i] = grow(since[i], rho)
                there[n_there] = i
                n_there += 1
        if n_delays > 1:
            prepare_delays(delays[b], rho, lows, late, late_slow, late_fast)
        if n_delays == 0:
            arrivals[:] = since
            order[:n_there] = there[:n_there]
            sort_indices(arrivals, order, n_there, spare)
        for m in range(n_neurons):
            spikes[b, m], kept[b, m, SLOPE], kept[b, m, UNTIL] = math.inf, 0.0, -math.inf
            level = c[b if c.shape[0] > 1 else 0, m]
            if n_delays > 0:
                for k in range(n_there):
                    i = there[k]
                    arrivals[i] = since[i] + late[m, i]
                order[:n_there] = there[:n_there]
                sort_indices(arrivals, order, n_there, spare)
            start = first + lows[m]
            # Sums of w exp(t / rho), of w exp(t), and of w t exp(t) for equal time constants.
            a, e, s = 0.0, 0.0, 0.0
            if offset != 0.0:
                a, e = offset * math.exp(-start / rho), offset * math.exp(-start)
                s = e - start * e
            i = order[0]
            arrival, slow, fast = arrivals[i], slows[i], fasts[i]
            if n_delays > 0:
                slow, fast = slow * late_slow[m, i], fast * late_fast[m, i]
            for k in range(n_there):
                w = weights[m, i]
                if rho == DOUBLE:
                    a += w * slow
                    e += w * slow * slow
                elif rho == EQUAL:
                    e += w * fast
                    s += w * arrival * fast
                else:
                    a += w * slow
                    e += w * fast
                here, here_slow = arrival, slow
                arrival = math.inf
                if k + 1 < n_there:
                    i = order[k + 1]
                    arrival, slow, fast = arrivals[i], slows[i], fasts[i]
                    if n_delays > 0:
                        slow, fast = slow * late_slow[m, i], fast * late_fast[m, i]
                if arrival == here:  # equal times act together
                    continue
                if rho == DOUBLE:
                    at = rises_double(a, e, level, here, arrival, here_slow, slow)
                elif rho == EQUAL:
                    at = rises_equal(e, s, level, here, arrival, fast)
                else:
                    at = rises(a, e, level, rho, here, arrival)
                if at == at:
                    spikes[b, m] = at + start
                    kept[b, m, UNTIL] = here
                    if rho == EQUAL:
                        kept[b, m, SLOPE] = (e - (e * at - s)) * math.exp(-at)
                    else:
                        fall = a / rho * math.exp(-at / rho)
                        kept[b, m, SLOPE] = (e * math.exp(-at) - fall) / (rho - 1.0)
                    break
