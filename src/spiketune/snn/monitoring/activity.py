"""What the layers of a model did in a phase, summed on the device, and the metrics made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from spiketune.metrics.energy import activation_sparsity
from spiketune.snn.monitoring.batches import SampleCount
from spiketune.snn.monitoring.weights import Operations


@dataclass(frozen=True, slots=True)
class LayerActivity:
    """Spikes of one layer.

    Attributes:
        n_spikes: Outputs that were not zero, scalar.
        n_outputs: Outputs: neurons times samples times time steps.
    """

    n_spikes: Tensor
    n_outputs: int

    def __add__(self, other: LayerActivity) -> LayerActivity:
        before = self.n_spikes.to(other.n_spikes.device)
        return LayerActivity(before + other.n_spikes, self.n_outputs + other.n_outputs)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Sums of one validation; an update returns a new value.

    Attributes:
        samples: Samples and the silent ones among them.
        layers: Activity by spiking layer.
        operations: Operations by weight.
    """

    samples: SampleCount
    layers: Mapping[str, LayerActivity] = field(default_factory=dict)
    operations: Mapping[int, Operations] = field(default_factory=dict)

    def with_spikes(self, layer: str, n_spikes: Tensor, n_outputs: int) -> Measurement:
        """The measurement after a call of a spiking layer."""
        new = LayerActivity(n_spikes, n_outputs)
        old = self.layers.get(layer)
        return replace(self, layers={**self.layers, layer: new if old is None else old + new})

    def with_operations(self, weight: int, new: Operations) -> Measurement:
        """The measurement after a call of a module with a weight."""
        old = self.operations.get(weight)
        return replace(
            self, operations={**self.operations, weight: new if old is None else old + new}
        )

    def with_samples(
        self, layer: str, counts: Tensor, n_steps: int, *, starts: bool
    ) -> Measurement:
        """The measurement after a call of an output layer, see `SampleCount.adding`."""
        return replace(self, samples=self.samples.adding(layer, counts, n_steps, starts=starts))

    def keeping(self, layers: frozenset[str]) -> Measurement:
        """The measurement whose samples are those of the output layers, all else untouched."""
        return replace(self, samples=self.samples.keeping(layers))

    def metrics(self) -> dict[str, float]:
        """Metrics by the names that objectives use; waits for the device.

        There must be samples. A weight that met an analogue input once needs multipliers, so
        all its operations are MACs: one answer however the steps are cut into calls.
        """
        n = self.samples.n
        n_spikes = sum(int(layer.n_spikes) for layer in self.layers.values())
        n_outputs = sum(layer.n_outputs for layer in self.layers.values())
        acs = sum(int(used.n) for used in self.operations.values() if not used.analogue)
        macs = sum(int(used.n) for used in self.operations.values() if used.analogue)
        return {
            "spikes_per_sample": n_spikes / n,
            "silent_share": int(self.samples.n_silent) / n,
            "effective_acs_per_sample": acs / n,
            "effective_macs_per_sample": macs / n,
            "activation_sparsity": activation_sparsity(n_spikes, n_outputs),
        }

    def firing_rates(self) -> dict[str, float]:
        """Spikes per neuron and step by layer; waits for the device."""
        return {
            name: int(layer.n_spikes) / layer.n_outputs
            for name, layer in self.layers.items()
            if layer.n_outputs
        }


def empty(min_spikes: int) -> Measurement:
    """A measurement before its first call."""
    return Measurement(SampleCount(min_spikes))
