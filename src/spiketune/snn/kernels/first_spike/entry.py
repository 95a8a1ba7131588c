"""First spike times of a layer and their exact gradients, by whichever way is the fastest.

A neuron integrates exponential synaptic currents from rest and spikes at most once, when its
membrane first reaches the threshold. Letters: `G` networks of a pack, `B` batch, `M` neurons,
`n` inputs. `rho` is the time constant of the membrane over that of the synapses; times are in
units of the latter. The membrane over the leak potential is the sum of w k(t - arrival) with
k(s) = (exp(-s / rho) - exp(-s)) / (rho - 1), s exp(-s) for rho = 1, and the threshold is `c`.

A pack is a number of networks of the same shape, each with inputs and weights of its own; each
gets, bit for bit, what it would get alone.

Source: Göltz et al. (2021), "Fast and energy-efficient neuromorphic deep learning with
first-spike times", arXiv:1912.11443, equations 6-12; gradients by the implicit function theorem.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from spiketune.snn.kernels.first_spike.backward import backward_one_by_one
from spiketune.snn.kernels.first_spike.few import MAX_INPUTS, forward_few
from spiketune.snn.kernels.first_spike.few_backward import backward_few
from spiketune.snn.kernels.first_spike.one_pass import forward_one_pass
from spiketune.snn.kernels.first_spike.spikes import DOUBLE, EQUAL, Floats, Gradients, Spikes
from spiketune.snn.kernels.first_spike.wide import MIN_NEURONS, forward_wide
from spiketune.snn.kernels.first_spike.wide_backward import backward_wide


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
    levels = np.full((1, len(weights)), c) if isinstance(c, float) else c
    late = _some(delays, weights)
    found = forward_pack(times[None], weights[None], late[None], rho, levels[None], offset)
    return Spikes(found.times[0], found.kept[0])


def forward_pack(
    times: Floats, weights: Floats, delays: Floats, rho: float, c: Floats, offset: float = 0.0
) -> Spikes:
    """The same for a pack.

    Args:
        times: (G, B, n).
        weights: (G, M, n).
        delays: (G, 1, M, n), (G, B, M, n), or (G, 0, M, n) for none.
        rho: As for one network.
        c: (G, 1, M) or (G, B, M).
        offset: As for one network.
    """
    (G, B, n), M = times.shape, weights.shape[1]
    spikes, kept = np.empty((G, B, M)), np.empty((G, B, M, 2))
    if n == 0:
        spikes[:], kept[:] = math.inf, (0.0, -math.inf)
        return Spikes(spikes, kept)
    times, weights = np.ascontiguousarray(times), np.ascontiguousarray(weights)
    delays, c = np.ascontiguousarray(delays), np.ascontiguousarray(c)
    way = _way(n, M, rho, delays) if offset == 0.0 else "one by one"
    for g in range(G):
        if way == "few":
            forward_few(times[g], weights[g], delays[g], c[g], spikes[g], kept[g])
        elif way == "wide":
            by_input = np.ascontiguousarray(weights[g].T)
            forward_wide(times[g], by_input, c[g], float(rho), spikes[g], kept[g])
        else:
            given = (times[g], weights[g], delays[g], c[g], float(rho), offset)
            forward_one_pass(*given, spikes[g], kept[g])
    return Spikes(spikes, kept)


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
    late = _some(delays, weights)
    pack = Spikes(spikes.times[None], spikes.kept[None])
    found = backward_pack(grad[None], times[None], weights[None], late[None], rho, pack, largest_dw)
    own = None if delays is None or found.delays is None else found.delays[0]
    return Gradients(found.weights[0], found.times[0], own, found.n_capped)


def backward_pack(
    grad: Floats,
    times: Floats,
    weights: Floats,
    delays: Floats,
    rho: float,
    spikes: Spikes,
    largest_dw: float = math.inf,
) -> Gradients:
    """The same for a pack; arguments as of `forward_pack`, `grad` is (G, B, M)."""
    grad, times = np.ascontiguousarray(grad), np.ascontiguousarray(times)
    weights, delays = np.ascontiguousarray(weights), np.ascontiguousarray(delays)
    weights_grad, times_grad = np.zeros(weights.shape), np.zeros(times.shape)
    delays_grad, n_capped = np.zeros(delays.shape), np.zeros(1, np.int64)
    way = _way(times.shape[2], weights.shape[1], rho, delays)
    for g in range(len(times)):
        kept = (spikes.times[g], spikes.kept[g], grad[g], largest_dw)
        found = (weights_grad[g], times_grad[g], delays_grad[g], n_capped)
        if way == "few":
            backward_few(times[g], weights[g], delays[g], *kept, *found)
        elif way == "wide":
            by_input = np.ascontiguousarray(weights[g].T)
            by_input_grad = np.zeros(by_input.shape)
            own = (by_input_grad, times_grad[g], n_capped)
            backward_wide(times[g], by_input, float(rho), *kept, *own)
            weights_grad[g] = by_input_grad.T
        else:
            backward_one_by_one(times[g], weights[g], delays[g], float(rho), *kept, *found)
    return Gradients(weights_grad, times_grad, delays_grad, int(n_capped[0]))


def _way(
    n: int, n_neurons: int, rho: float, delays: Floats
) -> Literal["few", "wide", "one by one"]:
    """Which of the kernels is the fastest for a layer."""
    if rho == DOUBLE and 0 < n <= MAX_INPUTS and delays.shape[1] <= 1:
        return "few"
    if rho in (EQUAL, DOUBLE) and n > 0 and delays.shape[1] == 0 and n_neurons >= MIN_NEURONS:
        return "wide"
    return "one by one"


def _some(delays: Floats | None, weights: Floats) -> Floats:
    return np.empty((0, *weights.shape)) if delays is None else delays
