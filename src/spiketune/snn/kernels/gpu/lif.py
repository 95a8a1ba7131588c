"""Leaky integrate-and-fire in Triton kernels."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from spiketune.snn.kernels.forms import RESETS
from spiketune.snn.kernels.gpu.derivatives import derivative_at, form_of, number
from spiketune.snn.kernels.gpu.launch import BLOCK, grid, over_time
from spiketune.snn.kernels.reference import Reset
from spiketune.snn.spike_gradients import SpikeGradient


@triton.jit
def _forward(
    currents,
    beta,
    threshold,
    spikes,
    membrane,
    n_steps,
    n_all,
    n_neurons,
    per_network,
    per_step,
    spiking: tl.constexpr,
    reset: tl.constexpr,
    block: tl.constexpr,
):
    kind: tl.constexpr = membrane.dtype.element_ty
    g = tl.program_id(1).to(tl.int64)
    i = tl.program_id(0) * block + tl.arange(0, block)
    inside = i < n_all
    b = tl.load(beta + g * n_neurons + i % n_neurons, mask=inside, other=0.0)
    th = tl.zeros([block], dtype=kind)
    if spiking:
        th = tl.load(threshold + g * n_neurons + i % n_neurons, mask=inside, other=0.0)
    given = currents + g * per_network + i
    out = g * n_steps * n_all + i
    u = tl.zeros([block], dtype=kind)
    s = tl.zeros([block], dtype=kind)
    for _ in range(n_steps):
        x = tl.load(given, mask=inside, other=0.0)
        if reset == 0:
            u = b * u + x - th * s
        elif reset == 1:
            u = b * u * (1.0 - s) + x
        else:
            u = b * u + x
        tl.store(membrane + out, u, mask=inside)
        if spiking:
            s = (u > th).to(kind)
            tl.store(spikes + out, s, mask=inside)
        given += per_step
        out += n_all


@triton.jit
def _backward(
    spikes_grad,
    spikes_network,
    spikes_step,
    membrane_grad,
    membrane_network,
    membrane_step,
    membrane,
    beta,
    threshold,
    derivative,
    grad,
    beta_grad,
    scale,
    scale_rest,
    gain,
    gain_rest,
    n_steps,
    n_all,
    n_neurons,
    of_spikes: tl.constexpr,
    of_membrane: tl.constexpr,
    form: tl.constexpr,
    reset: tl.constexpr,
    summed: tl.constexpr,
    beta_needed: tl.constexpr,
    spiking: tl.constexpr,
    block: tl.constexpr,
):
    kind: tl.constexpr = membrane.dtype.element_ty
    g = tl.program_id(1).to(tl.int64)
    i = tl.program_id(0) * block + tl.arange(0, block)
    inside = i < n_all
    b = tl.load(beta + g * n_neurons + i % n_neurons, mask=inside, other=0.0)
    th = tl.zeros([block], dtype=kind)
    if spiking:
        th = tl.load(threshold + g * n_neurons + i % n_neurons, mask=inside, other=0.0)
    sharpness, height = number(scale, scale_rest, kind), number(gain, gain_rest, kind)
    at = (g * n_steps + n_steps - 1) * n_all + i
    carry = tl.zeros([block], dtype=kind)
    total = tl.zeros([block], dtype=kind)
    beta_total = tl.zeros([block], dtype=kind)
    u = tl.load(membrane + at, mask=inside, other=0.0)
    for back in range(n_steps):
        t = tl.cast(n_steps - 1 - back, tl.int64)
        carry = b * carry
        if reset == 1:
            carry = tl.where(u > th, 0.0, carry)
        if of_membrane:
            given = membrane_grad + g * membrane_network + t * membrane_step + i
            carry += tl.load(given, mask=inside, other=0.0)
        if of_spikes:
            given = spikes_grad + g * spikes_network + t * spikes_step + i
            towards = tl.load(given, mask=inside, other=0.0)
            if form == 0:
                carry += towards * tl.load(derivative + at, mask=inside, other=0.0)
            else:
                carry += towards * derivative_at(u - th, form, sharpness, height)
        if summed:
            total += carry
        else:
            tl.store(grad + at, carry, mask=inside)
        # None before the first step. (The interpreter cannot join a scalar to a mask by `&`.)
        before = tl.load(membrane + at - n_all, mask=i < tl.where(t > 0, n_all, 0), other=0.0)
        if beta_needed:
            if reset == 1:
                beta_total += carry * tl.where(before > th, 0.0, before)
            else:
                beta_total += carry * before
        u = before
        at -= n_all
    if summed:
        tl.store(grad + g * n_all + i, total, mask=inside)
    if beta_needed:
        tl.store(beta_grad + g * n_all + i, beta_total, mask=inside)


def forward(
    currents: Tensor, beta: Tensor, threshold: Tensor | None, reset: Reset, steps: int
) -> tuple[Tensor | None, Tensor]:
    """See `reference.lif.forward`."""
    G, given, B, N = currents.shape
    currents = currents.contiguous()
    membrane = currents.new_empty((G, steps, B, N))
    spikes = None if threshold is None else torch.empty_like(membrane)
    if membrane.numel():
        _forward[grid(membrane)](
            currents,
            beta.contiguous(),
            None if threshold is None else threshold.contiguous(),
            spikes,
            membrane,
            steps,
            B * N,
            N,
            given * B * N,
            B * N if given > 1 else 0,
            spiking=threshold is not None,
            reset=RESETS["none" if threshold is None else reset],
            block=BLOCK,
            enable_fp_fusion=False,
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
    rest = beta.new_zeros(1) if threshold is None else threshold.view(G, 1, 1, N)
    form = form_of(gradient, lambda: membrane - rest)
    grad = membrane.new_zeros((G, 1 if summed else T, B, N))
    beta_grad = membrane.new_zeros((G, B, N)) if beta_needed else None
    if membrane.numel():
        _backward[grid(membrane)](
            *over_time(spikes_grad),
            *over_time(membrane_grad),
            membrane,
            beta.contiguous(),
            None if threshold is None else threshold.contiguous(),
            form.derivative,
            grad,
            beta_grad,
            form.scale,
            form.scale_rest,
            form.gain,
            form.gain_rest,
            T,
            B * N,
            N,
            of_spikes=spikes_grad is not None,
            of_membrane=membrane_grad is not None,
            form=form.kind,
            reset=RESETS["none" if threshold is None else reset],
            summed=summed,
            beta_needed=beta_needed,
            spiking=threshold is not None,
            block=BLOCK,
            enable_fp_fusion=False,
        )
    return grad, None if beta_grad is None else beta_grad.sum(dim=1)
