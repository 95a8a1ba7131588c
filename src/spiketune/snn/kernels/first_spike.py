"""First spike times and their exact gradients, compiled: one sort, then one pass per neuron.

A neuron integrates exponential synaptic currents from rest and spikes at most once, when its
membrane first reaches the threshold. With the inputs in order of time, sums over the inputs so
far give in closed form when it would spike if no more came; the first such time that lies
before the next input is the spike. So a neuron costs O(n) after an O(n log n) sort, where all
prefixes against all inputs cost O(n^2).

Letters: `B` batch, `M` neurons, `n` inputs, `P` 1 where all neurons see the same input times
and M where each has its own. Times are in units of the synaptic time constant.

Source: Göltz et al. (2021), "Fast and energy-efficient neuromorphic deep learning with
first-spike times", arXiv:1912.11443, equations 6-12.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketune.snn.kernels.cpu import compiled

EQUAL: Final = 1
DOUBLE: Final = 2

# Up to so many inputs, insertion sorts faster than NumPy, which takes memory for each call.
_FEW: Final = 40
_HALLEY_STEPS: Final = 40
_BRANCH_POINT: Final = -math.exp(-1.0)

_SORT: Final = ["void(float64[:,:,::1], int64[:,:,::1])"]
_FORWARD: Final = [
    "void(float64[:,:,::1], int64[:,:,::1], float64[:,:,::1], float64[:,::1], int64, float64,"
    " float64, float64[:,::1], int64[:,::1])"
]
_BACKWARD: Final = [
    "void(float64[:,:,::1], int64[:,:,::1], float64[:,:,::1], float64[:,::1], int64, float64,"
    " float64, float64[:,::1], int64[:,::1], float64[:,::1], float64, float64[:,::1],"
    " float64[:,:,::1], int64[::1])"
]


@compiled(["float64(float64)"])
def lambert_w(z: float) -> float:
    """The principal branch of W(z) e^W(z) = z, to machine precision; NaN below -1/e.

    Source: Corless et al. (1996), "On the Lambert W function", Halley's iteration.
    """
    if not z >= _BRANCH_POINT:
        return math.nan
    if z == 0.0:
        return 0.0
    if math.isinf(z):
        return z
    # Near the branch point the series in p is what Halley's iteration would need to start from.
    p = math.sqrt(max(2.0 * (math.e * z + 1.0), 0.0))
    if p < 1e-5:
        return -1.0 + p - p * p / 3.0
    if z < 1.0:
        w = -1.0 + p * (1.0 + p * (-1.0 / 3.0 + p * 11.0 / 72.0)) if z < -0.25 else z * (1.0 - z)
        if z > 0.0:
            w = math.log1p(z)
    else:
        w = math.log(z)
        w -= math.log(w) if z > math.e else 0.0
    for _ in range(_HALLEY_STEPS):
        e = math.exp(w)
        f = w * e - z
        step = f / (e * (w + 1.0) - (w + 2.0) * f / (2.0 * w + 2.0))
        w -= step
        if abs(step) <= 1e-16 * (1.0 + abs(w)):
            break
    return w


@compiled(_SORT)
def _sort(times: Any, order: Any) -> None:
    n = times.shape[2]
    for b in range(times.shape[0]):
        for p in range(times.shape[1]):
            when, by_time = times[b, p], order[b, p]
            if n > _FEW:
                by_time[:] = np.argsort(when, kind="mergesort")
                continue
            for i in range(n):
                k = i
                while k > 0 and when[by_time[k - 1]] > when[i]:
                    by_time[k] = by_time[k - 1]
                    k -= 1
                by_time[k] = i


@compiled(_FORWARD)
def _forward(
    times: Any,
    order: Any,
    halves: Any,
    weights: Any,
    ratio: int,
    c: float,
    offset: float,
    spikes: Any,
    n_causal: Any,
) -> None:
    """See `forward`. Times are taken relative to each neuron's first input: no overflow."""
    n, n_neurons = weights.shape
    for b in range(times.shape[0]):
        for m in range(n_neurons):
            p = 0 if times.shape[1] == 1 else m
            when, by_time, half = times[b, p], order[b, p], halves[b, p]
            spikes[b, m], n_causal[b, m] = math.inf, 0
            start = when[by_time[0]] if n > 0 else math.inf
            if not math.isfinite(start):
                continue
            a1 = offset * math.exp(-start)
            a2 = offset * math.exp(-0.5 * start)
            s = a1 - start * a1
            for k in range(n):
                i = by_time[k]
                t = when[i] - start
                if not math.isfinite(t):
                    break
                w = weights[i, m]
                if ratio == 1:
                    e = half[i] * half[i]
                    a1 += w * e
                    s += w * t * e
                else:
                    h = half[i]
                    a1 += w * h * h
                    a2 += w * h
                following = when[by_time[k + 1]] - start if k + 1 < n else math.inf
                if following == t:  # equal times act together
                    continue
                if ratio == 1:
                    at = math.nan
                    if a1 != 0.0:
                        at = s / a1 - lambert_w(-(c / a1) * math.exp(s / a1))
                else:
                    at = math.nan
                    root = a2 * a2 - 4.0 * a1 * c
                    if root >= 0.0:
                        below = a2 + math.sqrt(root)
                        inside = 2.0 * a1 / below if below != 0.0 else math.nan
                        if inside > 0.0:
                            at = 2.0 * math.log(inside)
                if t <= at <= following:
                    spikes[b, m] = at + start
                    n_causal[b, m] = k + 1
                    break


@compiled(_BACKWARD)
def _backward(
    times: Any,
    order: Any,
    halves: Any,
    weights: Any,
    ratio: int,
    c: float,
    offset: float,
    spikes: Any,
    n_causal: Any,
    grad: Any,
    largest_dw: float,
    weights_grad: Any,
    times_grad: Any,
    n_capped: Any,
) -> None:
    """See `backward`."""
    n_neurons = weights.shape[1]
    for b in range(times.shape[0]):
        for m in range(n_neurons):
            k = n_causal[b, m]
            g = grad[b, m]
            if k == 0 or g == 0.0:
                continue
            p = 0 if times.shape[1] == 1 else m
            when, by_time, half = times[b, p], order[b, p], halves[b, p]
            start = when[by_time[0]]
            at = spikes[b, m] - start
            a1 = offset * math.exp(-start)
            a2 = offset * math.exp(-0.5 * start)
            s = a1 - start * a1
            for j in range(k):
                i = by_time[j]
                t = when[i] - start
                w = weights[i, m]
                if ratio == 1:
                    e = half[i] * half[i]
                    a1 += w * e
                    s += w * t * e
                else:
                    h = half[i]
                    a1 += w * h * h
                    a2 += w * h
            if ratio == 1:
                # 1 + W = 1 + b/a1 - T
                below = a1 * (1.0 + s / a1 - at) if a1 != 0.0 else 0.0
            else:
                below = math.sqrt(max(a2 * a2 - 4.0 * a1 * c, 0.0))
            if below == 0.0 or a1 == 0.0:
                continue  # the membrane touches the threshold: there is no gradient
            both = 1.0 + c / below * math.exp(0.5 * at)
            if math.isfinite(largest_dw):
                steepest = 0.0
                for j in range(k):
                    h = half[by_time[j]]
                    if ratio == 1:
                        t = when[by_time[j]] - start
                        dw = -h * h * (at - t) / below
                    else:
                        dw = 2.0 * (both * h * h / a1 - h / below)
                    steepest = max(steepest, abs(g * dw))
                if steepest > largest_dw:
                    n_capped[0] += 1
                    continue
            for j in range(k):
                i = by_time[j]
                t = when[i] - start
                w = weights[i, m]
                h = half[i]
                if ratio == 1:
                    e = h * h
                    dw = -e * (at - t) / below
                    dt = -w * e * (at - t - 1.0) / below
                else:
                    dw = 2.0 * (both * h * h / a1 - h / below)
                    dt = w * (2.0 * both * h * h / a1 - h / below)
                weights_grad[i, m] += g * dw
                times_grad[b, p, i] += g * dt


def forward(
    times: NDArray[np.float64],
    weights: NDArray[np.float64],
    ratio: int,
    c: float,
    offset: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """First spike times.

    Args:
        times: When each input spikes, infinite if it never does, (B, P, n).
        weights: (n, M).
        ratio: Membrane over synaptic time constant, `EQUAL` or `DOUBLE`.
        c: Leak conductance times threshold above rest.
        offset: Added to the sums over the inputs, as some implementations do to be safe from
            divisions by zero, which are not a danger here.

    Returns:
        Spike times, infinite for silent neurons, (B, M); the inputs in order of time, (B, P, n);
        and how many of them came before the spike, 0 for silent neurons, (B, M).
    """
    times, weights = np.ascontiguousarray(times), np.ascontiguousarray(weights)
    B, P, n = times.shape
    order = np.empty((B, P, n), np.int64)
    spikes = np.empty((B, weights.shape[1]))
    n_causal = np.empty((B, weights.shape[1]), np.int64)
    _sort(times, order)
    halves = _halves(times)
    _forward(times, order, halves, weights, ratio, c, offset, spikes, n_causal)
    return spikes, order, n_causal


def backward(
    grad: NDArray[np.float64],
    times: NDArray[np.float64],
    order: NDArray[np.int64],
    weights: NDArray[np.float64],
    ratio: int,
    c: float,
    spikes: NDArray[np.float64],
    n_causal: NDArray[np.int64],
    offset: float = 0.0,
    largest_dw: float = math.inf,
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Gradients of what `forward` returned; those of silent neurons are zero.

    Args:
        grad: Of the spike times, (B, M).
        times: As `forward` took them.
        order: As `forward` returned it.
        weights: As `forward` took them.
        ratio: As `forward` took it.
        c: As `forward` took it.
        spikes: As `forward` returned them.
        n_causal: As `forward` returned it.
        offset: As `forward` took it.
        largest_dw: A neuron whose weights would change by more in one sample, in any of them,
            passes no gradient there.

    Returns:
        Gradients of the weights, (n, M), and of the input times, (B, P, n); and how many
        gradients were left out for their size.
    """
    times, weights = np.ascontiguousarray(times), np.ascontiguousarray(weights)
    weights_grad, times_grad = np.zeros_like(weights), np.zeros_like(times)
    n_capped = np.zeros(1, np.int64)
    _backward(
        times,
        order,
        _halves(times),
        weights,
        ratio,
        c,
        offset,
        spikes,
        n_causal,
        np.ascontiguousarray(grad),
        largest_dw,
        weights_grad,
        times_grad,
        n_capped,
    )
    return weights_grad, times_grad, int(n_capped[0])


def _halves(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(t / 2) with t counted from each neuron's first input; 0 where there is none."""
    first = times.min(axis=2, keepdims=True, initial=math.inf)
    since = times - np.where(np.isfinite(first), first, 0.0)
    return np.exp(0.5 * np.where(np.isfinite(since), since, -math.inf))
