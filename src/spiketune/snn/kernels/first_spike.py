"""First spike times and their exact gradients, compiled: one sort, then one pass per neuron.

A neuron integrates exponential synaptic currents from rest and spikes at most once, when its
membrane first reaches the threshold. With the inputs in order of arrival, sums over the inputs
so far tell when it would spike if no more came; the first such time that lies before the next
arrival is the spike. So a neuron costs O(n) after an O(n log n) sort, where all prefixes against
all inputs cost O(n^2). Backward needs no order: what arrived before the spike has a gradient.

Arrivals are input times plus delays, and exponentials of sums are products, so what is taken
per neuron, sample and input is sums and products only; nothing of that size is kept.

Letters: `B` batch, `M` neurons, `n` inputs. `rho` is the time constant of the membrane over that
of the synapses; times are in units of the latter. The membrane over the leak potential is the
sum of w k(t - arrival) with k(s) = (exp(-s / rho) - exp(-s)) / (rho - 1), s exp(-s) for rho = 1,
and the threshold is `c`.

Source: Göltz et al. (2021), "Fast and energy-efficient neuromorphic deep learning with
first-spike times", arXiv:1912.11443, equations 6-12; gradients by the implicit function theorem.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.first_spike_few import MAX_INPUTS, forward_few
from spiketune.snn.kernels.lambert_w import lambert_w
from spiketune.snn.kernels.sorting import sort_indices

Floats = NDArray[np.float64]

EQUAL: Final = 1.0
DOUBLE: Final = 2.0
SLOPE, UNTIL = 0, 1

# Where a comparison of exponentials is too close to tell, the times themselves are compared.
_SLACK: Final = 1e-9
_STEPS: Final = 200

_PREPARE: Final = [
    "void(float64[:,::1], float64, float64[::1], float64[:,::1], float64[:,::1], float64[:,::1])"
]
_FORWARD: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64[:,::1], float64, float64,"
    " float64[:,::1], float64[:,:,::1])"
]
_BACKWARD: Final = [
    "void(float64[:,::1], float64[:,::1], float64[:,:,::1], float64, float64[:,::1],"
    " float64[:,:,::1], float64[:,::1], float64, float64[:,::1], float64[:,::1],"
    " float64[:,:,::1], int64[::1])"
]


@dataclass(frozen=True, slots=True)
class Spikes:
    """What a layer did.

    Attributes:
        times: Spike times, infinite for silent neurons, (B, M).
        kept: For the backward pass, (B, M, 2): the slope of the membrane at the spike, and the
            last arrival before it, in a neuron's own time; minus infinity for silent neurons.
    """

    times: Floats
    kept: Floats

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Which neurons stayed silent, (B, M)."""
        return np.isinf(self.times)


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
    """exp(t / rho) and exp(t); 0 for what never comes."""
    if since == math.inf:
        return 0.0, 0.0
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


@compiled(None)
def _crossing(a: float, e: float, c: float, rho: float, start: float, end: float) -> float:
    """When (a exp(-t / rho) - e exp(-t)) / (rho - 1) rises through c in [start, end], or NaN.

    It has one extremum at most, so it can be bracketed; then Newton's steps that leave the
    bracket are replaced by halving it.
    """
    scale = 1.0 / (rho - 1.0)
    if scale * (e * math.exp(-start) - a / rho * math.exp(-start / rho)) <= 0.0:
        return math.nan  # it falls, and if it ever rises again then only towards rest
    if a * e <= 0.0:
        return math.nan  # it rises towards rest
    low, high = start, min(rho * scale * math.log(rho * e / a), end)
    if not scale * (a * math.exp(-high / rho) - e * math.exp(-high)) >= c:
        return math.nan
    t = 0.5 * (low + high)
    for _ in range(_STEPS):
        slow, fast = a * math.exp(-t / rho), e * math.exp(-t)
        above = scale * (slow - fast) - c
        if above > 0.0:
            high = t
        else:
            low = t
        slope = scale * (fast - slow / rho)
        step = above / slope if slope > 0.0 else math.inf
        following = t - step
        if not low <= following <= high:
            following = 0.5 * (low + high)
        if abs(following - t) <= 2e-16 * (1.0 + abs(t)):
            return following
        t = following
    return t


@compiled(_FORWARD)
def _forward(
    times: Any,
    weights: Any,
    delays: Any,
    c: Any,
    rho: float,
    offset: float,
    spikes: Any,
    kept: Any,
) -> None:
    """See `forward`. Times are taken relative to each neuron's first arrival: no overflow."""
    n_neurons, n = weights.shape
    n_delays = delays.shape[0]
    order, spare = np.empty(n, np.int64), np.empty(n, np.int64)
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
        for i in range(n):
            since[i] = times[b, i] - first
            slows[i], fasts[i] = grow(since[i], rho)
        if n_delays > 1:
            prepare_delays(delays[b], rho, lows, late, late_slow, late_fast)
        if n_delays == 0:
            arrivals[:] = since
            sort_indices(arrivals, order, spare)
        for m in range(n_neurons):
            spikes[b, m], kept[b, m, SLOPE], kept[b, m, UNTIL] = math.inf, 0.0, -math.inf
            level = c[b if c.shape[0] > 1 else 0, m]
            if n_delays > 0:
                for i in range(n):
                    arrivals[i] = since[i] + late[m, i]
                sort_indices(arrivals, order, spare)
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
            for k in range(n):
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
                if k + 1 < n:
                    i = order[k + 1]
                    arrival, slow, fast = arrivals[i], slows[i], fasts[i]
                    if n_delays > 0:
                        slow, fast = slow * late_slow[m, i], fast * late_fast[m, i]
                if arrival == here:  # equal times act together
                    continue
                at = math.nan
                if rho == DOUBLE:
                    # It rises only to its peak, where exp(t / 2) = a / 2c.
                    if e > 0.0 and a * (1.0 + _SLACK) > 2.0 * level * here_slow:
                        root = a * a - 4.0 * e * level
                        if root >= 0.0:
                            x = 2.0 * e / (a + math.sqrt(root))
                            if here_slow <= x * (1.0 + _SLACK) and (
                                arrival == math.inf or x <= slow * (1.0 + _SLACK)
                            ):
                                at = 2.0 * math.log(x)
                elif rho == EQUAL:
                    # It rises only to its peak at 1 + s / e; W is dear, so see whether it gets
                    # there, or to the next arrival, above the threshold.
                    peak = 1.0 + s / e if e > 0.0 else -math.inf
                    if peak > here - _SLACK:
                        top = e * math.exp(-peak)
                        if arrival < peak:
                            top = (e * arrival - s) / fast
                        if top >= level * (1.0 - _SLACK):
                            at = s / e - lambert_w(-(level / e) * math.exp(s / e))
                else:
                    at = _crossing(a, e, level, rho, here, arrival)
                if here <= at <= arrival:
                    spikes[b, m] = at + start
                    kept[b, m, UNTIL] = here
                    if rho == EQUAL:
                        kept[b, m, SLOPE] = (e - (e * at - s)) * math.exp(-at)
                    else:
                        fall = a / rho * math.exp(-at / rho)
                        kept[b, m, SLOPE] = (e * math.exp(-at) - fall) / (rho - 1.0)
                    break
                if arrival == math.inf:
                    break


@compiled(_BACKWARD)
def _backward(
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
    """See `backward`."""
    n_neurons, n = weights.shape
    n_delays = delays.shape[0]
    since, slows, fasts = np.empty(n), np.empty(n), np.empty(n)
    by_weight, by_time = np.empty(n), np.empty(n)
    shape = (n_neurons, n) if n_delays > 0 else (0, 0)
    late, late_slow, late_fast = np.empty(shape), np.empty(shape), np.empty(shape)
    lows = np.zeros(n_neurons)
    if n_delays == 1:
        prepare_delays(delays[0], rho, lows, late, late_slow, late_fast)
    for b in range(times.shape[0]):
        first = earliest(times[b])
        if first == math.inf:
            continue
        for i in range(n):
            since[i] = times[b, i] - first
            slows[i], fasts[i] = grow(since[i], rho)
        if n_delays > 1:
            prepare_delays(delays[b], rho, lows, late, late_slow, late_fast)
        for m in range(n_neurons):
            until, slope, g = kept[b, m, UNTIL], kept[b, m, SLOPE], grad[b, m]
            # Where the membrane touches the threshold there is no gradient.
            if until == -math.inf or g == 0.0 or slope == 0.0:
                continue
            at = spikes[b, m] - (first + lows[m])
            slow_fall, fast_fall = math.exp(-at / rho), math.exp(-at)
            push, steepest = g / slope, 0.0
            for i in range(n):
                arrival = since[i]
                slow, fast = slows[i], fasts[i]
                if n_delays > 0:
                    arrival += late[m, i]
                    slow, fast = slow * late_slow[m, i], fast * late_fast[m, i]
                by_weight[i] = by_time[i] = 0.0
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
                by_weight[i] = -push * value
                by_time[i] = push * weights[m, i] * rise
                steepest = max(steepest, abs(by_weight[i]))
            if not steepest <= largest_dw:
                n_capped[0] += 1
                continue
            for i in range(n):
                weights_grad[m, i] += by_weight[i]
                times_grad[b, i] += by_time[i]
            if n_delays > 0:
                d = b if n_delays > 1 else 0
                for i in range(n):
                    delays_grad[d, m, i] += by_time[i]


def forward(
    times: Floats,
    weights: Floats,
    delays: Floats | None,
    rho: float,
    c: Floats | float,
    offset: float = 0.0,
) -> Spikes:
    """First spike times.

    Args:
        times: When each input spikes, infinite if it never does, (B, n).
        weights: (M, n).
        delays: From each input to each neuron, (1, M, n), or (B, M, n) where every sample has
            its own; None for none.
        rho: Membrane over synaptic time constant; `EQUAL` and `DOUBLE` have closed forms.
        c: Threshold above rest over `rho`, for all neurons or (1, M) or (B, M).
        offset: Added to the sums over the inputs, as some implementations do to be safe from
            divisions by zero, which are not a danger here.
    """
    B, M = len(times), len(weights)
    spikes, kept = np.empty((B, M)), np.empty((B, M, 2))
    if weights.shape[1] == 0:
        spikes[:], kept[:, :, SLOPE], kept[:, :, UNTIL] = math.inf, 0.0, -math.inf
        return Spikes(spikes, kept)
    levels = np.full((1, M), c) if isinstance(c, float) else np.ascontiguousarray(c)
    late = _some(delays, weights)
    few = rho == DOUBLE and offset == 0.0 and weights.shape[1] <= MAX_INPUTS
    if few and len(late) <= 1:
        forward_few(
            np.ascontiguousarray(times), np.ascontiguousarray(weights), late, levels, spikes, kept
        )
        return Spikes(spikes, kept)
    _forward(
        np.ascontiguousarray(times),
        np.ascontiguousarray(weights),
        late,
        levels,
        float(rho),
        offset,
        spikes,
        kept,
    )
    return Spikes(spikes, kept)


@dataclass(frozen=True, slots=True)
class Gradients:
    """What a layer passes back.

    Attributes:
        weights: Summed over the batch, (M, n).
        times: Of the inputs, (B, n).
        delays: As the delays were given; None where there are none.
        n_capped: How many gradients of a neuron in a sample were left out for their size.
    """

    weights: Floats
    times: Floats
    delays: Floats | None
    n_capped: int


def backward(
    grad: Floats,
    times: Floats,
    weights: Floats,
    delays: Floats | None,
    rho: float,
    spikes: Spikes,
    largest_dw: float = math.inf,
) -> Gradients:
    """Gradients of what `forward` returned; those of silent neurons are zero.

    Args:
        grad: Of the spike times, (B, M).
        times: As `forward` took them.
        weights: As `forward` took them.
        delays: As `forward` took them.
        rho: As `forward` took it.
        spikes: As `forward` returned them.
        largest_dw: A neuron whose weights would change by more in one sample, in any of them,
            passes no gradient there.
    """
    weights_grad, times_grad = np.zeros(weights.shape), np.zeros(times.shape)
    given = _some(delays, weights)
    delays_grad, n_capped = np.zeros(given.shape), np.zeros(1, np.int64)
    _backward(
        np.ascontiguousarray(times),
        np.ascontiguousarray(weights),
        given,
        float(rho),
        spikes.times,
        spikes.kept,
        np.ascontiguousarray(grad),
        largest_dw,
        weights_grad,
        times_grad,
        delays_grad,
        n_capped,
    )
    found = None if delays is None else delays_grad
    return Gradients(weights_grad, times_grad, found, int(n_capped[0]))


def _some(delays: Floats | None, weights: Floats) -> Floats:
    return np.empty((0, *weights.shape)) if delays is None else np.ascontiguousarray(delays)
