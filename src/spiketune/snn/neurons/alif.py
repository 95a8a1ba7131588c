"""Adaptive leaky integrate-and-fire, as in SLAYER.

    u[t] = (1 - a_u) * u[t-1] + I[t]                     current
    v[t] = (1 - a_v) * v[t-1] + u[t]                     voltage, the membrane
    th[t] = (1 - a_th) * (th[t-1] - th0) + th0           threshold
    r[t] = (1 - a_r) * r[t-1]                            refractory state
    S[t] = v[t] >= th[t] + r[t];  after a spike  r += 2 * th,  th += step

No spike resets the membrane: refractoriness lies in r. Spikes take part in th and r as
constants for the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spiketune.snn.kernels import kernels_for
from spiketune.snn.neurons.arguments import as_given, as_pack, decay_per_neuron, per_neuron
from spiketune.snn.spike_gradients import SpikeGradient


@dataclass(frozen=True, slots=True)
class AlifParameters:
    """Parameters, each a number or a tensor, () or (N,), in a pack also (G, 1) or (G, N).

    Attributes:
        current_decay: Share a_u that the current loses per step.
        voltage_decay: Share a_v that the voltage loses per step.
        threshold_decay: Share a_th of its rise that the threshold loses per step.
        refractory_decay: Share a_r that the refractory state loses per step.
        threshold: Threshold th0 at rest.
        threshold_step: What a spike adds to the threshold.

    Decays are clamped to [0, 1], outside of which their gradient is 0. Thresholds get none.
    """

    current_decay: float | Tensor
    voltage_decay: float | Tensor
    threshold_decay: float | Tensor
    refractory_decay: float | Tensor
    threshold: float | Tensor
    threshold_step: float | Tensor

    def stacked(self, packed: Tensor) -> Tensor:
        """As kernels take them, for currents (G, T, B, N): (6, G, N), of decays what is kept."""
        decays = (
            self.current_decay,
            self.voltage_decay,
            self.threshold_decay,
            self.refractory_decay,
        )
        thresholds = (self.threshold, self.threshold_step)
        return torch.stack(
            [1.0 - decay_per_neuron(decay, packed) for decay in decays]
            + [per_neuron(threshold, packed).detach() for threshold in thresholds]
        )


class _AlifOverTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        parameters: Tensor,
        gradient: SpikeGradient,
        steps: int,
        kernels: ModuleType,
    ) -> tuple[Tensor, Tensor]:
        spikes, membrane = kernels.alif.forward(currents, parameters, steps)
        ctx.save_for_backward(spikes, membrane, parameters)
        ctx.gradient, ctx.kernels = gradient, kernels
        ctx.summed = currents.shape[1] != steps
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, spikes_grad: Tensor | None, membrane_grad: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        spikes, membrane, parameters = ctx.saved_tensors
        grad, parameters_grad = ctx.kernels.alif.backward(
            spikes_grad,
            membrane_grad,
            spikes,
            membrane,
            parameters,
            gradient=ctx.gradient,
            summed=ctx.summed,
            parameters_needed=ctx.needs_input_grad[1],
        )
        return grad, parameters_grad, None, None, None


def alif(
    currents: Tensor,
    parameters: AlifParameters,
    gradient: SpikeGradient,
    *,
    steps: int | None = None,
    kernels: ModuleType | None = None,
) -> tuple[Tensor, Tensor]:
    """Spikes and membrane of SLAYER's adaptive neurons that start at rest.

    Args:
        currents: Input currents, (T, B, N), or (G, T, B, N) for G networks at once; T may be 1
            where they are the same at every step.
        parameters: Decays and thresholds.
        gradient: Stands in for the derivative of the spike at v - (th + r).
        steps: Number of time steps T; that of the currents if not given.
        kernels: Package that does the work; chosen by device and type if not given.

    Returns:
        Spikes, zeros and ones, and the membrane v, shaped as the currents with all T steps.
        Both carry gradients, once: second derivatives raise.

    Raises:
        ValueError: If the currents are of another shape, or have neither 1 nor `steps` steps.

    Source: Shrestha and Orchard (2018), "SLAYER: Spike Layer Error Reassignment in Time",
    arXiv:1810.08646, and its successor in Lava, whose dynamics these are.
    """
    packed, steps = as_pack(currents, steps)
    outputs = _AlifOverTime.apply(  # type: ignore[no-untyped-call]
        packed,
        parameters.stacked(packed),
        gradient,
        steps,
        kernels_for(currents) if kernels is None else kernels,
    )
    spikes, membrane = cast(tuple[Tensor, Tensor], outputs)
    return as_given(spikes, currents), as_given(membrane, currents)
