"""Recurrent leaky integrate-and-fire: every neuron's spikes reach the layer one step later.

    U[t] = beta * U[t-1] + I[t] + W S[t-1] - threshold * S[t-1]        S[t] = U[t] > threshold

The reset takes no part in the gradient, the recurrent spikes do. Plain PyTorch on any device:
a product of each step with W stands between the steps.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spiketune.snn.kernels.reference import Reset
from spiketune.snn.neurons.arguments import as_given, as_pack, decay_per_neuron, per_neuron
from spiketune.snn.spike_gradients import SpikeGradient


class _RecurrentLifOverTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        weight: Tensor,
        beta: Tensor,
        threshold: Tensor,
        gradient: SpikeGradient,
        reset: Reset,
        steps: int,
    ) -> tuple[Tensor, Tensor]:
        G, given, B, N = currents.shape
        # Time goes first here: products of one step want their rows side by side.
        membrane = currents.new_empty((steps, G, B, N))
        spikes = torch.empty_like(membrane)
        transposed, each = weight.transpose(1, 2), currents.expand(-1, steps, -1, -1).unbind(1)
        decay, height = beta.unsqueeze(1), threshold.unsqueeze(1)
        for t in range(steps):
            u, s = membrane[t], spikes[t]
            if t == 0:
                u.copy_(each[0])
            else:
                before, spiked = membrane[t - 1], spikes[t - 1]
                torch.mul(decay, before, out=u)
                if reset == "zero":
                    u.masked_fill_(spiked > 0, 0.0)
                u.add_(each[t])
                if reset == "subtract":
                    u.sub_(spiked * height)
                u.baddbmm_(spiked, transposed)
            torch.gt(u, height, out=s)
        ctx.save_for_backward(spikes, membrane, weight, beta, threshold)
        ctx.gradient, ctx.reset, ctx.summed = gradient, reset, given != steps
        ctx.set_materialize_grads(False)
        return spikes.transpose(0, 1), membrane.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, spikes_grad: Tensor | None, membrane_grad: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        spikes, membrane, weight, beta, threshold = ctx.saved_tensors
        steps, G, B, N = membrane.shape
        decay, height = beta.unsqueeze(1), threshold.unsqueeze(1)
        # From the distance by way of its derivative to the gradient of the membrane, in place.
        grad = ctx.gradient.derivative_(membrane - height)
        of_spikes = membrane.new_empty((G, B, N))
        for t in range(steps - 1, -1, -1):
            g = grad[t]
            if t < steps - 1:
                torch.bmm(grad[t + 1], weight, out=of_spikes)
                if spikes_grad is not None:
                    of_spikes.add_(spikes_grad[:, t])
                g.mul_(of_spikes)
                kept = decay * grad[t + 1]
                g.add_(kept.masked_fill_(spikes[t] > 0, 0.0) if ctx.reset == "zero" else kept)
            elif spikes_grad is not None:
                g.mul_(spikes_grad[:, t])
            else:
                g.zero_()
            if membrane_grad is not None:
                g.add_(membrane_grad[:, t])
        later, weight_grad, beta_grad = grad[1:], None, None
        if ctx.needs_input_grad[1]:
            rows = later.transpose(0, 1).reshape(G, -1, N).transpose(1, 2)
            sent = spikes[:-1].transpose(0, 1).reshape(G, -1, N)
            weight_grad = torch.bmm(rows, sent)
        if ctx.needs_input_grad[2]:
            before = membrane[:-1]
            if ctx.reset == "zero":
                before = before.masked_fill(spikes[:-1] > 0, 0.0)
            beta_grad = (later * before).sum(dim=0).sum(dim=1)
        in_pack = grad.transpose(0, 1)
        currents_grad = in_pack.sum(dim=1, keepdim=True) if ctx.summed else in_pack
        return currents_grad, weight_grad, beta_grad, None, None, None, None


def recurrent_lif(
    currents: Tensor,
    recurrent_weight: Tensor,
    beta: Tensor,
    threshold: float | Tensor,
    gradient: SpikeGradient,
    *,
    reset: Reset = "subtract",
    steps: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Spikes and membrane of recurrent neurons that start at rest.

    Args:
        currents: Input currents, (T, B, N), or (G, T, B, N) for G networks at once; T may be 1
            where they are the same at every step.
        recurrent_weight: From the neuron of the second axis to that of the first, (N, N), in a
            pack also (G, N, N).
        beta: As for `lif`, as the rest.
        threshold: Membrane above which a neuron spikes.
        gradient: Stands in for the derivative of the spike.
        reset: What a spike does to the membrane one step later.
        steps: Number of time steps T; that of the currents if not given.

    Returns:
        Spikes and membrane, as `lif`.

    Raises:
        ValueError: If the currents are of another shape, or have neither 1 nor `steps` steps.
    """
    packed, steps = as_pack(currents, steps)
    G, _, _, N = packed.shape
    if G > 1 and packed.device.type == "cpu":
        # One by one: how a product rounds depends on where its matrices lie in memory.
        weights = recurrent_weight.expand(G, N, N)
        betas, thresholds = (per_neuron(value, packed) for value in (beta, threshold))
        alone = [
            recurrent_lif(
                packed[g],
                weights[g].clone(),
                betas[g],
                thresholds[g],
                gradient,
                reset=reset,
                steps=steps,
            )
            for g in range(G)
        ]
        return torch.stack([s for s, _ in alone]), torch.stack([u for _, u in alone])
    outputs = _RecurrentLifOverTime.apply(  # type: ignore[no-untyped-call]
        packed,
        recurrent_weight.to(packed.dtype).expand(G, N, N),
        decay_per_neuron(beta, packed),
        per_neuron(threshold, packed).detach(),
        gradient,
        reset,
        steps,
    )
    spikes, membrane = cast(tuple[Tensor, Tensor], outputs)
    return as_given(spikes, currents), as_given(membrane, currents)
