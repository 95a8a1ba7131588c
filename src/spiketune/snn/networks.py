"""Feed-forward spiking networks, built from a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Generator, Tensor, nn

from spiketune.config.training import Layer, Network
from spiketune.errors import ConfigError
from spiketune.seeding import child_seed
from spiketune.snn.layers import DenseLif, DenseShape, decay, dropped


@dataclass(frozen=True, slots=True)
class Activity:
    """What a network did with a batch.

    Attributes:
        spikes: Zeros and ones of each layer from the first to the output, (T, B, N) each.
    """

    spikes: tuple[Tensor, ...]

    @property
    def output(self) -> Tensor:
        """Spikes of the output layer, (T, B, K)."""
        return self.spikes[-1]


class SpikingNetwork(nn.Module):
    """Dense layers one after the other, each over all time steps at once.

    Args:
        shapes: The layers from input to output.
        seed: Weights and decays of a layer come from a child seed of its position.
    """

    def __init__(self, shapes: Sequence[DenseShape], seed: int) -> None:
        super().__init__()
        self.names = tuple(shape.name for shape in shapes)
        self.dense = nn.ModuleList(
            DenseLif(shape, Generator().manual_seed(child_seed(seed, "weights", index)))
            for index, shape in enumerate(shapes)
        )

    @property
    def layers(self) -> tuple[DenseLif, ...]:
        """The layers from input to output."""
        return tuple(cast(Iterator[DenseLif], iter(self.dense)))

    def forward(self, inputs: Tensor, steps: int, dropout: Generator | None = None) -> Activity:
        """Run a batch.

        Args:
            inputs: (T, B, N_in), or (1, B, N_in) where the input is the same at every step.
            steps: Number of time steps T.
            dropout: Draws the dropout masks; None switches dropout off (evaluation).
        """
        spikes: list[Tensor] = []
        for layer in self.layers:
            spikes.append(layer(inputs, steps))
            inputs = dropped(spikes[-1], layer.dropout, dropout)
        return Activity(tuple(spikes))


def layer_shapes(
    config: Network, n_inputs: int, n_classes: int, dt_ms: float | None = None
) -> tuple[DenseShape, ...]:
    """The layers of a configuration, repeats written out.

    A layer without a name is called after its index; copies are called `name_0`, `name_1`, ...

    Args:
        config: The `network` section.
        n_inputs: Number of input values.
        n_classes: Number of output neurons.
        dt_ms: Length of a time step, for time constants given in ms.

    Raises:
        ConfigError: If two layers have one name.
    """
    shapes: list[DenseShape] = []
    for index, layer in enumerate(config.layers):
        neuron = config.neuron_of(layer)
        n_neurons = n_classes if layer.dense == "classes" else layer.dense
        for name in _names(layer, index):
            shapes.append(
                DenseShape(name, n_inputs, n_neurons, neuron, decay(neuron, dt_ms), layer.dropout)
            )
            n_inputs = n_neurons
    name, times = Counter(shape.name for shape in shapes).most_common(1)[0]
    if times > 1:
        raise ConfigError("trial.network.layers", f"the name '{name}' is given {times} times")
    return tuple(shapes)


def _names(layer: Layer, index: int) -> list[str]:
    name = str(index) if layer.name is None else layer.name
    return [name] if layer.repeat == 1 else [f"{name}_{copy}" for copy in range(layer.repeat)]


def n_parameters(network: nn.Module) -> int:
    """Number of learned values."""
    return sum(parameter.numel() for parameter in network.parameters())
