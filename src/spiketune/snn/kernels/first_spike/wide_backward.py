"""Exact gradients of first spike times of many neurons with the same arrivals.

As `backward`, without delays; an input of a sample is taken for all neurons at a time, as in
`wide`.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike.arrivals import earliest, grow
from spiketune.snn.kernels.first_spike.sorting import sort_indices
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, SLOPE, UNTIL

_SIGNATURE: Final = [
    "void(float64[:,::1], float64[:,::1], float64, float64[:,::1], float64[:,:,::1],"
    " float64[:,::1], float64, float64[:,::1], float64[:,::1], int64[::1])"
]


@compiled(None)
def _steepest(
    arrival: float, slow: float, rho: float, fall: Any, at: Any, until: Any, steepest: Any
) -> None:
    """The largest derivative with respect to a weight so far, over its push."""
    for m in range(len(fall)):
        x = slow * fall[m] if arrival <= until[m] else 0.0
        value = x - x * x if rho == DOUBLE else (at[m] - arrival) * x
        value = abs(value)
        steepest[m] = steepest[m] if steepest[m] >= value else value


@compiled(None)
def _differentiate(
    arrival: float,
    slow: float,
    rho: float,
    fall: Any,
    at: Any,
    until: Any,
    push: Any,
    weights: Any,
    grad: Any,
    by_time: Any,
) -> None:
    """Add the derivatives with respect to an input's weights, and set those to its time."""
    for m in range(len(fall)):
        x = slow * fall[m] if arrival <= until[m] else 0.0
        past = at[m] - arrival
        value = x - x * x if rho == DOUBLE else past * x
        rise = x * x - 0.5 * x if rho == DOUBLE else (1.0 - past) * x
        grad[m] -= push[m] * value
        by_time[m] = push[m] * weights[m] * rise


@compiled(_SIGNATURE)
def backward_wide(
    times: Any,
    by_input: Any,
    rho: float,
    spikes: Any,
    kept: Any,
    grad: Any,
    largest_dw: float,
    by_input_grad: Any,
    times_grad: Any,
    n_capped: Any,
) -> None:
    """As `backward_one_by_one`, without delays; weights and their gradients are (n, M)."""
    n, n_neurons = by_input.shape
    since, slows = np.empty(n), np.empty(n)
    order, spare = np.empty(n, np.int64), np.empty(n, np.int64)
    fall, at, until = np.empty(n_neurons), np.empty(n_neurons), np.empty(n_neurons)
    push, steepest = np.empty(n_neurons), np.empty(n_neurons)
    by_time = np.empty(n_neurons)
    for b in range(times.shape[0]):
        first, n_there, last = earliest(times[b]), 0, -math.inf
        for i in range(n):
            if times[b, i] < math.inf:
                since[i] = times[b, i] - first
                slow, fast = grow(since[i], rho)
                slows[i] = slow if rho == DOUBLE else fast
                order[n_there] = i
                n_there += 1
        sort_indices(since, order, n_there, spare)
        for m in range(n_neurons):
            slope, g = kept[b, m, SLOPE], grad[b, m]
            # Where the membrane touches the threshold there is no gradient.
            passes = g != 0.0 and slope != 0.0
            at[m] = spikes[b, m] - first if passes else 0.0
            until[m] = kept[b, m, UNTIL] if passes else -math.inf
            fall[m] = math.exp(-at[m] / rho) if passes else 0.0
            push[m], steepest[m] = g / slope if passes else 0.0, 0.0
            last = max(last, until[m])
        n_causal = 0
        while n_causal < n_there and since[order[n_causal]] <= last:
            i = order[n_causal]
            _steepest(since[i], slows[i], rho, fall, at, until, steepest)
            n_causal += 1
        for m in range(n_neurons):
            if not abs(push[m]) * steepest[m] <= largest_dw:
                push[m] = 0.0
                n_capped[0] += 1
        for k in range(n_causal):
            i = order[k]
            _differentiate(
                since[i],
                slows[i],
                rho,
                fall,
                at,
                until,
                push,
                by_input[i],
                by_input_grad[i],
                by_time,
            )
            total = 0.0
            for m in range(n_neurons):
                total += by_time[m]
            times_grad[b, i] += total
