"""Adaptive leaky integrate-and-fire of SLAYER over all time steps in plain PyTorch.

    u[t] = ku * u[t-1] + x[t]                    current
    v[t] = kv * v[t-1] + u[t]                    voltage, the membrane; no spike resets it
    e[t] = ke * e+[t-1]                          threshold above its rest th0: th = th0 + e
    r[t] = kr * r+[t-1]                          refractory state
    s[t] = v[t] >= th[t] + r[t]
    r+[t] = r[t] + 2 * th[t] * s[t]              e+[t] = e[t] + step * s[t]

`k` is what a step keeps, 1 - decay. Spikes are constants in e and r for gradients. Letters:
`G` pack, `T` time steps, `B` batch, `N` neurons.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spiketune.snn.spike_gradients import SpikeGradient


def forward(currents: Tensor, parameters: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Spikes and membrane of all steps.

    Args:
        currents: (G, T, B, N), or (G, 1, B, N) where they are the same at every step.
        parameters: ku, kv, ke, kr, th0 and step, (6, G, N).
        steps: Number of time steps T.

    Returns:
        Spikes and membrane, (G, T, B, N) each.
    """
    G, _, B, N = currents.shape
    ku, kv, ke, kr, rest, step = parameters.unsqueeze(2)
    membrane = currents.new_empty((G, steps, B, N))
    spikes = torch.empty_like(membrane)
    u, v, e, r = currents.new_zeros((4, G, B, N))
    given = currents.expand(-1, steps, -1, -1)
    for t in range(steps):
        u.mul_(ku).add_(given[:, t])
        v = torch.mul(kv, v, out=membrane[:, t]).add_(u)
        e.mul_(ke)
        r.mul_(kr)
        threshold = rest + e
        s = torch.ge(v, threshold + r, out=spikes[:, t])
        r.add_(threshold.mul_(2.0).mul_(s))
        e.add_(step * s)
    return spikes, membrane


def distances(spikes: Tensor, membrane: Tensor, parameters: Tensor) -> Tensor:
    """Membrane minus threshold and refractory state at every step, (G, T, B, N)."""
    _, _, ke, kr, rest, step = parameters.unsqueeze(2)
    e, r = torch.zeros_like(membrane[:, :1].expand(2, -1, -1, -1, -1))[:, :, 0]
    found = torch.empty_like(membrane)
    for t in range(membrane.shape[1]):
        e, r = ke * e, kr * r
        torch.sub(membrane[:, t], rest + e + r, out=found[:, t])
        r = r + 2.0 * (rest + e) * spikes[:, t]
        e = e + step * spikes[:, t]
    return found


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
    """Gradients with respect to currents and parameters.

    Args:
        spikes_grad: Of the spikes, (G, T, B, N); None is zero.
        membrane_grad: Of the membrane, (G, T, B, N); None is zero.
        spikes: As `forward` returned them.
        membrane: As `forward` returned it.
        parameters: As for `forward`.
        gradient: Stands in for the derivative of the spike.
        summed: Whether the currents are the same at every step.
        parameters_needed: Whether the second result is wanted.

    Returns:
        Gradient of the currents, (G, T, B, N), or (G, 1, B, N) if `summed`; gradient of the
        parameters, (6, G, N), zero for th0 and step, or None.
    """
    ku, kv, ke, kr, rest, step = parameters.unsqueeze(2)
    parameters_grad = torch.zeros_like(parameters)
    drive = torch.zeros_like(membrane)
    if spikes_grad is not None:
        # e and r, and their derivatives: of e by ke, of r by ke (through th) and kr.
        e, r, e_ke, r_ke, r_kr = torch.zeros_like(membrane[:, :1].expand(5, -1, -1, -1, -1))[
            :, :, 0
        ]
        for t in range(membrane.shape[1]):
            e_ke, r_ke, r_kr = ke * e_ke + e, kr * r_ke, kr * r_kr + r
            e, r = ke * e, kr * r
            slope = gradient.derivative_(membrane[:, t] - (rest + e + r))
            drive[:, t] = slope * spikes_grad[:, t]
            parameters_grad[2] -= (drive[:, t] * (e_ke + r_ke)).sum(dim=1)
            parameters_grad[3] -= (drive[:, t] * r_kr).sum(dim=1)
            r = r + 2.0 * (rest + e) * spikes[:, t]
            r_ke = r_ke + 2.0 * e_ke * spikes[:, t]
            e = e + step * spikes[:, t]
    if membrane_grad is not None:
        drive += membrane_grad
    v_grad = u_grad = torch.zeros_like(membrane[:, 0])
    for t in range(membrane.shape[1] - 1, -1, -1):
        v_grad = kv * v_grad + drive[:, t]
        u_grad = ku * u_grad + v_grad
        drive[:, t] = u_grad
        if t > 0:
            before = membrane[:, t - 1]
            u = before - kv * membrane[:, t - 2] if t > 1 else before
            parameters_grad[0] += (u_grad * u).sum(dim=1)
            parameters_grad[1] += (v_grad * before).sum(dim=1)
    grad = drive.sum(dim=1, keepdim=True) if summed else drive
    return grad, parameters_grad if parameters_needed else None
