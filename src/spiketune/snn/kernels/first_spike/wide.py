"""First spike times of many neurons with the same arrivals, and gradients, in vector instructions.

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

_FORWARD: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,::1], float64, float64[:,::1],"
    " float64[:,:,::1])"
]
_BACKWARD: Final = [
    "void(float64[:,::1], float64[:,::1], float64, float64[:,::1], float64[:,:,::1],"
    " float64[:,::1], float64, float64[:,::1], float64[:,::1], int64[::1])"
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


@compiled(_FORWARD)
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


@compiled(_BACKWARD)
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
