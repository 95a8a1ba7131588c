"""The checked model of a trial section that trains a network (`trial:` with `network:`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, field_serializer, model_validator

from spiketune.config import stdp
from spiketune.config.section import Section as Section
from spiketune.config.stdp import Stdp

Device = Literal["auto", "cpu", "cuda", "mps"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Validation(Section):
    """How the validation split is taken from the training data.

    `last` takes the last samples by index, `stratified` draws within each class,
    `group` holds out whole groups (speakers, subjects). `share` is that of the labelled data
    that are not test data; without it the data set's usual one is taken (0.2 for most).
    """

    share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    kind: Literal["stratified", "last", "group"] = "stratified"
    group: str | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _group_named(self) -> Validation:
        if (self.kind == "group") != (self.group is not None):
            raise ValueError("`group:` names the grouping, and goes with `kind: group`")
        return self


class Dataset(Section):
    """Which data, and how they become spikes over `steps` time steps.

    Encodings: `constant` feeds the value as a current at every step, `rate` draws a
    Bernoulli spike per step with the value as probability, `latency` gives one spike, the
    earlier the larger the value, `poisson` draws trains whose intervals are Poisson numbers of
    steps (of `dt_ms`, 1 ms if not given), with `max_rate_hz` (510) as the rate of the value 1.

    Recordings of events take no encoding. Without `dt_ms` each is cut into `steps` frames of
    equal length; with it, frames last so long, and there are as many as the longest recording
    needs, at most `steps` if that is given. `frames` tells whether a frame holds ones where
    there was an event, or the number of events. `size` is the width and height that N-MNIST is
    brought to, `channels` the number of channels that a cochlea's are summed up to.
    """

    name: str
    root: str | None = None
    encoding: Literal["constant", "rate", "latency", "poisson"] = "constant"
    max_rate_hz: Annotated[float, Field(gt=0.0)] | None = None
    steps: Annotated[int, Field(ge=1)] = 25
    dt_ms: Annotated[float, Field(gt=0.0)] | None = None
    frames: Literal["binary", "count"] | None = None
    size: Literal[28, 34] | None = None
    channels: Annotated[int, Field(ge=1)] | None = None
    validation: Validation = Validation()

    @model_validator(mode="after")
    def _rate_belongs(self) -> Dataset:
        if self.max_rate_hz is not None and self.encoding != "poisson":
            raise ValueError("`max_rate_hz` goes with `encoding: poisson`")
        return self


class Silence(Section):
    """Stop a silent network early, and the constraint `silence` that goes with it.

    A training sample is silent if the output layer emits fewer than `min_spikes` spikes.
    """

    min_spikes: Annotated[int, Field(ge=1)] = 5
    share: Share = 0.03


Positive = Annotated[float, Field(gt=0.0)]

# The scales of each spike gradient, and what they are unless given.
SPIKE_GRADIENT_SCALES: Final[Mapping[str, Mapping[str, float]]] = {
    "atan": {"alpha": 2.0},
    "fast_sigmoid": {"slope": 25.0},
    "triangular": {"width": 1.0, "height": 1.0},
    "sigmoid": {"slope": 25.0},
    "exponential": {"tau": 1.0, "scale": 1.0},
    "straight_through": {},
}


class SpikeGradient(Section):
    """Stand-in for the derivative of the spike at x, the membrane minus the threshold.

    `atan`: alpha/2 / (1 + (pi/2 alpha x)^2). `fast_sigmoid`: 1 / (1 + slope |x|)^2.
    `triangular`: height * max(0, 1 - |x| / width). `sigmoid`: the derivative of the logistic
    function of slope * x. `exponential`: scale / (2 tau) * exp(-|x| / tau), that of SLAYER.
    `straight_through`: 1.
    """

    name: Literal[
        "atan", "fast_sigmoid", "triangular", "sigmoid", "exponential", "straight_through"
    ] = "atan"
    alpha: Positive | None = None
    slope: Positive | None = None
    width: Positive | None = None
    height: Positive | None = None
    tau: Positive | None = None
    scale: Positive | None = None

    @property
    def scales(self) -> Mapping[str, float]:
        """Its scales by name, defaults filled in."""
        given = {name: getattr(self, name) for name in SPIKE_GRADIENT_SCALES[self.name]}
        defaults = SPIKE_GRADIENT_SCALES[self.name]
        return {name: defaults[name] if value is None else value for name, value in given.items()}

    @model_validator(mode="after")
    def _scales_belong(self) -> SpikeGradient:
        known = SPIKE_GRADIENT_SCALES[self.name]
        for name in type(self).model_fields.keys() - {"name", *known}:
            if getattr(self, name) is not None:
                has = f"has {', '.join(f'`{own}`' for own in known)}" if known else "has no scale"
                raise ValueError(f"`{name}` does not go with `name: {self.name}`, which {has}")
        return self


class Neuron(Section):
    """Leaky integrate-and-fire with delayed subtractive reset.

    `beta` is the decay per step, or `uniform`: one decay per neuron, drawn from U(0, 1).
    Instead of `beta`, `tau_mem_ms` gives the time constant; the data set's `dt_ms` turns it
    into a decay, so that a searched number of steps does not change it silently.
    """

    kind: Literal["lif"] = "lif"
    beta: Annotated[float, Field(ge=0.0, le=1.0)] | Literal["uniform"] | None = None
    tau_mem_ms: Annotated[float, Field(gt=0.0)] | None = None
    learn_beta: bool = False
    threshold: Annotated[float, Field(gt=0.0)] = 1.0
    spike_gradient: SpikeGradient = SpikeGradient()

    @model_validator(mode="after")
    def _one_time_constant(self) -> Neuron:
        if self.beta is not None and self.tau_mem_ms is not None:
            raise ValueError("give `beta` or `tau_mem_ms`, not both")
        return self


class Layer(Section):
    """One entry of the layer list; `repeat` copies it (0 leaves it out).

    The keys given for its `neuron` go over those of the network's default.
    """

    name: str | None = None
    dense: Annotated[int, Field(ge=1)] | Literal["classes"]
    neuron: Neuron = Neuron()
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    repeat: Annotated[int, Field(ge=0)] = 1

    @field_serializer("neuron")
    def _own_keys(self, neuron: Neuron) -> dict[str, Any]:
        return neuron.model_dump(exclude_unset=True)  # a default written out would be an own key


class Network(Section):
    """The layers from input to output, with the neuron that is every layer's default."""

    kind: Literal["layered"] = "layered"
    neuron: Neuron = Neuron()
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]

    def neuron_of(self, layer: Layer) -> Neuron:
        """The layer's neuron: its own keys over the default's."""
        merged = self.neuron.model_dump(exclude_unset=True)
        if {"beta", "tau_mem_ms"} & layer.neuron.model_fields_set:
            merged.pop("beta", None)
            merged.pop("tau_mem_ms", None)
        own = layer.neuron.model_dump(exclude_unset=True)
        return Neuron.model_validate({**merged, **own})

    @model_validator(mode="after")
    def _layers_fit(self) -> Network:
        for index, layer in enumerate(self.layers):
            last = index == len(self.layers) - 1
            if last and (layer.dense != "classes" or layer.repeat != 1):
                raise ValueError("the last layer must be the output: `dense: classes`, no repeat")
            if last and layer.dropout > 0:
                raise ValueError(f"layers.{index}: the output layer must have no `dropout`")
            if not last and layer.dense == "classes":
                raise ValueError(f"layers.{index}: only the last layer may have `dense: classes`")
            self.neuron_of(layer)
        return self


def _branch_of_kind(network: Any) -> str:
    """The tag of the model to check a network by; in brackets, as branches of unions are."""
    if isinstance(network, Mapping):
        return f"kind[{network.get('kind', 'layered')}]"
    return f"kind[{getattr(network, 'kind', 'layered')}]"


AnyNetwork = Annotated[
    Annotated[Network, Tag("kind[layered]")] | Annotated[Stdp, Tag("kind[stdp]")],
    Discriminator(
        _branch_of_kind,
        custom_error_type="kind",
        custom_error_message="`kind` must be `layered` or `stdp`",
    ),
]


class Optimizer(Section):
    """The optimiser and its settings; `momentum` belongs to `sgd`, `betas` to `adam`."""

    name: Literal["adam", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.999,
    )
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Optimizer:
        if self.nesterov and not self.momentum > 0:
            raise ValueError("`nesterov` needs `momentum` > 0")
        return self


class Scheduler(Section):
    """How the learning rate changes from epoch to epoch."""

    name: Literal["step", "multistep", "exponential", "cosine"]
    gamma: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    step_size: Annotated[int, Field(ge=1)] = 10
    milestones: tuple[int, ...] = ()


class Loss(Section):
    """`count_mse`: squared distance of each class's spike count from a target count;
    `rate_cross_entropy`: cross-entropy of the output at every step, averaged over steps."""

    name: Literal["count_mse", "rate_cross_entropy"] = "rate_cross_entropy"
    correct_rate: Share = 0.8
    incorrect_rate: Share = 0.2


class Patience(Section):
    """Stop when `batches` batches in a row, after the first epoch, did not improve the
    training loss by the share `improvement` of the best so far."""

    batches: Annotated[int, Field(ge=1)] = 300
    improvement: Share = 0.05


class Training(Section):
    """How long and by what rule the weights are trained."""

    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 128
    optimizer: Optimizer = Optimizer()
    scheduler: Scheduler | None = None
    loss: Loss = Loss()
    patience: Patience | None = None


class TrainingTrial(Section):
    """A trial section that describes one training completely."""

    device: Device = "auto"
    dataset: Dataset
    silence: Silence | None = None
    network: AnyNetwork
    training: Training = Training()

    @property
    def layered(self) -> Network:
        """The network, where it is one of layers.

        Raises:
            ValueError: If it is of another kind.
        """
        if not isinstance(self.network, Network):
            raise ValueError(f"a network of `kind: {self.network.kind}` has no layers")
        return self.network

    @model_validator(mode="after")
    def _trained_without_gradients(self) -> TrainingTrial:
        if isinstance(self.network, Stdp):
            if foreign := sorted(self.training.model_fields_set - stdp.TRAINING_KEYS):
                raise ValueError(
                    f"`training.{foreign[0]}` means nothing for `kind: stdp`, which knows "
                    f"{' and '.join(sorted(stdp.TRAINING_KEYS))}; leave it out"
                )
            if self.device not in {"auto", "cpu"}:
                raise ValueError("`kind: stdp` runs on the CPU; say `device: cpu`, or `auto`")
            if self.dataset.frames == "count":
                raise ValueError("`kind: stdp` needs spikes; say `frames: binary`")
        return self

    @model_validator(mode="after")
    def _time_constants_have_a_step(self) -> TrainingTrial:
        if not isinstance(self.network, Network):
            return self
        for layer in self.network.layers:
            neuron = self.network.neuron_of(layer)
            if neuron.tau_mem_ms is not None and self.dataset.dt_ms is None:
                raise ValueError("`tau_mem_ms` needs `dataset.dt_ms`")
        return self
