"""Leaky integrator: a neuron that never spikes, for a readout of its membrane.

U[t] = beta * U[t-1] + I[t]
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spiketune.snn.kernels import kernels_for
from spiketune.snn.neurons.arguments import as_given, as_pack, decay_per_neuron
from spiketune.snn.spike_gradients import StraightThrough


class _IntegratorOverTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, currents: Tensor, beta: Tensor, steps: int, kernels: ModuleType
    ) -> Tensor:
        _, membrane = kernels.lif.forward(currents, beta, None, "none", steps)
        ctx.save_for_backward(membrane, beta)
        ctx.kernels, ctx.summed = kernels, currents.shape[1] != steps
        return cast(Tensor, membrane)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, membrane_grad: Tensor) -> tuple[Tensor | None, ...]:
        membrane, beta = ctx.saved_tensors
        grad, beta_grad = ctx.kernels.lif.backward(
            None,
            membrane_grad,
            membrane,
            beta,
            None,
            reset="none",
            gradient=StraightThrough(),  # of no spike
            summed=ctx.summed,
            beta_needed=ctx.needs_input_grad[1],
        )
        return grad, beta_grad, None, None


def leaky_integrator(
    currents: Tensor,
    beta: float | Tensor,
    *,
    steps: int | None = None,
    kernels: ModuleType | None = None,
) -> Tensor:
    """Membrane of leaky integrators that start at rest.

    Args:
        currents: Input currents, (T, B, N), or (G, T, B, N) for G networks at once; T may be 1
            where they are the same at every step.
        beta: Decay per step, () or (N,), in a pack also (G, 1) or (G, N); clamped to [0, 1],
            outside of which its gradient is 0.
        steps: Number of time steps T; that of the currents if not given.
        kernels: Package that does the work; chosen by device and type if not given.

    Returns:
        Membrane, shaped as the currents with all T steps. It carries gradients, once.

    Raises:
        ValueError: If the currents are of another shape, or have neither 1 nor `steps` steps.
    """
    packed, steps = as_pack(currents, steps)
    membrane = _IntegratorOverTime.apply(  # type: ignore[no-untyped-call]
        packed,
        decay_per_neuron(beta, packed),
        steps,
        kernels_for(currents) if kernels is None else kernels,
    )
    return as_given(cast(Tensor, membrane), currents)
