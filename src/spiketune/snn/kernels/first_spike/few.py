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
from spiketune.snn.kernels.first_spike.elementary import exp_row, log_row
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, SLOPE, UNTIL

# Above, the other way is faster.
MAX_INPUTS: Final = 64
BLOCK: Final = 32
# Rows of what is kept of a neuron for a block of samples.
_A, _E, _LEVEL, _HALF, _LAST, _UNTIL = (row * BLOCK for row in range(6))
_SPIKE_A, _SPIKE_E, _BEST, _ROOT = (row * BLOCK for row in range(6, 10))
_N_ROWS: Final = 10

_FORWARD: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64[:,::1], float64[:,::1],"
    " float64[:,:,::1])"
]


@compiled(None)
def read_block(
    times: Any, begin: int, size: int, first: Any, since: Any, grown: Any, spare: Any
) -> None:
    """Input times of a block of samples from each sample's first, and exp(t / 2) of them.

    Both are infinite for what never comes; a block that is not full repeats its last sample.
    """
    n = times.shape[1]
    for b in range(BLOCK):
        sample = begin + min(b, size - 1)
        first[b] = earliest(times[sample])
        for i in range(n):
            t = times[sample, i]
            since[i, b] = t - first[b] if t < math.inf else math.inf
    for i in range(n):
        for b in range(BLOCK):
            spare[b] = 0.5 * since[i, b]
        exp_row(spare[:BLOCK], grown[i], spare[BLOCK:])


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
    """Add an input to the sums, and keep them where they make a spike before the next input.

    They do where c x^2 - a x + e, which falls towards its lower root, is zero or less at the
    next input or at its lowest point before that; by rounding alone counts as less.
    """
    for b in range(BLOCK):
        here, following, weighted = x[b], next_x[b], u[b]
        a = rows[_A + b] + weighted
        e = rows[_E + b] + weighted * here
        rows[_A + b], rows[_E + b] = a, e
        level, last = rows[_LEVEL + b], rows[_LAST + b]
        lowest = a * rows[_HALF + b]
        reached = following * (level * following * (1.0 - ROUNDING) - a) + e <= 0.0
        reached |= (lowest >= here) & (lowest <= following) & (e <= 0.5 * a * lowest)
        # Equal times act together, and the first spike holds.
        spikes = reached & (here < following) & (last < 0.0)
        rows[_LAST + b] = here if spikes else last
        rows[_SPIKE_A + b] = a if spikes else rows[_SPIKE_A + b]
        rows[_SPIKE_E + b] = e if spikes else rows[_SPIKE_E + b]


@compiled(None)
def _solve(rows: Any) -> None:
    """Where the threshold is met, exp(t / 2), and how steeply, for the sums that were kept."""
    for b in range(BLOCK):
        a, e = rows[_SPIKE_A + b], rows[_SPIKE_E + b]
        square = a * a - 4.0 * e * rows[_LEVEL + b]
        root = math.sqrt(square if square > 0.0 else 0.0)
        at = 2.0 * e / (a + root)
        rows[_BEST + b] = at
        rows[_ROOT + b] = 0.5 * root / at


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
    first, spare = np.empty(BLOCK), np.empty(2 * BLOCK)
    late, late_grown = np.zeros((n_neurons, n)), np.ones((n_neurons, n))
    lows, unused = np.zeros(n_neurons), np.empty((n_neurons, n))
    if delays.shape[0] > 0:
        prepare_delays(delays[0], DOUBLE, lows, late, late_grown, unused)
    for begin in range(0, B, BLOCK):
        size = min(BLOCK, B - begin)
        read_block(times, begin, size, first, since, grown, spare)
        for m in range(n_neurons):
            for b in range(BLOCK):
                rows[_A + b], rows[_E + b] = 0.0, 0.0
                rows[_SPIKE_A + b], rows[_SPIKE_E + b] = 1.0, 1.0
                rows[_LAST + b], rows[_UNTIL + b] = -1.0, -math.inf
                level = c[begin + min(b, size - 1) if c.shape[0] > 1 else 0, m]
                rows[_LEVEL + b], rows[_HALF + b] = level, 0.5 / level
            for i in range(n):
                _arrive(grown[i], late_grown[m, i], weights[m, i], x[i], u[i])
            _sort(x, u)
            for k in range(n):
                _take(x[k], x[k + 1], u[k], rows)
            for i in range(n):
                _last_arrival(since[i], grown[i], late[m, i], late_grown[m, i], rows)
            _solve(rows)
            log_row(rows[_BEST : _BEST + BLOCK], spare[:BLOCK], spare[BLOCK:])
            for b in range(size):
                sample = begin + b
                kept[sample, m, UNTIL] = rows[_UNTIL + b]
                if rows[_LAST + b] < 0.0:
                    spikes[sample, m], kept[sample, m, SLOPE] = math.inf, 0.0
                else:
                    spikes[sample, m] = 2.0 * spare[b] + first[b] + lows[m]
                    kept[sample, m, SLOPE] = rows[_ROOT + b]
