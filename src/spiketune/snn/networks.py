"""Feed-forward spiking networks, built from a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Generator, Tensor, nn

from spiketune.config.architecture import LayerPlan
from spiketune.seeding import child_seed
from spiketune.snn.delays import DelayedDense
from spiketune.snn.layers import LayerActivity, SpikingLayer
from spiketune.snn.sparse import Input, SparseFrames


@dataclass(frozen=True, slots=True)
class Activity:
    """What a network did with a batch.

    Attributes:
        layers: Of each layer from the first to the output.
        sent: What each of them sent to the next, dropped out and delayed; that of the output
            layer is its own spikes or membrane.
    """

    layers: tuple[LayerActivity, ...]
    sent: tuple[Tensor, ...]

    @property
    def spikes(self) -> tuple[Tensor, ...]:
        """Zeros and ones of each layer that spikes, (T, B, *shape) each."""
        return tuple(layer.spikes for layer in self.layers if layer.spikes is not None)

    @property
    def output(self) -> Tensor:
        """Spikes of the output layer, (T, B, K); its membrane where it never spikes."""
        return self.sent[-1]

    @property
    def membrane(self) -> Tensor:
        """Membrane of the output layer, (T, B, K)."""
        return self.layers[-1].membrane

    @property
    def counts(self) -> Tensor:
        """Spikes of each neuron of the last layer that spikes, summed over time, (B, K)."""
        return self.spikes[-1].sum(dim=0).flatten(1)


class SpikingNetwork(nn.Module):
    """Layers one after the other, each over all time steps at once.

    Args:
        plans: The layers from input to output.
        seed: Weights, decays and delays of a layer come from a child seed of its position.
    """

    def __init__(self, plans: Sequence[LayerPlan], seed: int) -> None:
        super().__init__()
        self.names = tuple(plan.name for plan in plans)
        self._input_shape = plans[0].inputs
        self.stack = nn.ModuleList(
            SpikingLayer(plan, Generator().manual_seed(child_seed(seed, "weights", index)))
            for index, plan in enumerate(plans)
        )

    @property
    def layers(self) -> tuple[SpikingLayer, ...]:
        """The layers from input to output."""
        return tuple(cast(Iterator[SpikingLayer], iter(self.stack)))

    def forward(self, inputs: Input, steps: int, dropout: Generator | None = None) -> Activity:
        """Run a batch.

        Args:
            inputs: (T, B, N_in), or (1, B, N_in) where the input is the same at every step;
                lists of events only where the first layer is dense.
            steps: Number of time steps T.
            dropout: Draws the dropout masks; None means evaluation: no dropout, and delays of
                synapses rounded to whole steps.
        """
        values = inputs
        if not isinstance(values, SparseFrames):
            values = values.reshape(*values.shape[:2], *self._input_shape)
        done: list[LayerActivity] = []
        sent: list[Tensor] = []
        for layer in self.layers:
            if len(layer.plan.inputs) == 1 and not isinstance(values, SparseFrames):
                values = values.flatten(2)
            done.append(layer(values, steps, training=dropout is not None))
            values = layer.sent(done[-1], dropout)
            sent.append(values)
        return Activity(tuple(done), tuple(sent))

    def anneal(self, progress: float) -> None:
        """Tell layers that change while they learn which share of the training is done."""
        for module in self.modules():
            if isinstance(module, DelayedDense):
                module.anneal(progress)


def n_parameters(network: nn.Module) -> int:
    """Number of learned values."""
    return sum(parameter.numel() for parameter in network.parameters())
