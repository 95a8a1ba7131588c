"""Leaky integrate-and-fire in compiled loops."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from spiketune.compilation import compiled
from spiketune.snn.kernels.cpu.arrays import over_time, repeated, rows
from spiketune.snn.kernels.cpu.exponential import exp_negative
from spiketune.snn.kernels.forms import KINDS, RESETS
from spiketune.snn.kernels.reference import Reset
from spiketune.snn.spike_gradients import SimpleForm, SpikeGradient

_SIGNATURES_FORWARD: Final = [
    f"void({t}[:,:,::1], {t}[:,::1], {t}[:,::1], int64, {t}[:,:,::1], {t}[:,:,::1])"
    for t in ("float32", "float64")
]
_SIGNATURES_BACKWARD: Final = [
    f"void({t}[:,:,::1], int64, {t}[:,:,::1], int64, {t}[:,:,::1], {t}[:,::1], {t}[:,::1], int64,"
    f" int64, {t}, {t}, {t}[:,:,::1], {t}[:,:,::1], float64[:,::1], {t}[::1])"
    for t in ("float32", "float64")
]


# The loops over one row are kept apart and few arrays wide: LLVM gives up on a loop that would
# need more than eight checks for overlapping arrays before it may use vector instructions.


@compiled(_SIGNATURES_FORWARD)
def _forward(
    currents: Any, beta: Any, threshold: Any, reset: int, spikes: Any, membrane: Any
) -> None:
    """See `forward`. Batch and neurons are one axis; the parameters repeat along it.

    Spikes of size 0 are not wanted.
    """
    n_steps, n_all, n_block = membrane.shape[1], membrane.shape[2], beta.shape[1]
    stride = 0 if currents.shape[1] == 1 else 1
    zero, one = membrane.dtype.type(0), membrane.dtype.type(1)
    for g in range(membrane.shape[0]):
        for first in range(0, n_all, n_block):
            n = min(n_block, n_all - first)
            b, th = beta[g, :n], threshold[g, :n]
            for t in range(n_steps):
                current = currents[g, t * stride, first : first + n]
                u = membrane[g, t, first : first + n]
                if t == 0:
                    for i in range(n):
                        u[i] = current[i]
                else:
                    before = membrane[g, t - 1, first : first + n]
                    if reset == 0:
                        for i in range(n):
                            spent = th[i] if before[i] > th[i] else zero
                            u[i] = b[i] * before[i] + current[i] - spent
                    elif reset == 1:
                        for i in range(n):
                            kept = zero if before[i] > th[i] else b[i] * before[i]
                            u[i] = kept + current[i]
                    else:
                        for i in range(n):
                            u[i] = b[i] * before[i] + current[i]
                if spikes.size > 0:
                    s = spikes[g, t, first : first + n]
                    for i in range(n):
                        s[i] = one if u[i] > th[i] else zero


@compiled(_SIGNATURES_BACKWARD)
def _backward(
    spikes_grad: Any,
    spikes_stride: int,
    membrane_grad: Any,
    membrane_stride: int,
    membrane: Any,
    beta: Any,
    threshold: Any,
    reset: int,
    kind: int,
    scale: float,
    gain: float,
    derivative: Any,
    grad: Any,
    beta_grad: Any,
    carry: Any,
) -> None:
    """See `backward`. A gradient that is absent has size 0, as has `beta_grad` if not wanted."""
    n_steps, n_all, n_block = membrane.shape[1], membrane.shape[2], beta.shape[1]
    zero, one = membrane.dtype.type(0), membrane.dtype.type(1)
    summed = grad.shape[1] == 1
    for g in range(membrane.shape[0]):
        for first in range(0, n_all, n_block):
            n = min(n_block, n_all - first)
            b, th = beta[g, :n], threshold[g, :n]
            for i in range(n):
                carry[i] = zero
            for t in range(n_steps - 1, -1, -1):
                u = membrane[g, t, first : first + n]
                if reset == 1:
                    for i in range(n):
                        carry[i] = zero if u[i] > th[i] else b[i] * carry[i]
                else:
                    for i in range(n):
                        carry[i] = b[i] * carry[i]
                if membrane_grad.size > 0:
                    given = membrane_grad[g, t * membrane_stride, first : first + n]
                    for i in range(n):
                        carry[i] += given[i]
                if spikes_grad.size > 0:
                    given = spikes_grad[g, t * spikes_stride, first : first + n]
                    if kind == 0:
                        slope = derivative[g, t, first : first + n]
                        for i in range(n):
                            carry[i] += given[i] * slope[i]
                    elif kind == 1:
                        for i in range(n):
                            x = scale * (u[i] - th[i])
                            carry[i] += gain * given[i] / (one + x * x)
                    elif kind == 2:
                        for i in range(n):
                            x = one + scale * abs(u[i] - th[i])
                            carry[i] += gain * given[i] / (x * x)
                    elif kind == 3:
                        for i in range(n):
                            x = one - scale * abs(u[i] - th[i])
                            carry[i] += gain * given[i] * (x if x > zero else zero)
                    elif kind == 4:
                        for i in range(n):
                            x = exp_negative(-scale * abs(u[i] - th[i]))
                            carry[i] += gain * given[i] * x
                    else:
                        for i in range(n):
                            x = exp_negative(-scale * abs(u[i] - th[i]))
                            carry[i] += gain * given[i] * (x / ((one + x) * (one + x)))
                out = grad[g, 0 if summed else t, first : first + n]
                if summed and t < n_steps - 1:
                    for i in range(n):
                        out[i] += carry[i]
                else:
                    for i in range(n):
                        out[i] = carry[i]
                if beta_grad.size > 0 and t > 0:
                    total = beta_grad[g, :n]
                    before = membrane[g, t - 1, first : first + n]
                    for i in range(n):
                        kept = zero if reset == 1 and before[i] > th[i] else before[i]
                        total[i] += carry[i] * kept


def forward(
    currents: Tensor, beta: Tensor, threshold: Tensor | None, reset: Reset, steps: int
) -> tuple[Tensor | None, Tensor]:
    """See `reference.lif.forward`."""
    G, given, B, N = currents.shape
    membrane = currents.new_empty((G, steps, B, N))
    spikes = None if threshold is None else torch.empty_like(membrane)
    nothing, betas = membrane.new_empty((0, 0, 0, 0)), repeated(beta, B)
    _forward(
        rows(currents, given),
        betas,
        betas if threshold is None else repeated(threshold, B),
        RESETS["none" if threshold is None else reset],
        rows(nothing, 0) if spikes is None else rows(spikes, steps),
        rows(membrane, steps),
    )
    return spikes, membrane


def backward(
    spikes_grad: Tensor | None,
    membrane_grad: Tensor | None,
    membrane: Tensor,
    beta: Tensor,
    threshold: Tensor | None,
    *,
    reset: Reset,
    gradient: SpikeGradient,
    summed: bool,
    beta_needed: bool,
) -> tuple[Tensor, Tensor | None]:
    """See `reference.lif.backward`."""
    G, T, B, N = membrane.shape
    nothing = membrane.new_empty((0, 0, 0, 0))
    form, derivative = gradient.simple_form(), nothing
    if form is None:
        form = SimpleForm("given", 0.0, 0.0)
        if spikes_grad is not None and threshold is not None:
            distance = membrane - threshold.view(G, 1, 1, N)
            derivative = gradient.derivative_(distance)
    grad = membrane.new_empty((G, 1 if summed else T, B, N))
    betas = repeated(beta, B)
    totals = np.zeros(betas.shape if beta_needed else (0, 0))
    of_spikes, spikes_stride = over_time(spikes_grad, nothing)
    of_membrane, membrane_stride = over_time(membrane_grad, nothing)
    _backward(
        of_spikes,
        spikes_stride,
        of_membrane,
        membrane_stride,
        rows(membrane, T),
        betas,
        betas if threshold is None else repeated(threshold, B),
        RESETS["none" if threshold is None else reset],
        KINDS[form.kind],
        form.scale,
        form.gain,
        rows(derivative, derivative.shape[1]),
        rows(grad, grad.shape[1]),
        totals,
        np.empty_like(betas[0]),
    )
    if not beta_needed:
        return grad, None
    return grad, torch.from_numpy(totals).view(G, -1, N).sum(dim=1).to(beta.dtype)
