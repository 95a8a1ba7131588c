"""The checked model of a network of first spike times (`network: {kind: first_spike}`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spiketune.config.section import Positive, Section, Share

NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

# Keys of `training:` that have a meaning for this kind; its losses are its own.
TRAINING_KEYS = frozenset({"epochs", "snapshots", "batch_size", "optimizer", "scheduler"})


class InputTimes(Section):
    """When an input spikes: at `early` for the value 0 and at `late` for 1, or the other way
    round with `inverted`; never for the value 0 with `silent_zero`."""

    early: NotNegative = 0.15
    late: NotNegative = 2.0
    inverted: bool = False
    silent_zero: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> InputTimes:
        if self.early >= self.late:
            raise ValueError(f"`early` {self.early} must be below `late` {self.late}")
        return self


class SpikeDelay(Section):
    """Learned delays of what reaches a layer.

    `axonal`: one per input. `dendritic`: one per neuron. `synaptic`: one per synapse. They start
    from a normal distribution of `mean` and `std` and stay positive by `positivity`: `sigmoid`
    (`scale` times the sigmoid of what is learned), `clip` (negative ones become 0 after each
    step) or `shift` (all are moved so that the smallest is 0). `learning_rate` is that of the
    network unless given.
    """

    kind: Literal["axonal", "dendritic", "synaptic"]
    mean: Finite = 0.0
    std: NotNegative = 0.5
    positivity: Literal["sigmoid", "clip", "shift"] = "sigmoid"
    scale: Positive = 1.0
    learning_rate: Positive | None = None


class SpikeLayer(Section):
    """A layer of neurons that spike at most once, and the delays before it.

    Weights start from a normal distribution. If more than the share `max_missing` of the spikes
    of a batch are missing, weights are raised instead of trained.
    """

    name: str | None = None
    neurons: Annotated[int, Field(ge=1)] | Literal["classes"]
    weights_mean: Finite = 1.5
    weights_std: NotNegative = 0.8
    max_missing: Share = 0.3
    delay: SpikeDelay | None = None


class SpikeLoss(Section):
    """What the training minimises; times in units of the synaptic time constant.

    `ttfs`: the cross-entropy of exp(-t / `xi`), so that the label's neuron comes first.
    `time_mse`: half the squared distance from the times `correct` and `wrong`.
    `shift_invariant_mse`: half the squared distance of the other neurons' times from `gap`
    after the label's. The class is that of the first neuron; with `time_mse`, of the one closest
    to `correct`. A sample whose label's neuron is silent is wrong and costs 100.
    """

    name: Literal["ttfs", "time_mse", "shift_invariant_mse"] = "ttfs"
    xi: Positive = 0.2
    correct: NotNegative = 1.5
    wrong: NotNegative = 2.5
    gap: Positive = 0.2


class Bumping(Section):
    """How weights are raised when too many spikes are missing.

    By `value`, and by twice as much each time that the same layer needs it again in the next
    batch if `doubling`; those of neurons that missed a spike only, if `targeted`.
    """

    value: Positive = 5e-4
    doubling: bool = True
    targeted: bool = True


class FirstSpike(Section):
    """Layers of neurons that spike at most once, trained by the exact gradients of when.

    Leaky integrate-and-fire neurons with exponential synapses. `tau_ratio` is the time constant
    of the membrane over that of the synapses. A neuron passes no gradient for a sample that
    would change a weight by more than `largest_dw`.
    """

    kind: Literal["first_spike"]
    tau_ratio: Literal[1, 2] = 2
    threshold: Positive = 1.0
    largest_dw: Positive | None = 0.2
    input: InputTimes = InputTimes()
    loss: SpikeLoss = SpikeLoss()
    bumping: Bumping = Bumping()
    layers: Annotated[tuple[SpikeLayer, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _layers_fit(self) -> FirstSpike:
        for index, layer in enumerate(self.layers):
            last = index == len(self.layers) - 1
            if last and layer.neurons != "classes":
                raise ValueError("the last layer must be the output: `neurons: classes`")
            if not last and layer.neurons == "classes":
                raise ValueError(f"layers.{index}: only the last layer has `neurons: classes`")
        names = [layer_name(layer, index) for index, layer in enumerate(self.layers)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the name '{min(twice)}' is given to more than one layer")
        return self


def layer_name(layer: SpikeLayer, index: int) -> str:
    """What a layer is called: its name, or its index."""
    return str(index) if layer.name is None else layer.name
