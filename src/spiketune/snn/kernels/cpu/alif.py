"""Adaptive leaky integrate-and-fire of SLAYER in compiled loops.

Only spikes and membrane are kept for the backward: it works out threshold and refractory state
again from the spikes, forward in time, and then goes back in time.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from spiketune.compilation import compiled
from spiketune.snn.kernels.cpu.arrays import BLOCK, over_time, repeated, rows
from spiketune.snn.kernels.cpu.exponential import exp_negative
from spiketune.snn.kernels.forms import KINDS
from spiketune.snn.spike_gradients import SimpleForm, SpikeGradient

# A block's state and parameters are rows of one array at fixed places in it, so that LLVM knows
# that they do not overlap: it gives up on a loop that would need more than eight such checks.
_KU, _KV, _KE, _KR, _REST, _STEP = (row * BLOCK for row in range(6))
_U, _E, _R = (row * BLOCK for row in range(6, 9))
# Backward only: the distance and its derivative, what goes back in time, and derivatives of e
# and r by ke and kr.
_X, _UG, _VG, _EKE, _RKE, _RKR = (row * BLOCK for row in range(9, 15))
_ROWS_FORWARD: Final = 9
_ROWS_BACKWARD: Final = 15

_TYPES: Final = ("float32", "float64")


@compiled(
    [f"void({t}[:,:,::1], {t}[:,:,::1], {t}[:,:,::1], {t}[:,:,::1], {t}[::1])" for t in _TYPES]
)
def _forward(currents: Any, parameters: Any, spikes: Any, membrane: Any, w: Any) -> None:
    """See `forward`. Batch and neurons are one axis; the parameters repeat along it."""
    n_steps, n_all, n_row = membrane.shape[1], membrane.shape[2], parameters.shape[2]
    stride = 0 if currents.shape[1] == 1 else 1
    zero, one = membrane.dtype.type(0), membrane.dtype.type(1)
    for g in range(membrane.shape[0]):
        for row in range(0, n_all, n_row):
            for first in range(row, min(row + n_row, n_all), BLOCK):
                n = min(BLOCK, n_all - first, row + n_row - first)
                for p in range(6):
                    given = parameters[p, g, first - row : first - row + n]
                    for i in range(n):
                        w[p * BLOCK + i] = given[i]
                for i in range(n):
                    w[_U + i] = zero
                    w[_E + i] = zero
                    w[_R + i] = zero
                for t in range(n_steps):
                    x = currents[g, t * stride, first : first + n]
                    v = membrane[g, t, first : first + n]
                    s = spikes[g, t, first : first + n]
                    for i in range(n):
                        w[_U + i] = w[_KU + i] * w[_U + i] + x[i]
                    if t == 0:
                        for i in range(n):
                            v[i] = w[_U + i]
                    else:
                        before = membrane[g, t - 1, first : first + n]
                        for i in range(n):
                            v[i] = w[_KV + i] * before[i] + w[_U + i]
                    for i in range(n):
                        e = w[_KE + i] * w[_E + i]
                        r = w[_KR + i] * w[_R + i]
                        threshold = w[_REST + i] + e
                        spike = one if v[i] >= threshold + r else zero
                        s[i] = spike
                        w[_R + i] = r + (threshold + threshold) * spike
                        w[_E + i] = e + w[_STEP + i] * spike


@compiled(
    [f"void({t}[:,:,::1], {t}[:,:,::1], {t}[:,:,::1], {t}[:,:,::1], {t}[::1])" for t in _TYPES]
)
def _distances(spikes: Any, membrane: Any, parameters: Any, distances: Any, w: Any) -> None:
    """Membrane minus threshold and refractory state, for derivatives that no loop knows."""
    n_steps, n_all, n_row = membrane.shape[1], membrane.shape[2], parameters.shape[2]
    zero = membrane.dtype.type(0)
    for g in range(membrane.shape[0]):
        for row in range(0, n_all, n_row):
            for first in range(row, min(row + n_row, n_all), BLOCK):
                n = min(BLOCK, n_all - first, row + n_row - first)
                for p in range(6):
                    given = parameters[p, g, first - row : first - row + n]
                    for i in range(n):
                        w[p * BLOCK + i] = given[i]
                for i in range(n):
                    w[_E + i] = zero
                    w[_R + i] = zero
                for t in range(n_steps):
                    v = membrane[g, t, first : first + n]
                    s = spikes[g, t, first : first + n]
                    x = distances[g, t, first : first + n]
                    for i in range(n):
                        e = w[_KE + i] * w[_E + i]
                        r = w[_KR + i] * w[_R + i]
                        threshold = w[_REST + i] + e
                        x[i] = v[i] - (threshold + r)
                        w[_R + i] = r + (threshold + threshold) * s[i]
                        w[_E + i] = e + w[_STEP + i] * s[i]


@compiled(
    [
        f"void({t}[:,:,::1], int64, {t}[:,:,::1], int64, {t}[:,:,::1], {t}[:,:,::1],"
        f" {t}[:,:,::1], int64, {t}, {t}, {t}[:,:,::1], {t}[:,:,::1], float64[:,:,::1],"
        f" {t}[:,::1], {t}[::1])"
        for t in _TYPES
    ]
)
def _backward(
    spikes_grad: Any,
    spikes_stride: int,
    membrane_grad: Any,
    membrane_stride: int,
    spikes: Any,
    membrane: Any,
    parameters: Any,
    kind: int,
    scale: float,
    gain: float,
    derivative: Any,
    grad: Any,
    totals: Any,
    drives: Any,
    w: Any,
) -> None:
    """See `backward`. A gradient that is absent has size 0, as have `totals` if not wanted."""
    n_steps, n_all, n_row = membrane.shape[1], membrane.shape[2], parameters.shape[2]
    zero, one = membrane.dtype.type(0), membrane.dtype.type(1)
    summed = grad.shape[1] == 1
    for g in range(membrane.shape[0]):
        for row in range(0, n_all, n_row):
            for first in range(row, min(row + n_row, n_all), BLOCK):
                n = min(BLOCK, n_all - first, row + n_row - first)
                offset = first - row
                for p in range(6):
                    given = parameters[p, g, offset : offset + n]
                    for i in range(n):
                        w[p * BLOCK + i] = given[i]
                for i in range(n):
                    w[_E + i] = zero
                    w[_R + i] = zero
                    w[_UG + i] = zero
                    w[_VG + i] = zero
                    w[_EKE + i] = zero
                    w[_RKE + i] = zero
                    w[_RKR + i] = zero
                # Forward in time: what reaches the membrane through each step's spike.
                for t in range(n_steps if spikes_grad.size > 0 else 0):
                    v = membrane[g, t, first : first + n]
                    s = spikes[g, t, first : first + n]
                    given = spikes_grad[g, t * spikes_stride, first : first + n]
                    drive = drives[t]
                    if totals.size > 0:
                        for i in range(n):
                            w[_EKE + i] = w[_KE + i] * w[_EKE + i] + w[_E + i]
                            w[_RKR + i] = w[_KR + i] * w[_RKR + i] + w[_R + i]
                            w[_RKE + i] = w[_KR + i] * w[_RKE + i]
                    for i in range(n):
                        e = w[_KE + i] * w[_E + i]
                        r = w[_KR + i] * w[_R + i]
                        threshold = w[_REST + i] + e
                        w[_X + i] = v[i] - (threshold + r)
                        w[_R + i] = r + (threshold + threshold) * s[i]
                        w[_E + i] = e + w[_STEP + i] * s[i]
                    if kind == 0:
                        slope = derivative[g, t, first : first + n]
                        for i in range(n):
                            drive[i] = given[i] * slope[i]
                    elif kind == 1:
                        for i in range(n):
                            x = scale * w[_X + i]
                            drive[i] = gain * given[i] / (one + x * x)
                    elif kind == 2:
                        for i in range(n):
                            x = one + scale * abs(w[_X + i])
                            drive[i] = gain * given[i] / (x * x)
                    elif kind == 3:
                        for i in range(n):
                            x = one - scale * abs(w[_X + i])
                            drive[i] = gain * given[i] * (x if x > zero else zero)
                    elif kind == 4:
                        for i in range(n):
                            x = exp_negative(-scale * abs(w[_X + i]))
                            drive[i] = gain * given[i] * x
                    else:
                        for i in range(n):
                            x = exp_negative(-scale * abs(w[_X + i]))
                            drive[i] = gain * given[i] * (x / ((one + x) * (one + x)))
                    if totals.size > 0:
                        of_ke = totals[2, g, offset : offset + n]
                        of_kr = totals[3, g, offset : offset + n]
                        for i in range(n):
                            of_ke[i] -= drive[i] * (w[_EKE + i] + w[_RKE + i])
                        for i in range(n):
                            of_kr[i] -= drive[i] * w[_RKR + i]
                        for i in range(n):
                            w[_RKE + i] += (w[_EKE + i] + w[_EKE + i]) * s[i]
                # Backward in time: through voltage and current.
                for t in range(n_steps - 1, -1, -1):
                    if spikes_grad.size > 0:
                        drive = drives[t]
                        for i in range(n):
                            w[_VG + i] = w[_KV + i] * w[_VG + i] + drive[i]
                    else:
                        for i in range(n):
                            w[_VG + i] = w[_KV + i] * w[_VG + i]
                    if membrane_grad.size > 0:
                        given = membrane_grad[g, t * membrane_stride, first : first + n]
                        for i in range(n):
                            w[_VG + i] += given[i]
                    out = grad[g, 0 if summed else t, first : first + n]
                    for i in range(n):
                        w[_UG + i] = w[_KU + i] * w[_UG + i] + w[_VG + i]
                    if summed and t < n_steps - 1:
                        for i in range(n):
                            out[i] += w[_UG + i]
                    else:
                        for i in range(n):
                            out[i] = w[_UG + i]
                    if totals.size > 0 and t > 0:
                        of_ku = totals[0, g, offset : offset + n]
                        of_kv = totals[1, g, offset : offset + n]
                        v = membrane[g, t - 1, first : first + n]
                        for i in range(n):
                            of_kv[i] += w[_VG + i] * v[i]
                        if t == 1:
                            for i in range(n):
                                of_ku[i] += w[_UG + i] * v[i]
                        else:
                            before = membrane[g, t - 2, first : first + n]
                            for i in range(n):
                                of_ku[i] += w[_UG + i] * (v[i] - w[_KV + i] * before[i])


def forward(currents: Tensor, parameters: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """See `reference.alif.forward`."""
    G, given, B, N = currents.shape
    membrane = currents.new_empty((G, steps, B, N))
    spikes = torch.empty_like(membrane)
    state = membrane.new_empty(_ROWS_FORWARD * BLOCK).numpy()
    _forward(
        rows(currents, given),
        _repeated(parameters, B),
        rows(spikes, steps),
        rows(membrane, steps),
        state,
    )
    return spikes, membrane


def backward(
    spikes_grad: Tensor | None,
    membrane_grad: Tensor | None,
    spikes: Tensor,
    membrane: Tensor,
    parameters: Tensor,
    *,
    gradient: SpikeGradient,
    summed: bool,
    parameters_needed: bool,
) -> tuple[Tensor, Tensor | None]:
    """See `reference.alif.backward`."""
    G, T, B, N = membrane.shape
    nothing = membrane.new_empty((0, 0, 0, 0))
    repeats = _repeated(parameters, B)
    state = membrane.new_empty(_ROWS_BACKWARD * BLOCK).numpy()
    form, derivative = gradient.simple_form(), nothing
    if form is None:
        form = SimpleForm("given", 0.0, 0.0)
        if spikes_grad is not None:
            distances = torch.empty_like(membrane)
            _distances(rows(spikes, T), rows(membrane, T), repeats, rows(distances, T), state)
            derivative = gradient.derivative_(distances)
    grad = membrane.new_empty((G, 1 if summed else T, B, N))
    totals = np.zeros((4, *repeats.shape[1:]) if parameters_needed else (0, 0, 0))
    of_spikes, spikes_stride = over_time(spikes_grad, nothing)
    of_membrane, membrane_stride = over_time(membrane_grad, nothing)
    _backward(
        of_spikes,
        spikes_stride,
        of_membrane,
        membrane_stride,
        rows(spikes, T),
        rows(membrane, T),
        repeats,
        KINDS[form.kind],
        form.scale,
        form.gain,
        rows(derivative, derivative.shape[1]),
        rows(grad, grad.shape[1]),
        totals,
        membrane.new_empty((T if spikes_grad is not None else 0, BLOCK)).numpy(),
        state,
    )
    if not parameters_needed:
        return grad, None
    decays = torch.from_numpy(totals).view(4, G, -1, N).sum(dim=2).to(parameters.dtype)
    return grad, torch.cat([decays, torch.zeros_like(parameters[4:])])


def _repeated(parameters: Tensor, n_samples: int) -> Any:
    """Parameters (6, G, N) repeated along whole samples, (6, G, n * N)."""
    n, G, N = parameters.shape
    return repeated(parameters.reshape(n * G, N), n_samples).reshape(n, G, -1)
