"""The network of Diehl & Cook over all time steps of some samples, compiled by Numba.

Learning is sequential, so there is one call for each mini-batch. Work follows the events: an
input spike adds one row of weights to the membranes, and moves the weights to the neurons that
have spiked in this sample; nothing is done for inputs that are still. Serial, so that forked
children may run it. See `spiketune.snn.stdp` for the equations.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled

_NEURON: Final = "UniTuple(float64,5)"
_PRESENT: Final = [
    f"void(float32[:,:,::1], int64, {t}[:,::1], float64[::1], {_NEURON}, {_NEURON},"
    " UniTuple(float64,2), UniTuple(float64,2), UniTuple(float64,3), float64[::1], boolean,"
    " boolean, uint8[:,:,::1], int64[:,::1])"
    for t in ("float32", "float64")
]


@compiled(_PRESENT)
def present(
    inputs: Any,
    first: int,
    weights: Any,
    theta: Any,
    excitatory: Any,
    inhibitory: Any,
    strengths: Any,
    adaptation: Any,
    rule: Any,
    trace: Any,
    one_spike: bool,
    learn: bool,
    spikes: Any,
    inhibitory_counts: Any,
) -> None:
    """Present samples side by side, from rest; changes `weights` and `theta` if `learn`.

    Args:
        inputs: Not zero where an input spikes, (T, B or more, I).
        first: Position of the first of the B samples in `inputs`.
        weights: From input to excitatory neuron, (I, N).
        theta: Adaptive part of the threshold, (N,).
        excitatory: Rest, reset, threshold, decay per step, refractory steps.
        inhibitory: The same of the inhibitory neurons.
        strengths: Of the connection to a neuron's inhibitory partner, and from there to all
            other excitatory neurons.
        adaptation: Growth of theta with a spike, and its decay per step.
        rule: Learning rates before and after a spike, and the largest weight.
        trace: A trace 0, 1, 2, ... steps after the spike, (T,).
        one_spike: Whether of the neurons at threshold only that furthest above it spikes.
        learn: Whether anything changes.
        spikes: Gets zeros and ones of the excitatory neurons, (T, B, N).
        inhibitory_counts: Gets the number of spikes of each inhibitory neuron, (B, N).
    """
    n_steps, n_samples, n_neurons = spikes.shape
    n_inputs = weights.shape[0]
    e_rest, e_reset, e_threshold, e_decay, e_refractory = excitatory
    i_rest, i_reset, i_threshold, i_decay, i_refractory = inhibitory
    nu_pre, nu_post, max_weight = rule
    zero, real = weights.dtype.type(0), weights.dtype.type
    membrane = np.full((n_samples, n_neurons), real(e_rest))
    partner = np.full((n_samples, n_neurons), real(i_rest))
    # Step of the last time that they reached the threshold, by which refractory times are known.
    reached = np.full((n_samples, n_neurons), real(-np.inf))
    partner_reached = np.full((n_samples, n_neurons), real(-np.inf))
    # Step of the last spike, by which traces are known.
    never = -1
    last = np.full((n_samples, n_neurons), never)
    input_last = np.full((n_samples, n_inputs), never)
    # Lists with their lengths: inputs that spike now; inputs and neurons that have in this sample.
    now, n_now = np.empty((n_samples, n_inputs), np.int32), np.zeros(n_samples, np.int64)
    seen, n_seen = np.empty((n_samples, n_inputs), np.int32), np.zeros(n_samples, np.int64)
    fired, n_fired = np.empty((n_samples, n_neurons), np.int32), np.zeros(n_samples, np.int64)
    n_inhibiting = np.zeros(n_samples, np.int64)
    amount = np.empty(n_neurons, weights.dtype)
    current = np.empty(n_neurons, weights.dtype)
    level = np.empty(n_neurons, weights.dtype)
    excess = np.empty(n_neurons, weights.dtype)
    for t in range(n_steps):
        if learn:
            for j in range(n_neurons):
                theta[j] *= adaptation[1]
        for j in range(n_neurons):
            level[j] = e_threshold + theta[j]
        for b in range(n_samples):
            # What comes in: input spikes of this step, inhibition by the step before.
            arriving, found, n = inputs[t, first + b], now[b], 0
            for i in range(n_inputs):  # without a branch, which would be guessed wrongly
                found[n] = i
                n += arriving[i] != 0
            n_now[b] = n
            for j in range(n_neurons):
                current[j] = zero
            for k in range(n):
                row = weights[found[k]]
                for j in range(n_neurons):
                    current[j] += row[j]
            if n_inhibiting[b] > 0:
                for j in range(n_neurons):
                    others = n_inhibiting[b] - (partner_reached[b, j] == t - 1)
                    current[j] -= real(strengths[1] * others)
            # The inhibitory partners of the neurons that spiked in the step before.
            u, since = partner[b], partner_reached[b]
            for j in range(n_neurons):
                u[j] = real(i_rest) + real(i_decay) * (u[j] - real(i_rest))
            if t > 0:
                before = spikes[t - 1, b]
                for j in range(n_neurons):
                    if before[j] != 0 and t - since[j] > i_refractory:
                        u[j] += real(strengths[0])
            n_over = 0
            for j in range(n_neurons):
                n_over += u[j] >= real(i_threshold)
            n_inhibiting[b] = 0
            if n_over > 0:
                for j in range(n_neurons):
                    if u[j] >= real(i_threshold) and t - since[j] > i_refractory:
                        u[j] = real(i_reset)
                        since[j] = real(t)
                        n_inhibiting[b] += 1
                        inhibitory_counts[b, j] += 1
            # The excitatory neurons. Loops are kept simple, for vector instructions.
            v, since = membrane[b], reached[b]
            n_over = 0
            for j in range(n_neurons):
                hears = real(t) - since[j] > real(e_refractory)
                v[j] = real(e_rest) + real(e_decay) * (v[j] - real(e_rest))
                v[j] += current[j] if hears else zero
                excess[j] = v[j] - level[j] if hears else real(-np.inf)
                n_over += excess[j] >= zero
            if n_over > 0:
                best = -1
                for j in range(n_neurons):
                    if excess[j] >= zero:
                        v[j] = real(e_reset)
                        since[j] = real(t)
                        if not one_spike:
                            spikes[t, b, j] = 1
                        elif best < 0 or excess[j] > excess[best]:
                            best = j
                if best >= 0:
                    spikes[t, b, best] = 1
        if not learn:
            continue
        for b in range(n_samples):
            for k in range(n_now[b]):
                i = now[b, k]
                if input_last[b, i] == never:
                    seen[b, n_seen[b]] = i
                    n_seen[b] += 1
                input_last[b, i] = t
            for j in range(n_neurons):
                if spikes[t, b, j] != 0:
                    if last[b, j] == never:
                        fired[b, n_fired[b]] = j
                        n_fired[b] += 1
                    last[b, j] = t
                    theta[j] += adaptation[0]
        # First every depression, then every potentiation: so samples may come in any order.
        for b in range(n_samples):
            for k in range(n_fired[b]):
                amount[k] = nu_pre * trace[t - last[b, fired[b, k]]]
            for k in range(n_now[b]):
                row = weights[now[b, k]]
                for m in range(n_fired[b]):
                    j = fired[b, m]
                    row[j] = max(zero, row[j] - amount[m])
        for b in range(n_samples):
            for m in range(n_fired[b]):
                j = fired[b, m]
                if last[b, j] == t:
                    for k in range(n_seen[b]):
                        i = seen[b, k]
                        gained = real(nu_post * trace[t - input_last[b, i]])
                        weights[i, j] = min(real(max_weight), weights[i, j] + gained)


@compiled([f"void({t}[:,::1], float64)" for t in ("float32", "float64")])
def normalise(weights: Any, total: float) -> None:
    """Scale the weights to each neuron so that they sum up to `total`; zeros stay.

    Args:
        weights: From input to neuron, not below zero, (I, N).
        total: The sum.
    """
    n_inputs, n_neurons = weights.shape
    sums = np.zeros(n_neurons)
    for i in range(n_inputs):
        for j in range(n_neurons):
            sums[j] += weights[i, j]
    for j in range(n_neurons):
        sums[j] = total / sums[j] if sums[j] > 0 else 1.0
    for i in range(n_inputs):
        for j in range(n_neurons):
            weights[i, j] *= sums[j]
