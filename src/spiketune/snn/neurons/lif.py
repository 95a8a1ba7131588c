"""Leaky integrate-and-fire.

    U[t] = beta * U[t-1] + I[t] - threshold * S[t-1]        S[t] = U[t] > threshold

The reset is delayed by one step and takes no part in the gradient.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from spiketune.snn.kernels import kernels_for
from spiketune.snn.kernels.reference import Reset
from spiketune.snn.neurons.arguments import as_given, as_pack, decay_per_neuron, per_neuron
from spiketune.snn.spike_gradients import SpikeGradient


class _LifOverTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        beta: Tensor,
        threshold: Tensor,
        gradient: SpikeGradient,
        reset: Reset,
        steps: int,
        kernels: ModuleType,
    ) -> tuple[Tensor, Tensor]:
        spikes, membrane = kernels.lif.forward(currents, beta, threshold, reset, steps)
        ctx.save_for_backward(membrane, beta, threshold)
        ctx.gradient, ctx.reset, ctx.kernels = gradient, reset, kernels
        ctx.summed = currents.shape[1] != steps
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, spikes_grad: Tensor | None, membrane_grad: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        membrane, beta, threshold = ctx.saved_tensors
        grad, beta_grad = ctx.kernels.lif.backward(
            spikes_grad,
            membrane_grad,
            membrane,
            beta,
            threshold,
            reset=ctx.reset,
            gradient=ctx.gradient,
            summed=ctx.summed,
            beta_needed=ctx.needs_input_grad[1],
        )
        return grad, beta_grad, None, None, None, None, None


def lif(
    currents: Tensor,
    beta: Tensor,
    threshold: float | Tensor,
    gradient: SpikeGradient,
    *,
    reset: Reset = "subtract",
    steps: int | None = None,
    kernels: ModuleType | None = None,
) -> tuple[Tensor, Tensor]:
    """Spikes and membrane of leaky integrate-and-fire neurons that start at rest.

    Args:
        currents: Input currents, (T, B, N), or (G, T, B, N) for G networks at once; T may be 1
            where they are the same at every step.
        beta: Decay per step, () or (N,), in a pack also (G, 1) or (G, N); clamped to [0, 1],
            outside of which its gradient is 0.
        threshold: Membrane above which a neuron spikes, shaped as `beta` may be; it gets no
            gradient.
        gradient: Stands in for the derivative of the spike.
        reset: What a spike does one step later: `subtract` the threshold from the membrane,
            forget the membrane (`zero`), or nothing (`none`).
        steps: Number of time steps T; that of the currents if not given.
        kernels: Package that does the work; chosen by device and type if not given.

    Returns:
        Spikes, zeros and ones, and the membrane, shaped as the currents with all T steps.
        Both carry gradients, once: second derivatives raise.

    Raises:
        ValueError: If the currents are of another shape, or have neither 1 nor `steps` steps.

    Source: the discrete-time neuron of Eshraghian et al. (2023), "Training Spiking Neural
    Networks Using Lessons From Deep Learning", arXiv:2109.12894.
    """
    packed, steps = as_pack(currents, steps)
    outputs = _LifOverTime.apply(  # type: ignore[no-untyped-call]
        packed,
        decay_per_neuron(beta, packed),
        per_neuron(threshold, packed).detach(),
        gradient,
        reset,
        steps,
        kernels_for(currents) if kernels is None else kernels,
    )
    spikes, membrane = cast(tuple[Tensor, Tensor], outputs)
    return as_given(spikes, currents), as_given(membrane, currents)


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
