"""Leaky integrate-and-fire over all time steps in one call, with a hand-written backward.

    U[t] = beta * U[t-1] + I[t] - threshold * S[t-1]        S[t] = U[t] > threshold

The reset is subtractive, delayed by one step and takes no part in the gradient. Letters:
`T` time steps, `B` batch, `N` neurons.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from spiketune.snn.spike_gradients import SpikeGradient


class _LifOverTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, currents: Tensor, beta: Tensor, threshold: float, gradient: SpikeGradient
    ) -> tuple[Tensor, Tensor]:
        membrane = torch.empty(currents.shape, dtype=currents.dtype, device=currents.device)
        spikes = torch.empty_like(membrane)
        before: tuple[Tensor, Tensor] | None = None
        for current, u, s in zip(
            currents.unbind(0), membrane.unbind(0), spikes.unbind(0), strict=True
        ):
            if before is None:
                u.copy_(current)
            else:
                torch.addcmul(current, beta, before[0], out=u)
                u.sub_(before[1], alpha=threshold)
            torch.gt(u, threshold, out=s)
            before = (u, s)
        ctx.save_for_backward(membrane, beta)
        ctx.threshold, ctx.gradient = threshold, gradient
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, spikes_grad: Tensor | None, membrane_grad: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        membrane, beta = ctx.saved_tensors
        if spikes_grad is None:
            grad = torch.zeros_like(membrane)
        else:
            grad = ctx.gradient.derivative_(membrane - ctx.threshold).mul_(spikes_grad)
        if membrane_grad is not None:
            grad.add_(membrane_grad)
        steps = grad.unbind(0)
        for t in range(len(steps) - 2, -1, -1):
            steps[t].addcmul_(beta, steps[t + 1])
        beta_grad = None
        if ctx.needs_input_grad[1]:
            beta_grad = (grad[1:] * membrane[:-1]).sum_to_size(beta.shape)
        return grad, beta_grad, None, None


def lif(
    currents: Tensor, beta: Tensor, threshold: float, gradient: SpikeGradient
) -> tuple[Tensor, Tensor]:
    """Spikes and membrane of leaky integrate-and-fire neurons that start at rest.

    Args:
        currents: Input currents, (T, B, N); may be an expanded view.
        beta: Decay per step, () or (N,); clamped to [0, 1], outside of which its gradient is 0.
        threshold: Membrane above which a neuron spikes, and what a spike subtracts.
        gradient: Stands in for the derivative of the spike.

    Returns:
        Spikes, zeros and ones, (T, B, N), and the membrane, (T, B, N). Both carry gradients,
        once: second derivatives raise.

    Source: the discrete-time neuron of Eshraghian et al. (2023), "Training Spiking Neural
    Networks Using Lessons From Deep Learning", arXiv:2109.12894.
    """
    outputs = _LifOverTime.apply(  # type: ignore[no-untyped-call]
        currents, beta.clamp(0.0, 1.0), threshold, gradient
    )
    return cast(tuple[Tensor, Tensor], outputs)


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, distance: Tensor, gradient: SpikeGradient) -> Tensor:
        ctx.save_for_backward(distance)
        ctx.gradient = gradient  # type: ignore[attr-defined]
        return (distance > 0).to(distance.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, spikes_grad: Tensor) -> tuple[Tensor, None]:
        (distance,) = ctx.saved_tensors
        return spikes_grad * ctx.gradient.derivative_(distance.clone()), None


def lif_step(
    current: Tensor, membrane: Tensor, beta: Tensor, threshold: float, gradient: SpikeGradient
) -> tuple[Tensor, Tensor]:
    """One step by ordinary autograd: the reference that faster paths are compared with.

    Args:
        current: Input current of this step, (B, N).
        membrane: Membrane after the step before, (B, N); zeros at the start.
        beta: As for `lif`.
        threshold: As for `lif`.
        gradient: As for `lif`.

    Returns:
        Spikes and membrane of this step, (B, N) each.
    """
    reset = (membrane > threshold).to(membrane.dtype) * threshold
    after = beta.clamp(0.0, 1.0) * membrane + current - reset
    spikes = _Spike.apply(after - threshold, gradient)  # type: ignore[no-untyped-call]
    return cast(Tensor, spikes), after
