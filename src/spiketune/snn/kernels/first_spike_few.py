"""First spike times of neurons with few inputs, all samples at once in vector instructions.

For a membrane twice as slow as its synapses. Every input is compared with every other instead of
sorted: with a few dozen inputs that is several times faster, because all samples of a batch take
the same steps. Times are compared as exp(t / 2), in which the threshold is met where a quadratic
is zero. Results are those of `kernels.first_spike` up to the order of summation.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled

# Above, sorting is faster.
MAX_INPUTS: Final = 32
_BLOCK: Final = 32

_FORWARD: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64[:,::1], float64[:,::1],"
    " float64[:,:,::1])"
]


@compiled(None)
def _prefix(
    arrivals: Any, grown: Any, k: int, weights: Any, a: Any, e: Any, following: Any
) -> None:
    """Sums over what arrived up to input `k`, and what comes next."""
    until = arrivals[k]
    for b in range(_BLOCK):
        a[b] = 0.0
        e[b] = 0.0
        following[b] = math.inf
    for i in range(len(weights)):
        w, when, x = weights[i], arrivals[i], grown[i]
        for b in range(_BLOCK):
            grown_b, before = x[b], following[b]
            there = when[b] <= until[b]
            h = grown_b if there else 0.0
            a[b] += w * h
            e[b] += w * h * h
            later = math.inf if there else grown_b
            following[b] = later if later < before else before


@compiled(None)
def _spike(
    x: Any, a: Any, e: Any, following: Any, level: Any, best: Any, until: Any, when: Any
) -> None:
    """Take the spike that the sums stand for where it falls before the next input."""
    for b in range(_BLOCK):
        root = a[b] * a[b] - 4.0 * e[b] * level[b]
        at = 2.0 * e[b] / (a[b] + math.sqrt(root))
        best_b, until_b, when_b = best[b], until[b], when[b]
        valid = (at >= x[b]) & (at <= following[b]) & (at < best_b)
        best[b] = at if valid else best_b
        until[b] = when_b if valid else until_b


@compiled(_FORWARD)
def forward_few(times: Any, weights: Any, delays: Any, c: Any, spikes: Any, kept: Any) -> None:
    """As the forward pass of `kernels.first_spike`, for delays that all samples share."""
    n_neurons, n = weights.shape
    B = times.shape[0]
    shape = (n, _BLOCK)
    since, grown = np.empty(shape), np.empty(shape)
    arrivals, arrived = np.empty(shape), np.empty(shape)
    a, e, following = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    best, until, level = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    first = np.empty(_BLOCK)
    late, late_grown, lows = np.zeros((n_neurons, n)), np.ones((n_neurons, n)), np.zeros(n_neurons)
    delayed = delays.shape[0] > 0
    if delayed:
        for m in range(n_neurons):
            low = math.inf
            for i in range(n):
                low = min(low, delays[0, m, i])
            lows[m] = low
            for i in range(n):
                late[m, i] = delays[0, m, i] - low
                late_grown[m, i] = math.exp(0.5 * late[m, i])
    for begin in range(0, B, _BLOCK):
        size = min(_BLOCK, B - begin)
        for b in range(_BLOCK):
            sample = begin + min(b, size - 1)
            low = math.inf
            for i in range(n):
                low = min(low, times[sample, i])
            first[b] = low
            for i in range(n):
                t = times[sample, i]
                # What never comes arrives after everything else, at a time that is not reached.
                since[i, b] = t - low if t < math.inf else math.inf
                grown[i, b] = math.exp(0.5 * (t - low)) if t < math.inf else math.inf
        for m in range(n_neurons):
            for b in range(_BLOCK):
                best[b], until[b] = math.inf, -math.inf
                level[b] = c[begin + min(b, size - 1) if c.shape[0] > 1 else 0, m]
            if delayed:
                for i in range(n):
                    d, g = late[m, i], late_grown[m, i]
                    for b in range(_BLOCK):
                        arrivals[i, b] = since[i, b] + d
                        arrived[i, b] = grown[i, b] * g
                for k in range(n):
                    _prefix(arrivals, arrived, k, weights[m], a, e, following)
                    _spike(arrived[k], a, e, following, level, best, until, arrivals[k])
            else:
                for k in range(n):
                    _prefix(since, grown, k, weights[m], a, e, following)
                    _spike(grown[k], a, e, following, level, best, until, since[k])
            for b in range(size):
                x, sample = best[b], begin + b
                spikes[sample, m], kept[sample, m, 0] = math.inf, 0.0
                kept[sample, m, 1] = until[b]
                if x < math.inf:
                    spikes[sample, m] = 2.0 * math.log(x) + first[b] + lows[m]
                    # a exp(-t / 2) and e exp(-t), summed again over what had arrived
                    slope = 0.0
                    for i in range(n):
                        when = (since[i, b] + late[m, i]) if delayed else since[i, b]
                        if when <= until[b]:
                            h = (grown[i, b] * late_grown[m, i] if delayed else grown[i, b]) / x
                            slope += weights[m, i] * (h * h - 0.5 * h)
                    kept[sample, m, 0] = slope
