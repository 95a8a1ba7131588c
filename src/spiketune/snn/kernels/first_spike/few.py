"""First spike times of neurons with few inputs, in vector instructions.

For a membrane twice as slow as its synapses. All samples of a block take the same steps: a
sorting network puts the inputs into order, and what would be a branch is a choice between two
numbers. Times are compared as exp(t / 2), in which the threshold is met where a quadratic is
zero. Results are those of `one_pass` and `backward` up to rounding; so is the order of inputs,
which counts only for a spike within rounding of it.

Source: Batcher (1968), "Sorting networks and their applications", in the form of Knuth, The Art
of Computer Programming 3, algorithm 5.2.2M, which takes any number of inputs.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike.arrivals import earliest, prepare_delays
from spiketune.snn.kernels.first_spike.crossing import ROUNDING
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, SLOPE, UNTIL

# Above, the other way is faster.
MAX_INPUTS: Final = 64
BLOCK: Final = 64
# Rows of what is kept of a neuron for a block of samples.
_A, _E, _LEVEL, _BEST, _LAST, _ROOT, _UNTIL = (row * BLOCK for row in range(7))
_N_ROWS: Final = 7

_FORWARD: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64[:,::1], float64[:,::1],"
    " float64[:,:,::1])"
]


@compiled(None)
def read_block(times: Any, begin: int, size: int, first: Any, since: Any, grown: Any) -> None:
    """Input times of a block of samples from each sample's first, and exp(t / 2) of them.

    Both are infinite for what never comes; a block that is not full repeats its last sample.
    """
    n = times.shape[1]
    for b in range(BLOCK):
        sample = begin + min(b, size - 1)
        first[b] = earliest(times[sample])
        for i in range(n):
            t = times[sample, i]
            s = t - first[b] if t < math.inf else math.inf
            since[i, b], grown[i, b] = s, math.exp(0.5 * s)


@compiled(None)
def _exchange(x: Any, y: Any, u: Any, v: Any) -> None:
    """Put the smaller ones of two rows into the first, and likewise what goes with them."""
    for b in range(BLOCK):
        x_b, y_b, u_b, v_b = x[b], y[b], u[b], v[b]
        swap = y_b < x_b
        x[b] = y_b if swap else x_b
        y[b] = x_b if swap else y_b
        u[b] = v_b if swap else u_b
        v[b] = u_b if swap else v_b


@compiled(None)
def _sort(x: Any, u: Any) -> None:
    """Sort the columns of `x` by all rows of `u`, and those of `u` with them."""
    n, p = len(u), 1
    while 2 * p < n:
        p *= 2
    top = p
    while p > 0:
        q, r, d = top, 0, p
        while True:
            for i in range(n - d):
                if i & p == r:
                    _exchange(x[i], x[i + d], u[i], u[i + d])
            if q == p:
                break
            q, r, d = q // 2, p, q - p
        p //= 2


@compiled(None)
def _take(x: Any, next_x: Any, u: Any, rows: Any) -> None:
    """Add an input to the sums, and take their spike where it falls before the next input."""
    for b in range(BLOCK):
        here, following, weighted = x[b], next_x[b], u[b]
        a = rows[_A + b] + weighted
        e = rows[_E + b] + weighted * here
        rows[_A + b], rows[_E + b] = a, e
        root = math.sqrt(a * a - 4.0 * e * rows[_LEVEL + b])
        at = 2.0 * e / (a + root)
        best = rows[_BEST + b]
        valid = (
            (here < following)  # equal times act together
            & (at >= here * (1.0 - ROUNDING))
            & (at <= following * (1.0 + ROUNDING))
            & (best == math.inf)  # the first one holds
        )
        rows[_BEST + b] = at if valid else best
        rows[_LAST + b] = here if valid else rows[_LAST + b]
        rows[_ROOT + b] = root if valid else rows[_ROOT + b]


@compiled(None)
def _arrive(grown: Any, late_grown: float, w: float, x: Any, u: Any) -> None:
    """exp(t / 2) of an input of a neuron, and that times its weight, 0 if it never comes."""
    for b in range(BLOCK):
        arrived = grown[b] * late_grown
        x[b] = arrived
        u[b] = w * arrived if arrived < math.inf else 0.0


@compiled(None)
def _last_arrival(since: Any, grown: Any, late: float, late_grown: float, rows: Any) -> None:
    """Keep the last arrival that the spike was taken with."""
    for b in range(BLOCK):
        arrival, until = since[b] + late, rows[_UNTIL + b]
        causal = (grown[b] * late_grown <= rows[_LAST + b]) & (arrival > until)
        rows[_UNTIL + b] = arrival if causal else until


@compiled(_FORWARD)
def forward_few(times: Any, weights: Any, delays: Any, c: Any, spikes: Any, kept: Any) -> None:
    """As `forward_one_pass`, for delays that all samples share."""
    n_neurons, n = weights.shape
    B = times.shape[0]
    since, grown = np.empty((n, BLOCK)), np.empty((n, BLOCK))
    x, u = np.empty((n + 1, BLOCK)), np.empty((n, BLOCK))
    x[n] = math.inf
    rows = np.empty(_N_ROWS * BLOCK)
    first = np.empty(BLOCK)
    late, late_grown = np.zeros((n_neurons, n)), np.ones((n_neurons, n))
    lows, unused = np.zeros(n_neurons), np.empty((n_neurons, n))
    if delays.shape[0] > 0:
        prepare_delays(delays[0], DOUBLE, lows, late, late_grown, unused)
    for begin in range(0, B, BLOCK):
        size = min(BLOCK, B - begin)
        read_block(times, begin, size, first, since, grown)
        for m in range(n_neurons):
            for b in range(BLOCK):
                rows[_A + b], rows[_E + b] = 0.0, 0.0
                rows[_BEST + b], rows[_LAST + b] = math.inf, -1.0
                rows[_ROOT + b], rows[_UNTIL + b] = 0.0, -math.inf
                rows[_LEVEL + b] = c[begin + min(b, size - 1) if c.shape[0] > 1 else 0, m]
            for i in range(n):
                _arrive(grown[i], late_grown[m, i], weights[m, i], x[i], u[i])
            _sort(x, u)
            for k in range(n):
                _take(x[k], x[k + 1], u[k], rows)
            for i in range(n):
                _last_arrival(since[i], grown[i], late[m, i], late_grown[m, i], rows)
            for b in range(size):
                best, sample = rows[_BEST + b], begin + b
                silent = best == math.inf
                spikes[sample, m] = 2.0 * math.log(best) + first[b] + lows[m]
                kept[sample, m, SLOPE] = 0.0 if silent else 0.5 * rows[_ROOT + b] / best
                kept[sample, m, UNTIL] = rows[_UNTIL + b]
