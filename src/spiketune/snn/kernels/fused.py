"""Loss and gradients of a whole small network in one call, compiled by Numba.

Sample by sample, all layers and time steps forward, then back through time: what a sample
needs stays in the first-level cache, and only spikes cost anything on their way to the next
layer. Neurons of a layer are padded with silent ones to full vectors. Serial, so that forked
children may run it. Letters: `T` time steps, `B` batch, `K` classes, `L` layers.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled

# Columns of the table that tells where things lie; one row a layer.
N_INPUTS, N_NEURONS, WIDTH, VALUES_AT, BACK_AT, NEURONS_AT, KIND = range(7)
CROSS_ENTROPY, SQUARED = 0, 1
# Up to so many neurons, going through all neurons below beats listing their spikes.
NARROW: Final = 4

_SIGNATURES: Final = [
    f"float64(int64[::1], int32[::1], {t}[::1], int64, int64[::1], int64, int64[:,::1],"
    f" {t}[::1], {t}[::1], {t}[::1], {t}[:,::1], int64, float64[::1], boolean,"
    f" {t}[::1], {t}[::1], {t}[::1], {t}[:,::1], {t}[::1], int32[::1], int64[:,::1], {t}[:,::1])"
    for t in ("float32", "float64")
]


@compiled(None)
def _add(row: Any, value: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] += value * row[i]


@compiled(None)
def _add_rows(
    columns: Any, values: Any, first: int, last: int, matrix: Any, width: int, out: Any
) -> None:
    """Add the rows of some entries, `matrix` being (n, width) in one piece."""
    e = first
    while e + 4 <= last:
        at, b_at = columns[e] * width, columns[e + 1] * width
        c_at, d_at = columns[e + 2] * width, columns[e + 3] * width
        a, b = matrix[at : at + width], matrix[b_at : b_at + width]
        c, d = matrix[c_at : c_at + width], matrix[d_at : d_at + width]
        va, vb, vc, vd = values[e], values[e + 1], values[e + 2], values[e + 3]
        for i in range(width):
            out[i] += va * a[i] + vb * b[i] + vc * c[i] + vd * d[i]
        e += 4
    while e < last:
        at = columns[e] * width
        _add(matrix[at : at + width], values[e], out)
        e += 1


@compiled(None)
def _reach(carry: Any, back: Any, at: int, reached: Any) -> None:
    """What the carries of a layer mean for the spikes of the one below; by fours."""
    n = len(reached)
    for o in range(0, len(carry), 4):
        va, vb, vc, vd = carry[o], carry[o + 1], carry[o + 2], carry[o + 3]
        first = at + o * n
        a, b = back[first : first + n], back[first + n : first + 2 * n]
        c, d = back[first + 2 * n : first + 3 * n], back[first + 3 * n : first + 4 * n]
        if o == 0:
            for i in range(n):
                reached[i] = va * a[i] + vb * b[i] + vc * c[i] + vd * d[i]
        else:
            for i in range(n):
                reached[i] += va * a[i] + vb * b[i] + vc * c[i] + vd * d[i]


@compiled(None)
def _add_spikes(u: Any, threshold: Any, value: Any, out: Any) -> None:
    zero = u.dtype.type(0)
    for i in range(len(out)):
        out[i] += value if u[i] > threshold else zero


@compiled(None, any_order=True)
def _sum_spikes(u: Any, threshold: Any, row: Any) -> Any:
    """Sum of the weights in `row` whose neurons spike."""
    total = zero = u.dtype.type(0)
    for i in range(len(row)):
        total += row[i] if u[i] > threshold else zero
    return total


@compiled(None)
def _fire(u: Any, threshold: Any, n: int, events: Any) -> Any:
    """List the neurons that spike; without a branch."""
    found = np.int64(0)
    for i in range(n):
        events[found] = i
        found += u[i] > threshold
    return found


@compiled(None)
def _back(carry: Any, beta: Any, given: Any, u: Any, form: Any, kind: int) -> None:
    """One step back in time for one layer; `form` is threshold, scale and gain."""
    th, scale, gain = form[0], form[1], form[2]
    zero, one = carry.dtype.type(0), carry.dtype.type(1)
    if kind == 1:
        for i in range(len(carry)):
            x = scale * (u[i] - th)
            carry[i] = beta[i] * carry[i] + gain * given[i] / (one + x * x)
    elif kind == 2:
        for i in range(len(carry)):
            x = one + scale * abs(u[i] - th)
            carry[i] = beta[i] * carry[i] + gain * given[i] / (x * x)
    else:
        for i in range(len(carry)):
            x = one - scale * abs(u[i] - th)
            carry[i] = beta[i] * carry[i] + gain * given[i] * (x if x > zero else zero)


@compiled(_SIGNATURES)
def loss_and_gradients(
    starts: Any,
    columns: Any,
    values: Any,
    stride: int,
    labels: Any,
    T: int,
    table: Any,
    weights: Any,
    back: Any,
    beta: Any,
    forms: Any,
    loss: int,
    wanted: Any,
    with_beta: bool,
    grad: Any,
    back_grad: Any,
    beta_grad: Any,
    counts: Any,
    u: Any,
    events: Any,
    n_events: Any,
    scratch: Any,
) -> float:
    """Mean loss of a batch; gradients are added to `grad` and `beta_grad`.

    Args:
        starts: With `columns` and `values` the input as a sparse matrix, (T * B, n_inputs), or
            (B, n_inputs) where it is the same at every step.
        columns: See `starts`.
        values: See `starts`.
        stride: 0 where the input is the same at every step, else 1.
        labels: (B,).
        T: Time steps.
        table: Where each layer's things lie, (L, 7).
        weights: Each layer's weights, (n_inputs, width), and its bias, (width,).
        back: The weights of each layer but the first, (width, width of the layer before).
        beta: Decays, those of each layer (width,).
        forms: Threshold, and scale and gain of the spike gradient, (L, 3).
        loss: `CROSS_ENTROPY` of the spikes at each step, or `SQUARED` distance of counts.
        wanted: Of `SQUARED`: count of the label's neuron, count of others, factor.
        with_beta: Whether decays are learned.
        grad: Laid out as `weights`.
        back_grad: Laid out as `back`; that of the weights of narrow layers, not in `grad`.
        beta_grad: Laid out as `beta`.
        counts: Spikes of the output layer, (B, K); written to.
        u: Room for the membranes, T times the number of neurons.
        events: Room for the spikes, T times the number of neurons.
        n_events: Room for their numbers, (L, T).
        scratch: Room for carries, given gradients and sums, (3, number of neurons).
    """
    L, B, K = len(table), len(labels), counts.shape[1]
    ones = np.ones(events.shape[0] // max(T, 1), weights.dtype)
    zero = weights.dtype.type(0)
    carries, given, sums = scratch[0], scratch[1], scratch[2]
    out_at, out_width = table[L - 1, NEURONS_AT], table[L - 1, WIDTH]
    output = given[out_at : out_at + out_width]
    first_width = table[0, WIDTH]
    total = 0.0
    # Logits are zeros and ones, so the number of spikes tells the sum of their exponentials.
    sums_of = np.empty(K + 1)
    logs_of = np.empty(K + 1)
    for n in range(K + 1):
        sums_of[n] = (n * math.e + (K - n)) * T * B
        logs_of[n] = math.log(n * math.e + (K - n)) / (T * B)
    for b in range(B):
        counts[b, :] = zero
        for t in range(T):
            for k in range(L):
                n_in, width, at = table[k, N_INPUTS], table[k, WIDTH], table[k, NEURONS_AT]
                values_at = table[k, VALUES_AT]
                bias_at = values_at + n_in * width
                here = at * T + t * width
                now, bias = u[here : here + width], weights[bias_at : bias_at + width]
                if k == 0 and stride == 0 and t > 0:
                    steady = sums[:first_width]
                    for i in range(width):
                        now[i] = steady[i]
                else:
                    for i in range(width):
                        now[i] = bias[i]
                    matrix = weights[values_at:bias_at]
                    if k == 0:
                        row = t * stride * B + b
                        _add_rows(columns, values, starts[row], starts[row + 1], matrix, width, now)
                        if stride == 0:
                            steady = sums[:first_width]
                            for i in range(width):
                                steady[i] = now[i]
                    else:
                        below = table[k - 1, WIDTH]
                        sent_at = table[k - 1, NEURONS_AT] * T + t * below
                        if table[k, N_NEURONS] <= NARROW:
                            sent = u[sent_at : sent_at + below]
                            for o in range(table[k, N_NEURONS]):
                                row_at = table[k, BACK_AT] + o * below
                                row_of = back[row_at : row_at + below]
                                now[o] += _sum_spikes(sent, forms[k - 1, 0], row_of)
                        else:
                            spikes = events[sent_at : sent_at + below]
                            _add_rows(spikes, ones, 0, n_events[k - 1, t], matrix, width, now)
                threshold = forms[k, 0]
                if t > 0:
                    before, decay = u[here - width : here], beta[at : at + width]
                    for i in range(width):
                        spent = threshold if before[i] > threshold else zero
                        now[i] = decay[i] * before[i] + now[i] - spent
                if k == L - 1 or table[k + 1, N_NEURONS] > NARROW:
                    spiking = events[here : here + width]
                    n_events[k, t] = _fire(now, threshold, table[k, N_NEURONS], spiking)
            sent_at = out_at * T + t * out_width
            n_spikes = n_events[L - 1, t]
            for e in range(n_spikes):
                counts[b, events[sent_at + e]] += 1
            if loss == CROSS_ENTROPY:
                total += logs_of[n_spikes]
        label = labels[b]
        for i in range(out_width):
            output[i] = zero
        if loss == CROSS_ENTROPY:
            total -= counts[b, label] / (T * B)
        else:
            for o in range(K):
                distance = counts[b, o] - (wanted[0] if o == label else wanted[1])
                total += wanted[2] * distance * distance
                output[o] = 2.0 * wanted[2] * distance
        carries[:] = zero
        if stride == 0:
            sums[:first_width] = zero
        for t in range(T - 1, -1, -1):
            if loss == CROSS_ENTROPY:
                n_spikes = n_events[L - 1, t]
                share = 1.0 / sums_of[n_spikes]
                for o in range(K):
                    output[o] = share
                sent_at = out_at * T + t * out_width
                for e in range(n_spikes):
                    output[events[sent_at + e]] = share * math.e
                output[label] -= 1.0 / (T * B)
            for k in range(L - 1, -1, -1):
                n_in, width, at = table[k, N_INPUTS], table[k, WIDTH], table[k, NEURONS_AT]
                here = at * T + t * width
                carry = carries[at : at + width]
                _back(
                    carry,
                    beta[at : at + width],
                    given[at : at + width],
                    u[here : here + width],
                    forms[k],
                    table[k, KIND],
                )
                if with_beta and t > 0:
                    before, learned = u[here - width : here], beta_grad[at : at + width]
                    for i in range(width):
                        learned[i] += carry[i] * before[i]
                values_at = table[k, VALUES_AT]
                bias_at = values_at + n_in * width
                bias_grad = grad[bias_at : bias_at + width]
                for i in range(width):
                    bias_grad[i] += carry[i]
                if k > 0:
                    below, below_at = table[k - 1, WIDTH], table[k - 1, NEURONS_AT]
                    sent_at = below_at * T + t * below
                    if table[k, N_NEURONS] <= NARROW:
                        sent = u[sent_at : sent_at + below]
                        for o in range(table[k, N_NEURONS]):
                            row_at = table[k, BACK_AT] + o * below
                            row = back_grad[row_at : row_at + below]
                            _add_spikes(sent, forms[k - 1, 0], carry[o], row)
                    else:
                        for e in range(n_events[k - 1, t]):
                            row_at = values_at + events[sent_at + e] * width
                            row = grad[row_at : row_at + width]
                            for i in range(width):
                                row[i] += carry[i]
                    reached = given[below_at : below_at + below]
                    _reach(
                        carry[: -(-table[k, N_NEURONS] // 4) * 4], back, table[k, BACK_AT], reached
                    )
                elif stride == 0:
                    steady = sums[:first_width]
                    for i in range(width):
                        steady[i] += carry[i]
                else:
                    row = t * B + b
                    for e in range(starts[row], starts[row + 1]):
                        row_at = values_at + columns[e] * width
                        _add(carry, values[e], grad[row_at : row_at + width])
        if stride == 0:
            steady = sums[:first_width]
            for e in range(starts[b], starts[b + 1]):
                row_at = table[0, VALUES_AT] + columns[e] * first_width
                _add(steady, values[e], grad[row_at : row_at + first_width])
    return total
