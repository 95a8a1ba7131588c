"""Leaky integrate-and-fire over all time steps in plain PyTorch: defines what is right.

    U[t] = beta * U[t-1] + I[t] - threshold * S[t-1]        S[t] = U[t] > threshold

With reset `zero`, the membrane of a neuron that has spiked is forgotten instead:
U[t] = beta * (1 - S[t-1]) * U[t-1] + I[t]. The reset takes no part in the gradient, but where
a membrane is forgotten no gradient passes. Letters: `G` pack, `T` time steps, `B` batch,
`N` neurons.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from spiketune.snn.spike_gradients import SpikeGradient

Reset = Literal["subtract", "zero", "none"]


def forward(
    currents: Tensor, beta: Tensor, threshold: Tensor | None, reset: Reset, steps: int
) -> tuple[Tensor | None, Tensor]:
    """Spikes and membrane of all steps.

    Args:
        currents: (G, T, B, N), or (G, 1, B, N) where they are the same at every step.
        beta: Decay per step, (G, N).
        threshold: Membrane above which a neuron spikes, (G, N); None if it never does.
        reset: What a spike does to the membrane one step later.
        steps: Number of time steps T.

    Returns:
        Spikes and membrane, (G, T, B, N) each; no spikes without a threshold.
    """
    G, _, B, N = currents.shape
    membrane = currents.new_empty((G, steps, B, N))
    if threshold is None:
        _integrate(currents, beta, membrane)
        return None, membrane
    spikes = torch.empty_like(membrane)
    beta, threshold = beta.unsqueeze(1), threshold.unsqueeze(1)
    before: tuple[Tensor, Tensor] | None = None
    for current, u, s in zip(
        currents.expand(-1, steps, -1, -1).unbind(1),
        membrane.unbind(1),
        spikes.unbind(1),
        strict=True,
    ):
        if before is None:
            u.copy_(current)
        else:
            torch.mul(beta, before[0], out=u)
            if reset == "zero":
                u.masked_fill_(before[1] > 0, 0.0)
            u.add_(current)
            if reset == "subtract":
                u.sub_(before[1] * threshold)
        torch.gt(u, threshold, out=s)
        before = (u, s)
    return spikes, membrane


def _integrate(currents: Tensor, beta: Tensor, membrane: Tensor) -> None:
    """The membrane of neurons that never spike."""
    before: Tensor | None = None
    given = currents.expand(-1, membrane.shape[1], -1, -1).unbind(1)
    for current, u in zip(given, membrane.unbind(1), strict=True):
        if before is None:
            u.copy_(current)
        else:
            torch.mul(beta.unsqueeze(1), before, out=u).add_(current)
        before = u


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
    """Gradients with respect to currents and decays.

    Args:
        spikes_grad: Of the spikes, (G, T, B, N); None is zero.
        membrane_grad: Of the membrane, (G, T, B, N); None is zero.
        membrane: As `forward` returned it.
        beta: As for `forward`.
        threshold: As for `forward`.
        reset: As for `forward`.
        gradient: Stands in for the derivative of the spike.
        summed: Whether the currents are the same at every step.
        beta_needed: Whether the second result is wanted.

    Returns:
        Gradient of the currents, (G, T, B, N), or (G, 1, B, N) if `summed`; gradient of the
        decays, (G, N), or None.
    """
    beta = beta.unsqueeze(1)
    if threshold is None:
        threshold, reset = torch.full_like(beta, torch.inf), "none"
    else:
        threshold = threshold.unsqueeze(1)
    if spikes_grad is None:
        grad = torch.zeros_like(membrane)
    else:
        grad = gradient.derivative_(membrane - threshold.unsqueeze(1)).mul_(spikes_grad)
    if membrane_grad is not None:
        grad.add_(membrane_grad)
    steps = grad.unbind(1)
    for t in range(len(steps) - 2, -1, -1):
        decay = beta.masked_fill(membrane[:, t] > threshold, 0.0) if reset == "zero" else beta
        steps[t].addcmul_(decay, steps[t + 1])
    beta_grad = None
    if beta_needed:
        before = membrane[:, :-1]
        if reset == "zero":
            before = before.masked_fill(before > threshold.unsqueeze(1), 0.0)
        beta_grad = (grad[:, 1:] * before).sum(dim=(1, 2))
    return grad.sum(dim=1, keepdim=True) if summed else grad, beta_grad
