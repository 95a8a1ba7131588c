"""Exact gradients of first spike times of neurons with few inputs, in vector instructions.

As `backward`, for a membrane twice as slow as its synapses; a block of samples at a time, as in
`few`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike.arrivals import prepare_delays
from spiketune.snn.kernels.first_spike.elementary import exp_row
from spiketune.snn.kernels.first_spike.few import BLOCK, read_block
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, SLOPE, UNTIL

# Rows of what is kept of a neuron for a block of samples.
_FALL, _PUSH, _UNTIL, _STEEPEST = (row * BLOCK for row in range(4))
_N_ROWS: Final = 4

_SIGNATURE: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64[:,::1], float64[:,:,::1],"
    " float64[:,::1], float64, float64[:,::1], float64[:,::1], float64[:,:,::1], int64[::1])"
]


@compiled(None)
def _differentiate(
    since: Any, grown: Any, late: float, late_grown: float, w: float, rows: Any, by: Any
) -> None:
    """Derivatives with respect to a weight, and then to when its input arrives, into `by`."""
    for b in range(BLOCK):
        causal = (since[b] + late <= rows[_UNTIL + b]) & (rows[_PUSH + b] != 0.0)
        x = grown[b] * late_grown * rows[_FALL + b] if causal else 0.0
        push, steepest = rows[_PUSH + b], rows[_STEEPEST + b]
        by_weight = push * (x * x - x)
        steep = abs(by_weight)
        by[b] = by_weight
        by[BLOCK + b] = w * (push * (x * x - 0.5 * x))
        rows[_STEEPEST + b] = steepest if steep <= steepest else steep


@compiled(None)
def _limit(by: Any, rows: Any, largest_dw: float) -> None:
    """Nothing from samples whose gradient is too steep."""
    for b in range(BLOCK):
        passes = rows[_STEEPEST + b] <= largest_dw
        by[b] = by[b] if passes else 0.0
        by[BLOCK + b] = by[BLOCK + b] if passes else 0.0


@compiled(None)
def _add(by: Any, sums: Any) -> None:
    """Add the derivatives with respect to arrivals to the sums of an input."""
    for b in range(BLOCK):
        sums[b] += by[BLOCK + b]


@compiled(None)
def _totals(by: Any) -> tuple[float, float]:
    """The sums of both rows, by halves; overwrites them."""
    half = BLOCK // 2
    while half > 0:
        for b in range(half):
            by[b] += by[half + b]
            by[BLOCK + b] += by[BLOCK + half + b]
        half //= 2
    return by[0], by[BLOCK]


@compiled(_SIGNATURE)
def backward_few(
    times: Any,
    weights: Any,
    delays: Any,
    spikes: Any,
    kept: Any,
    grad: Any,
    largest_dw: float,
    weights_grad: Any,
    times_grad: Any,
    delays_grad: Any,
    n_capped: Any,
) -> None:
    """As `backward_one_by_one`, for delays that all samples share."""
    n_neurons, n = weights.shape
    B, delayed = times.shape[0], delays.shape[0] > 0
    since, grown = np.empty((n, BLOCK)), np.empty((n, BLOCK))
    by, by_time = np.empty((n, 2 * BLOCK)), np.empty((n, BLOCK))
    rows, first, spare = np.empty(_N_ROWS * BLOCK), np.empty(BLOCK), np.empty(2 * BLOCK)
    late, late_grown = np.zeros((n_neurons, n)), np.ones((n_neurons, n))
    lows, unused = np.zeros(n_neurons), np.empty((n_neurons, n))
    if delayed:
        prepare_delays(delays[0], DOUBLE, lows, late, late_grown, unused)
    for begin in range(0, B, BLOCK):
        size = min(BLOCK, B - begin)
        read_block(times, begin, size, first, since, grown, spare)
        by_time[:] = 0.0
        for m in range(n_neurons):
            for b in range(BLOCK):
                sample = begin + min(b, size - 1)
                g, slope = grad[sample, m], kept[sample, m, SLOPE]
                # Where the membrane touches the threshold there is no gradient.
                passes = b < size and g != 0.0 and slope != 0.0
                spare[b] = -0.5 * (spikes[sample, m] - (first[b] + lows[m])) if passes else 0.0
                rows[_PUSH + b] = g / slope if passes else 0.0
                rows[_UNTIL + b] = kept[sample, m, UNTIL]
                rows[_STEEPEST + b] = 0.0
            exp_row(spare[:BLOCK], rows[_FALL : _FALL + BLOCK], spare[BLOCK:])
            for i in range(n):
                _differentiate(
                    since[i], grown[i], late[m, i], late_grown[m, i], weights[m, i], rows, by[i]
                )
            n_steep = 0
            for b in range(BLOCK):
                n_steep += 0 if rows[_STEEPEST + b] <= largest_dw else 1
            if n_steep > 0:
                n_capped[0] += n_steep
                for i in range(n):
                    _limit(by[i], rows, largest_dw)
            for i in range(n):
                _add(by[i], by_time[i])
                by_weight, by_delay = _totals(by[i])
                weights_grad[m, i] += by_weight
                if delayed:
                    delays_grad[0, m, i] += by_delay
        for b in range(size):
            for i in range(n):
                times_grad[begin + b, i] = by_time[i, b]
