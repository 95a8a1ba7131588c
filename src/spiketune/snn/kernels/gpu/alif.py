"""Adaptive leaky integrate-and-fire of SLAYER in Triton kernels.

Only spikes and membrane are kept for the backward: it works out threshold and refractory state
again from the spikes, forward in time, and then goes back in time.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from spiketune.snn.kernels import reference
from spiketune.snn.kernels.gpu.derivatives import derivative_at, form_of, number
from spiketune.snn.kernels.gpu.launch import BLOCK, grid, over_time
from spiketune.snn.spike_gradients import SpikeGradient


@triton.jit
def _forward(
    currents,
    parameters,
    spikes,
    membrane,
    n_steps,
    n_all,
    n_neurons,
    per_parameter,
    per_network,
    per_step,
    block: tl.constexpr,
):
    kind: tl.constexpr = membrane.dtype.element_ty
    g = tl.program_id(1).to(tl.int64)
    i = tl.program_id(0) * block + tl.arange(0, block)
    inside = i < n_all
    own = parameters + g * n_neurons + i % n_neurons
    ku = tl.load(own, mask=inside, other=0.0)
    kv = tl.load(own + per_parameter, mask=inside, other=0.0)
    ke = tl.load(own + 2 * per_parameter, mask=inside, other=0.0)
    kr = tl.load(own + 3 * per_parameter, mask=inside, other=0.0)
    rest = tl.load(own + 4 * per_parameter, mask=inside, other=0.0)
    step = tl.load(own + 5 * per_parameter, mask=inside, other=0.0)
    given = currents + g * per_network + i
    out = g * n_steps * n_all + i
    u = tl.zeros([block], dtype=kind)
    v = tl.zeros([block], dtype=kind)
    e = tl.zeros([block], dtype=kind)
    r = tl.zeros([block], dtype=kind)
    for _ in range(n_steps):
        u = ku * u + tl.load(given, mask=inside, other=0.0)
        v = kv * v + u
        e = ke * e
        r = kr * r
        threshold = rest + e
        s = (v >= threshold + r).to(kind)
        tl.store(membrane + out, v, mask=inside)
        tl.store(spikes + out, s, mask=inside)
        r += 2.0 * threshold * s
        e += step * s
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
    spikes,
    membrane,
    parameters,
    derivative,
    drives,
    grad,
    parameters_grad,
    scale,
    scale_rest,
    gain,
    gain_rest,
    n_steps,
    n_all,
    n_neurons,
    per_parameter,
    of_spikes: tl.constexpr,
    of_membrane: tl.constexpr,
    form: tl.constexpr,
    summed: tl.constexpr,
    parameters_needed: tl.constexpr,
    block: tl.constexpr,
):
    kind: tl.constexpr = membrane.dtype.element_ty
    g = tl.program_id(1).to(tl.int64)
    i = tl.program_id(0) * block + tl.arange(0, block)
    inside = i < n_all
    own = parameters + g * n_neurons + i % n_neurons
    ku = tl.load(own, mask=inside, other=0.0)
    kv = tl.load(own + per_parameter, mask=inside, other=0.0)
    ke_total = tl.zeros([block], dtype=kind)
    kr_total = tl.zeros([block], dtype=kind)
    at = g * n_steps * n_all + i
    if of_spikes:
        # Forward in time: what reaches the membrane through each step's spike.
        ke = tl.load(own + 2 * per_parameter, mask=inside, other=0.0)
        kr = tl.load(own + 3 * per_parameter, mask=inside, other=0.0)
        rest = tl.load(own + 4 * per_parameter, mask=inside, other=0.0)
        step = tl.load(own + 5 * per_parameter, mask=inside, other=0.0)
        sharpness, height = number(scale, scale_rest, kind), number(gain, gain_rest, kind)
        e = tl.zeros([block], dtype=kind)
        r = tl.zeros([block], dtype=kind)
        e_ke = tl.zeros([block], dtype=kind)
        r_ke = tl.zeros([block], dtype=kind)
        r_kr = tl.zeros([block], dtype=kind)
        given = spikes_grad + g * spikes_network + i
        for _ in range(n_steps):
            s = tl.load(spikes + at, mask=inside, other=0.0)
            drive = tl.load(given, mask=inside, other=0.0)
            if parameters_needed:
                e_ke = ke * e_ke + e
                r_ke = kr * r_ke
                r_kr = kr * r_kr + r
            e = ke * e
            r = kr * r
            threshold = rest + e
            if form == 0:
                drive *= tl.load(derivative + at, mask=inside, other=0.0)
            else:
                v = tl.load(membrane + at, mask=inside, other=0.0)
                drive *= derivative_at(v - (threshold + r), form, sharpness, height)
            tl.store(drives + at, drive, mask=inside)
            if parameters_needed:
                ke_total -= drive * (e_ke + r_ke)
                kr_total -= drive * r_kr
                r_ke += 2.0 * e_ke * s
            r += 2.0 * threshold * s
            e += step * s
            given += spikes_step
            at += n_all
        tl.debug_barrier()  # what was written is read again below
    else:
        at += n_steps * n_all
    # Backward in time: through voltage and current.
    v_grad = tl.zeros([block], dtype=kind)
    u_grad = tl.zeros([block], dtype=kind)
    total = tl.zeros([block], dtype=kind)
    ku_total = tl.zeros([block], dtype=kind)
    kv_total = tl.zeros([block], dtype=kind)
    before = tl.zeros([block], dtype=kind)
    if parameters_needed:
        # None before the first step. (The interpreter cannot join a scalar to a mask by `&`.)
        reach = tl.where(n_steps > 1, n_all, 0)
        before = tl.load(membrane + at - 2 * n_all, mask=i < reach, other=0.0)
    for back in range(n_steps):
        t = tl.cast(n_steps - 1 - back, tl.int64)
        at -= n_all
        v_grad = kv * v_grad
        if of_spikes:
            v_grad += tl.load(drives + at, mask=inside, other=0.0)
        if of_membrane:
            given = membrane_grad + g * membrane_network + t * membrane_step + i
            v_grad += tl.load(given, mask=inside, other=0.0)
        u_grad = ku * u_grad + v_grad
        if summed:
            total += u_grad
        else:
            tl.store(grad + at, u_grad, mask=inside)
        if parameters_needed:
            # The current of the step before, from the voltages of that and the one before it.
            reach = tl.where(t > 1, n_all, 0)
            earlier = tl.load(membrane + at - 2 * n_all, mask=i < reach, other=0.0)
            kv_total += v_grad * before
            ku_total += u_grad * (before - kv * earlier)
            before = earlier
    if summed:
        tl.store(grad + g * n_all + i, total, mask=inside)
    if parameters_needed:
        into = parameters_grad + g * n_all + i
        per_total = tl.num_programs(1).to(tl.int64) * n_all
        tl.store(into, ku_total, mask=inside)
        tl.store(into + per_total, kv_total, mask=inside)
        tl.store(into + 2 * per_total, ke_total, mask=inside)
        tl.store(into + 3 * per_total, kr_total, mask=inside)


def forward(currents: Tensor, parameters: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """See `reference.alif.forward`."""
    G, given, B, N = currents.shape
    membrane = currents.new_empty((G, steps, B, N))
    spikes = torch.empty_like(membrane)
    if membrane.numel():
        _forward[grid(membrane)](
            currents.contiguous(),
            parameters.contiguous(),
            spikes,
            membrane,
            steps,
            B * N,
            N,
            G * N,
            given * B * N,
            B * N if given > 1 else 0,
            block=BLOCK,
            enable_fp_fusion=False,
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
    form = form_of(gradient, lambda: reference.alif.distances(spikes, membrane, parameters))
    grad = membrane.new_zeros((G, 1 if summed else T, B, N))
    drives = grad
    if summed:
        drives = torch.empty_like(membrane)
    totals = membrane.new_zeros((4, G, B, N)) if parameters_needed else None
    if membrane.numel():
        _backward[grid(membrane)](
            *over_time(spikes_grad),
            *over_time(membrane_grad),
            spikes,
            membrane,
            parameters.contiguous(),
            form.derivative,
            drives,
            grad,
            totals,
            form.scale,
            form.scale_rest,
            form.gain,
            form.gain_rest,
            T,
            B * N,
            N,
            G * N,
            of_spikes=spikes_grad is not None,
            of_membrane=membrane_grad is not None,
            form=form.kind,
            summed=summed,
            parameters_needed=parameters_needed,
            block=BLOCK,
            enable_fp_fusion=False,
        )
    if totals is None:
        return grad, None
    return grad, torch.cat([totals.sum(dim=2), torch.zeros_like(parameters[4:])])
