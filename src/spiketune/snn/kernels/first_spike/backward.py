"""Exact gradients of first spike times, by the implicit function theorem.

What arrived before the spike has a gradient, in whatever order: nothing is sorted but the inputs
of a layer without delays, once a sample, so that the pass ends at the spike. The membrane over
the leak potential is the sum of w k(t - arrival) with
k(s) = (exp(-s / rho) - exp(-s)) / (rho - 1), s exp(-s) for rho = 1.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike.arrivals import earliest, grow, prepare_delays
from spiketune.snn.kernels.first_spike.sorting import sort_indices
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, EQUAL, SLOPE, UNTIL

_SIGNATURE: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64, float64[:,::1],"
    " float64[:,:,::1], float64[:,::1], float64, float64[:,::1], float64[:,::1],"
    " float64[:,:,::1], int64[::1])"
]


@compiled(_SIGNATURE)
def backward_one_by_one(
    times: Any,
    weights: Any,
    delays: Any,
    rho: float,
    spikes: Any,
    kept: Any,
    grad: Any,
    largest_dw: float,
    weights_grad: Any,
    times_grad: Any,
    delays_grad: Any,
    n_capped: Any,
) -> None:
    """Add to the three gradients and the count; the rest is as `entry.backward` takes it."""
    n_neurons, n = weights.shape
    n_delays = delays.shape[0]
    since, slows, fasts = np.empty(n), np.empty(n), np.empty(n)
    by_weight, by_time = np.empty(n), np.empty(n)
    there, spare = np.empty(n, np.int64), np.empty(n, np.int64)
    shape = (n_neurons, n) if n_delays > 0 else (0, 0)
    late, late_slow, late_fast = np.empty(shape), np.empty(shape), np.empty(shape)
    lows = np.zeros(n_neurons)
    if n_delays == 1:
        prepare_delays(delays[0], rho, lows, late, late_slow, late_fast)
    for b in range(times.shape[0]):
        first = earliest(times[b])
        if first == math.inf:
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
            sort_indices(since, there, n_there, spare)
        for m in range(n_neurons):
            until, slope, g = kept[b, m, UNTIL], kept[b, m, SLOPE], grad[b, m]
            # Where the membrane touches the threshold there is no gradient.
            if until == -math.inf or g == 0.0 or slope == 0.0:
                continue
            at = spikes[b, m] - (first + lows[m])
            slow_fall, fast_fall = math.exp(-at / rho), math.exp(-at)
            push, steepest = g / slope, 0.0
            n_causal = n_there
            for k in range(n_there):
                i = there[k]
                arrival = since[i]
                slow, fast = slows[i], fasts[i]
                if n_delays > 0:
                    arrival += late[m, i]
                    slow, fast = slow * late_slow[m, i], fast * late_fast[m, i]
                elif arrival > until:
                    n_causal = k
                    break
                by_weight[k] = by_time[k] = 0.0
                if arrival > until:
                    continue
                if rho == DOUBLE:
                    x = slow * slow_fall
                    value, rise = x - x * x, x * x - 0.5 * x
                elif rho == EQUAL:
                    x = fast * fast_fall
                    value, rise = (at - arrival) * x, (1.0 - (at - arrival)) * x
                else:
                    x, y = slow * slow_fall, fast * fast_fall
                    value, rise = (x - y) / (rho - 1.0), (y - x / rho) / (rho - 1.0)
                by_weight[k] = -push * value
                by_time[k] = push * weights[m, i] * rise
                steepest = max(steepest, abs(by_weight[k]))
            if not steepest <= largest_dw:
                n_capped[0] += 1
                continue
            for k in range(n_causal):
                i = there[k]
                weights_grad[m, i] += by_weight[k]
                times_grad[b, i] += by_time[k]
            if n_delays > 0:
                d = b if n_delays > 1 else 0
                for k in range(n_there):
                    delays_grad[d, m, there[k]] += by_time[k]
