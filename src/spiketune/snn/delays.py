"""Learned delays: of a neuron's spikes on their way out, and of single synapses."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from spiketune.config.architecture import LayerPlan
from spiketune.metrics.energy import effective_operations
from spiketune.snn.synapses import WeightedSynapses, draw_weights

# The spread of a kernel over time, in steps, when training has ended: close to one step.
_LAST_SPREAD = 0.5


class _Shift(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, delay: Tensor) -> Tensor:
        from spiketune.snn.kernels import delays as kernels

        ctx.save_for_backward(spikes, delay)
        ctx.kernels = kernels
        return kernels.shift(spikes, delay)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        spikes, delay = ctx.saved_tensors
        spikes_grad, delay_grad = ctx.kernels.shift_backward(grad, spikes, delay)
        return spikes_grad, delay_grad


def shifted(spikes: Tensor, delay: Tensor) -> Tensor:
    """Spikes that come later, by whole and fractional steps.

    Between whole steps n and n + 1 it is the straight line: (1 - f) s[t-n] + f s[t-n-1]. The
    gradient of a delay is that line's slope, s[t-n-1] - s[t-n], summed over time and samples.

    Args:
        spikes: (T, B, N).
        delay: Time steps, not negative, (N,).

    Returns:
        (T, B, N); nothing arrives before the first step, and what is late is lost.

    Source: Shrestha and Orchard (2018), "SLAYER: Spike Layer Error Reassignment in Time",
    arXiv:1810.08646, section 3.
    """
    output: Tensor = _Shift.apply(spikes, delay)  # type: ignore[no-untyped-call]
    return output


@final
class AxonalDelay(nn.Module):
    """One delay for each neuron, or each channel, on the way out.

    Delays start uniformly between 0 and 1 and stay between 0 and the longest.

    Args:
        n_neurons: Number of neurons or channels.
        longest: Longest delay, in time steps.
        generator: Draws the delays.
    """

    def __init__(self, n_neurons: int, longest: int, generator: Generator) -> None:
        super().__init__()
        self._longest = float(longest)
        self.delay = nn.Parameter(torch.rand(n_neurons, generator=generator))

    def forward(self, spikes: Tensor) -> Tensor:
        """Spikes when they arrive.

        Args:
            spikes: (T, B, N) or (T, B, C, H, W).

        Returns:
            Shaped as the spikes.
        """
        with torch.no_grad():
            self.delay.clamp_(0.0, self._longest)
        if spikes.dim() == 3:
            return shifted(spikes, self.delay)
        rows = spikes.movedim(2, -1)
        T, C = rows.shape[0], rows.shape[-1]
        late = shifted(rows.reshape(T, -1, C), self.delay)
        return late.view(rows.shape).movedim(-1, 2)


@final
class DelayedDense(WeightedSynapses):
    """A weight and a delay for every synapse.

    A synapse is a kernel over time: a bell curve around its delay, whose sum is the weight.
    Training starts with wide kernels, which feel where a delay should go, and narrows them;
    outside training every delay is rounded to a whole step.

    Source: Hammouamri et al. (2023), "Learning Delays in Spiking Neural Networks using Dilated
    Convolutions with Learnable Spacings", arXiv:2306.17670.
    """

    needs_every_step = True

    def __init__(self, plan: LayerPlan, generator: Generator) -> None:
        super().__init__()
        self.on_grid = plan.neuron.quantize
        layer, shape = plan.config, (plan.outputs[0], plan.inputs[0])
        draw_weights(self, shape, generator, bias=layer.bias, norm=layer.weight_norm)
        self.longest = 1 if layer.delay is None else layer.delay.longest
        self.delay = nn.Parameter(torch.rand(shape, generator=generator) * self.longest)
        self._first_spread = max(self.longest / 2.0, _LAST_SPREAD)
        self._spread = self._first_spread

    def anneal(self, progress: float) -> None:
        """Narrow the kernels: the spread falls exponentially over the first quarter of training.

        Args:
            progress: Share of the training that is done, in [0, 1].
        """
        reached = min(progress / 0.25, 1.0)
        self._spread = self._first_spread * (_LAST_SPREAD / self._first_spread) ** reached

    def kernel(self, *, training: bool) -> Tensor:
        """Weights by delay, (N, N_in, longest + 1)."""
        steps = torch.arange(self.longest + 1, dtype=self.delay.dtype, device=self.delay.device)
        with torch.no_grad():
            self.delay.clamp_(0.0, self.longest)
        if training:
            distance = (steps - self.delay.unsqueeze(-1)) / self._spread
            curve = torch.exp(-0.5 * distance.square())
            curve = curve / (curve.sum(dim=-1, keepdim=True) + 1e-7)
        else:
            curve = functional.one_hot(self.delay.round().long(), self.longest + 1)
        return self.used_weight.unsqueeze(-1) * curve

    def forward(self, inputs: Tensor, *, training: bool) -> Tensor:
        """See `Synapses.forward`."""
        kernel = self.kernel(training=training).flip(-1)
        over_time = functional.pad(inputs.permute(1, 2, 0), (self.longest, 0))
        currents = functional.conv1d(over_time, kernel, self.bias)
        return currents.permute(2, 0, 1)

    def operations(self, input_counts: Tensor) -> int:
        """See `Synapses.operations`; spikes that come too late are counted all the same."""
        return effective_operations(input_counts, self.used_weight)
