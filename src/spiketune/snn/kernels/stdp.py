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
    f"void(float32[:,:,:], {t}[:,::1], float64[::1], {_NEURON}, {_NEURON}, UniTuple(float64,2),"
    " UniTuple(float64,2), UniTuple(float64,3), float64[::1], boolean, boolean, uint8[:,:,::1],"
    " int64[:,::1])"
    for t in ("float32", "float64")
]


@compiled(_PRESENT)
def present(
    inputs: Any,
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
        inputs: Not zero where an input spikes, (T, B, I).
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
    n_steps, n_samples, n_inputs = inputs.shape
    n_neurons = weights.shape[1]
    e_rest, e_reset, e_threshold, e_decay, e_refractory = excitatory
    i_rest, i_reset, i_threshold, i_decay, i_refractory = inhibitory
    nu_pre, nu_post, max_weight = rule
    zero, real = weights.dtype.type(0), weights.dtype.type
    membrane = np.full((n_samples, n_neurons), real(e_rest))
    partner = np.full((n_samples, n_neurons), i_rest)
    # Step of the last spike, by which traces and refractory times are known.
    never = -(1 << 30)
    last = np.full((n_samples, n_neurons), never)
    silenced = np.full((n_samples, n_neurons), never)
    partner_last = np.full((n_samples, n_neurons), never)
    input_last = np.full((n_samples, n_inputs), never)
    # Lists with their lengths: inputs that spike now; inputs and neurons that have in this sample.
    now, n_now = np.empty((n_samples, n_inputs), np.int32), np.zeros(n_samples, np.int64)
    seen, n_seen = np.empty((n_samples, n_inputs), np.int32), np.zeros(n_samples, np.int64)
    fired, n_fired = np.empty((n_samples, n_neurons), np.int32), np.zeros(n_samples, np.int64)
    amount = np.empty(n_neurons, weights.dtype)
    current = np.empty(n_neurons, weights.dtype)
    level = np.empty(n_neurons, weights.dtype)
    for t in range(n_steps):
        if learn:
            for j in range(n_neurons):
                theta[j] *= adaptation[1]
        for j in range(n_neurons):
            level[j] = e_threshold + theta[j]
        for b in range(n_samples):
            # What comes in: input spikes of this step, inhibition by the step before.
            n = 0
            for i in range(n_inputs):
                now[b, n] = i
                if inputs[t, b, i] != 0:
                    n += 1
            n_now[b] = n
            for j in range(n_neurons):
                current[j] = zero
            for k in range(n):
                row = weights[now[b, k]]
                for j in range(n_neurons):
                    current[j] += row[j]
            n_inhibiting = 0
            for j in range(n_neurons):
                n_inhibiting += partner_last[b, j] == t - 1
            if n_inhibiting > 0:
                for j in range(n_neurons):
                    others = n_inhibiting - (partner_last[b, j] == t - 1)
                    current[j] -= real(strengths[1] * others)
            # The inhibitory partners of the neurons that spiked in the step before.
            for j in range(n_neurons):
                v = i_rest + i_decay * (partner[b, j] - i_rest)
                if t - partner_last[b, j] > i_refractory:
                    if t > 0 and spikes[t - 1, b, j] != 0:
                        v += strengths[0]
                    if v >= i_threshold:
                        v = i_reset
                        partner_last[b, j] = t
                        inhibitory_counts[b, j] += 1
                partner[b, j] = v
            # The excitatory neurons.
            best, above = -1, zero
            for j in range(n_neurons):
                v = real(e_rest) + real(e_decay) * (membrane[b, j] - real(e_rest))
                if t - silenced[b, j] > e_refractory:
                    v += current[j]
                    excess = v - level[j]
                    if excess >= zero:
                        v = real(e_reset)
                        silenced[b, j] = t
                        if not one_spike:
                            spikes[t, b, j] = 1
                        elif best < 0 or excess > above:
                            best, above = j, excess
                membrane[b, j] = v
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
