"""The checked model of a network of first spike times (`network: {kind: first_spike}`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from spiketune.config.section import Positive, Section, Share
from spiketune.errors import ConfigError

NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

Count = Annotated[int, Field(ge=1)]

# A membrane almost as slow as its synapses has no form that is exact to many digits.
NEAR_ONE = 1e-3

# Keys of `training:` that have a meaning for this kind; its losses are its own.
TRAINING_KEYS = frozenset({"epochs", "snapshots", "batch_size", "optimizer", "scheduler"})

NEEDS_VALUES = "`kind: first_spike` turns values into spike times; take a data set of values"


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
    (`shift` plus `scale` times the sigmoid of what is learned), `clip` (negative ones become 0
    after each step) or `shift` (all are moved so that the smallest is 0). `learning_rate` is
    that of the network unless given. Neighbouring inputs or neurons share a delay,
    `share_inputs` or `share_neurons` of them. `jitter` is the standard deviation of noise on
    the delays of every sample.
    """

    kind: Literal["axonal", "dendritic", "synaptic"]
    mean: Finite = 0.0
    std: NotNegative = 0.5
    positivity: Literal["sigmoid", "clip", "shift"] = "sigmoid"
    scale: Positive = 1.0
    shift: NotNegative = 0.0
    learning_rate: Positive | None = None
    share_inputs: Count = 1
    share_neurons: Count = 1
    jitter: NotNegative = 0.0

    @model_validator(mode="after")
    def _keys_belong(self) -> SpikeDelay:
        given = self.model_fields_set
        if self.positivity != "sigmoid" and (foreign := sorted(given & {"scale", "shift"})):
            raise ValueError(f"`{foreign[0]}` goes with `positivity: sigmoid`; leave it out")
        if self.kind == "dendritic" and self.share_inputs > 1:
            raise ValueError("dendritic delays are the same for all inputs: no `share_inputs`")
        if self.kind == "axonal" and self.share_neurons > 1:
            raise ValueError("axonal delays are the same for all neurons: no `share_neurons`")
        return self


class SpikeLayer(Section):
    """A layer of neurons that spike at most once, and what lies before them.

    In this order: every input is there `multiplex` times, each with weights of its own; inputs
    that always spike at the times `biases` join them; `delay` makes them arrive later; the
    neurons integrate. Weights start from a normal distribution. If more than the share
    `max_missing` of the spikes of a batch are missing, weights are raised instead of trained.
    A layer that is not `trainable` keeps weights and delays as they start. `learning_rate` of
    its weights is that of the network unless given. `jitter` is the standard deviation of noise
    on its spike times.
    """

    name: str | None = None
    neurons: Count | Literal["classes"]
    weights_mean: Finite = 1.5
    weights_std: NotNegative = 0.8
    max_missing: Share = 0.3
    multiplex: Count = 1
    biases: tuple[NotNegative, ...] = ()
    trainable: bool = True
    learning_rate: Positive | None = None
    jitter: NotNegative = 0.0
    delay: SpikeDelay | None = None


class EarlyOutput(Section):
    """A cost of late answers; see `SpikeLoss`."""

    alpha: Positive
    beta: Positive = 1.0


class SpikeLoss(Section):
    """What the training minimises; times in units of the synaptic time constant.

    `ttfs`: the cross-entropy of exp(-t / `xi`), so that the label's neuron comes first.
    `time_mse`: half the squared distance from the times `correct` and `wrong`.
    `shift_invariant_mse`: half the squared distance of the other neurons' times from `gap`
    after the label's. The class is that of the first neuron; with `time_mse`, of the one closest
    to `correct`; with a negative `gap`, of the last one, if none is silent. A sample whose
    label's neuron is silent is wrong and costs 100, as does one with any silent output neuron
    under the two squared losses.

    Regularisers: `early_output` adds alpha * exp(t / `beta`) for the time t of the label's
    neuron, `delay_l2` adds alpha times the mean square of the delays of each layer.
    """

    name: Literal["ttfs", "time_mse", "shift_invariant_mse"] = "ttfs"
    xi: Positive = 0.2
    correct: NotNegative = 1.5
    wrong: NotNegative = 2.5
    gap: Finite = 0.2
    early_output: EarlyOutput | None = None
    delay_l2: NotNegative = 0.0

    @model_validator(mode="after")
    def _gap_there(self) -> SpikeLoss:
        if self.gap == 0.0:
            raise ValueError("`gap` 0 would make all classes one; take another number")
        return self


class Bumping(Section):
    """How weights are raised when too many spikes are missing.

    By `value`, and by twice as much each time that the same layer needs it again in the next
    batch if `doubling`; those of neurons that missed a spike only, if `targeted`.
    """

    value: Positive = 5e-4
    doubling: bool = True
    targeted: bool = True


class InputNoise(Section):
    """Normal noise on the times of inputs, in training only; times below 0 are mirrored."""

    mean: Finite = 0.0
    std: Positive


class ThresholdNoise(Section):
    """Normal noise on the thresholds of neurons, as analogue substrates have it.

    `fixed_std`: every neuron has a threshold of its own, as far from the nominal one, drawn once
    around `fixed_mean`. `batch_std` and `sample_std`: drawn anew for every neuron with every
    batch, or every sample, in training and when measured.
    """

    fixed_mean: Finite = 0.0
    fixed_std: NotNegative = 0.0
    batch_std: NotNegative = 0.0
    sample_std: NotNegative = 0.0


class Euler(Section):
    """Spike times by Euler's method in steps of `step` up to `duration`, instead of exactly."""

    step: Positive = 0.01
    duration: Positive = 10.0

    @model_validator(mode="after")
    def _steps_there(self) -> Euler:
        if self.step >= self.duration:
            raise ValueError(f"`step` {self.step} must be below `duration` {self.duration}")
        return self


class WeightLimits(Section):
    """What a substrate can hold: weights in [-`clip`, `clip`], and multiples of `rounding` only.

    Clipped after each step; rounded wherever they are used, while what is trained is not.
    """

    clip: Positive | None = None
    rounding: Positive | None = None


class FirstSpike(Section):
    """Layers of neurons that spike at most once, trained by the exact gradients of when.

    Leaky integrate-and-fire neurons with exponential synapses. `tau_ratio` is the time constant
    of the membrane over that of the synapses; 1 and 2 have closed forms, with any other the
    spike is found by Newton's method. `euler` integrates instead; gradients stay exact for
    the time found. A neuron passes no gradient for a sample that would change a weight by
    more than `largest_dw`.
    """

    kind: Literal["first_spike"]
    tau_ratio: Positive = 2.0
    threshold: Positive = 1.0
    largest_dw: Positive | None = 0.2
    euler: Euler | None = None
    input_noise: InputNoise | None = None
    threshold_noise: ThresholdNoise = ThresholdNoise()
    weights: WeightLimits = WeightLimits()
    input: InputTimes = InputTimes()
    loss: SpikeLoss = SpikeLoss()
    bumping: Bumping = Bumping()
    layers: Annotated[tuple[SpikeLayer, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ratio_can_be_told_from_one(self) -> FirstSpike:
        if 0.0 < abs(self.tau_ratio - 1.0) < NEAR_ONE:
            raise ValueError(f"`tau_ratio` {self.tau_ratio} is too close to 1; take 1")
        return self

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
        for place, problem in _not_shared_evenly(self):
            raise ValueError(f"{place}: {problem}")
        return self


def check_shared_delays(config: FirstSpike, n_inputs: int, n_classes: int) -> None:
    """Refuse delays that are shared by a number which does not divide how many there are.

    Raises:
        ConfigError: Naming the layer.
    """
    for place, problem in _not_shared_evenly(config, n_inputs, n_classes):
        raise ConfigError(f"trial.network.{place}", problem)


def _not_shared_evenly(
    config: FirstSpike, n_inputs: int | None = None, n_classes: int | None = None
) -> Iterator[tuple[str, str]]:
    """Places and words; what hangs on the data is looked at where those are known."""
    n_before = n_inputs
    for index, layer in enumerate(config.layers):
        n_neurons = n_classes if layer.neurons == "classes" else layer.neurons
        if (delay := layer.delay) is not None:
            n_reaching = None
            if n_before is not None:
                n_reaching = n_before * layer.multiplex + len(layer.biases)
            for name, shared_by, n in (
                ("inputs", delay.share_inputs, n_reaching),
                ("neurons", delay.share_neurons, n_neurons),
            ):
                if n is not None and n % shared_by:
                    where = f"layers.{layer_name(layer, index)}.delay.share_{name}"
                    yield where, f"{shared_by} does not divide {n} {name}; take a number that does"
        n_before = n_neurons


def layer_name(layer: SpikeLayer, index: int) -> str:
    """What a layer is called: its name, or its index."""
    return str(index) if layer.name is None else layer.name


def is_noisy(config: FirstSpike) -> bool:
    """Whether what the network does is drawn, its inputs apart."""
    noise = config.threshold_noise
    jitters = [layer.jitter for layer in config.layers]
    jitters += [layer.delay.jitter for layer in config.layers if layer.delay is not None]
    return bool(noise.batch_std or noise.sample_std or any(jitters))


def is_plain(config: FirstSpike) -> bool:
    """Whether the network has neither noise nor anything else that needs automatic
    differentiation; plain ones are trained with less work, and several at once."""
    if config.euler is not None or config.weights.rounding is not None or is_noisy(config):
        return False
    simple = all(x.trainable and x.multiplex == 1 and not x.biases for x in config.layers)
    return simple and config.loss.delay_l2 == 0.0
