"""One layer: synapses into neurons, and what happens to spikes on their way to the next."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from spiketune.config.architecture import LayerPlan
from spiketune.snn.delays import AxonalDelay
from spiketune.snn.populations import Population, build_population
from spiketune.snn.sparse import Input, SparseFrames
from spiketune.snn.synapses import build_synapses


@dataclass(frozen=True, slots=True)
class LayerActivity:
    """What a layer did with a batch.

    Attributes:
        spikes: Zeros and ones, (T, B, *outputs); None of a layer whose neurons never spike.
        membrane: (T, B, *outputs).
    """

    spikes: Tensor | None
    membrane: Tensor

    @property
    def emitted(self) -> Tensor:
        """What the layer hands on: its spikes, or the membrane where it has none."""
        return self.membrane if self.spikes is None else self.spikes


class SpikingLayer(nn.Module):
    """Synapses, neurons, dropout and delays.

    Args:
        plan: What the layer is.
        generator: Draws weights, decays and delays, in this order.
    """

    def __init__(self, plan: LayerPlan, generator: Generator) -> None:
        super().__init__()
        self.plan = plan
        self.synapses = build_synapses(plan, generator)
        self.neurons: Population = build_population(plan, generator)
        delay = plan.config.delay
        self.delay: AxonalDelay | None = None
        if delay is not None and delay.kind == "axonal":
            self.delay = AxonalDelay(plan.outputs[0], delay.longest, generator)

    @property
    def weight(self) -> Tensor:
        """Weights of the synapses."""
        return self.synapses.get_parameter("weight")

    def operations(self, input_counts: Tensor) -> int:
        """Weights used by inputs that were not zero so many times, (*inputs)."""
        return self.synapses.operations(input_counts.reshape(self.plan.inputs))

    def n_arriving(self, spikes_at_steps: Tensor) -> Tensor:
        """How many of its spikes reach the next layer before the last step.

        A fractional delay spreads a spike over two steps, which is how delays are learned; it
        is one spike all the same, and there as soon as its first part is.

        Args:
            spikes_at_steps: Number of spikes at every step, (T, *outputs).

        Returns:
            (*outputs).
        """
        T = len(spikes_at_steps)
        last = T - self.plan.transmission_steps
        if self.delay is None:
            return spikes_at_steps[: max(last, 0)].sum(dim=0)
        steps = torch.arange(T, device=spikes_at_steps.device).unsqueeze(1)
        in_time = steps < last - self.delay.delay.detach().floor()
        by_channel = spikes_at_steps.reshape(T, len(self.delay.delay), -1)
        return (by_channel * in_time.unsqueeze(2)).sum(dim=0).view(self.plan.outputs)

    def forward(self, inputs: Input, steps: int, *, training: bool = False) -> LayerActivity:
        """Run a batch.

        Args:
            inputs: (T, B, *inputs), or (1, B, *inputs) where they are the same at every step.
            steps: Number of time steps T.
            training: Whether weights are being learned.
        """
        if self.synapses.needs_every_step and not isinstance(inputs, SparseFrames):
            inputs = inputs.expand(steps, *inputs.shape[1:])
        currents = self.synapses(inputs, training=training)
        if currents.dim() == 3:
            spikes, membrane = self.neurons(currents, steps)
            return LayerActivity(spikes, membrane)
        # One neuron's parameters are a channel's, so channels go last: that is how they lie.
        T, B, C, H, W = currents.shape
        spikes, membrane = self.neurons(currents.movedim(2, -1).reshape(T, -1, C), steps)

        def as_maps(rows: Tensor) -> Tensor:
            return rows.view(rows.shape[0], B, H, W, C).movedim(-1, 2)

        return LayerActivity(None if spikes is None else as_maps(spikes), as_maps(membrane))

    def sent(self, activity: LayerActivity, dropout: Generator | None) -> Tensor:
        """What reaches the next layer: dropout, then delays.

        Args:
            activity: As `forward` returned it.
            dropout: Draws the dropout mask; None switches dropout off (evaluation).

        Returns:
            (T, B, *outputs).
        """
        values = dropped(activity.emitted, self.plan.config.dropout, dropout)
        if self.delay is not None:
            values = self.delay(values)
        if self.plan.transmission_steps and activity.spikes is not None:
            values = later(values, self.plan.transmission_steps)
        return values


def dropped(spikes: Tensor, share: float, generator: Generator | None) -> Tensor:
    """Spikes with a share of the neurons of each sample left out, the same at every step.

    Args:
        spikes: (T, B, *shape).
        share: Probability with which a neuron is left out; the rest is scaled up.
        generator: Draws the mask; None means no dropout.

    Returns:
        Shaped as the spikes.
    """
    if generator is None or share == 0.0:
        return spikes
    keep = torch.full(spikes.shape[1:], 1.0 - share, dtype=spikes.dtype, device=spikes.device)
    mask = torch.bernoulli(keep, generator=generator).div_(1.0 - share)
    return spikes * mask


def later(spikes: Tensor, steps: int) -> Tensor:
    """Spikes that come some whole steps later; the last ones are lost.

    Args:
        spikes: (T, B, *shape).
        steps: Not negative.
    """
    kept = spikes[: max(len(spikes) - steps, 0)]
    nothing = spikes.new_zeros((len(spikes) - len(kept), *spikes.shape[1:]))
    return torch.cat([nothing, kept])
