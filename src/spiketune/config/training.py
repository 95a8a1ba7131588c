"""The checked model of a trial section that trains a network (`trial:` with `network:`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from spiketune.config import first_spike, stdp
from spiketune.config.first_spike import FirstSpike
from spiketune.config.network import Network
from spiketune.config.section import Section, Share
from spiketune.config.stdp import Stdp

Device = Literal["auto", "cpu", "cuda", "mps"]


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
    there was an event, or the number of events. `size` is the width and height that a
    camera's pictures are brought to, `channels` the number of channels that a cochlea's are
    summed up to.

    `train_share` is the share of the training samples that is trained on; the samples of a
    smaller share are among those of a larger one.
    """

    name: str
    root: str | None = None
    encoding: Literal["constant", "rate", "latency", "poisson"] = "constant"
    max_rate_hz: Annotated[float, Field(gt=0.0)] | None = None
    steps: Annotated[int, Field(ge=1)] = 25
    dt_ms: Annotated[float, Field(gt=0.0)] | None = None
    frames: Literal["binary", "count"] | None = None
    size: Annotated[int, Field(ge=1)] | None = None
    channels: Annotated[int, Field(ge=1)] | None = None
    train_share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    validation: Validation = Validation()

    @model_validator(mode="after")
    def _rate_belongs(self) -> Dataset:
        if self.max_rate_hz is not None and self.encoding != "poisson":
            raise ValueError("`max_rate_hz` goes with `encoding: poisson`")
        return self


class Silence(Section):
    """Stop a silent network early, and the constraint `silence` that goes with it.

    A training sample is silent if the output layer emits fewer than `min_spikes` spikes: 5
    unless given, and 1 for `kind: first_spike`, whose neurons spike once at most.
    `probe`: whether a network that is silent on all samples of its first batches, untrained, is
    told as silent at once, and not trained.
    """

    min_spikes: Annotated[int, Field(ge=1)] | None = None
    share: Share = 0.03
    probe: bool = False


def _branch_of_kind(network: Any) -> str:
    """The tag of the model to check a network by; in brackets, as branches of unions are."""
    if isinstance(network, Mapping):
        return f"kind[{network.get('kind', 'layered')}]"
    return f"kind[{getattr(network, 'kind', 'layered')}]"


AnyNetwork = Annotated[
    Annotated[Network, Tag("kind[layered]")]
    | Annotated[Stdp, Tag("kind[stdp]")]
    | Annotated[FirstSpike, Tag("kind[first_spike]")],
    Discriminator(
        _branch_of_kind,
        custom_error_type="kind",
        custom_error_message="`kind` must be `layered`, `stdp` or `first_spike`",
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
    """What the training minimises.

    `count_mse`: squared distance of each class's spike count from a target count.
    `rate_cross_entropy`: cross-entropy of the output at every step, averaged over steps.
    `spike_rate`: squared distance of each class's spike rate from `correct_rate` for the label
    and `incorrect_rate` for the others, summed, that of SLAYER. `membrane_cross_entropy`:
    cross-entropy of the largest membrane over time; with it the class is that of the largest
    membrane, with the others that of most spikes.
    """

    name: Literal["count_mse", "rate_cross_entropy", "spike_rate", "membrane_cross_entropy"] = (
        "rate_cross_entropy"
    )
    correct_rate: Share = 0.8
    incorrect_rate: Share = 0.2


class RateRegularization(Section):
    """Added to the loss: `strength` times the mean square of how far the rates of neurons,
    spikes per step averaged over a batch, lie below `min_rate` or above `max_rate`."""

    strength: Annotated[float, Field(ge=0.0)]
    min_rate: Share = 0.0
    max_rate: Share = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> RateRegularization:
        if self.min_rate > self.max_rate:
            raise ValueError(f"`min_rate` {self.min_rate} is above `max_rate` {self.max_rate}")
        return self


class Patience(Section):
    """Stop when `batches` batches in a row, after the first epoch, did not improve the
    training loss by the share `improvement` of the best so far."""

    batches: Annotated[int, Field(ge=1)] = 300
    improvement: Share = 0.05


class Training(Section):
    """How long and by what rule the weights are trained.

    After each epoch of `snapshots` (0: before the first) the training is kept as it stands, to
    be looked at or gone on from.
    """

    epochs: Annotated[int, Field(ge=1)] = 10
    snapshots: tuple[Annotated[int, Field(ge=0)], ...] = ()
    batch_size: Annotated[int, Field(ge=1)] = 128
    optimizer: Optimizer = Optimizer()
    scheduler: Scheduler | None = None
    loss: Loss = Loss()
    rate_regularization: RateRegularization | None = None
    patience: Patience | None = None

    @model_validator(mode="after")
    def _snapshots_within(self) -> Training:
        if self.snapshots and max(self.snapshots) > self.epochs:
            raise ValueError(
                f"`snapshots` holds {max(self.snapshots)}, but there are {self.epochs} epochs"
            )
        return self


class TrainingTrial(Section):
    """A trial section that describes one training completely.

    `seed` is that of weights, order and noise; without it a study gives each trial its own.
    """

    device: Device = "auto"
    seed: Annotated[int, Field(ge=0)] | None = None
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

    @property
    def min_spikes(self) -> int:
        """Spikes of the output below which a sample counts as silent."""
        if self.silence is None:
            return 1
        usual = 1 if isinstance(self.network, FirstSpike) else 5
        return usual if self.silence.min_spikes is None else self.silence.min_spikes

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
    def _probed_before_training(self) -> TrainingTrial:
        probed = self.silence is not None and self.silence.probe
        if probed and not isinstance(self.network, Network):
            raise ValueError("`silence.probe` goes with networks of layers alone")
        return self

    @model_validator(mode="after")
    def _trained_by_spike_times(self) -> TrainingTrial:
        if isinstance(self.network, FirstSpike):
            if foreign := sorted(self.training.model_fields_set - first_spike.TRAINING_KEYS):
                raise ValueError(
                    f"`training.{foreign[0]}` means nothing for `kind: first_spike`, which knows "
                    f"{', '.join(sorted(first_spike.TRAINING_KEYS))}; leave it out"
                )
            if self.device not in {"auto", "cpu"}:
                raise ValueError("`kind: first_spike` runs on the CPU; say `device: cpu`")
            if self.dataset.frames is not None or self.dataset.encoding != "constant":
                raise ValueError(
                    "`kind: first_spike` turns values into spike times itself (`network.input`); "
                    "leave `encoding` and `frames` out, and take a data set of values"
                )
        return self

    @model_validator(mode="after")
    def _time_constants_have_a_step(self) -> TrainingTrial:
        if not isinstance(self.network, Network):
            return self
        for layer in self.network.layers:
            neuron = self.network.neuron_of(layer)
            for name in ("tau_mem_ms", "tau_syn_ms"):
                if getattr(neuron, name) is not None and self.dataset.dt_ms is None:
                    raise ValueError(f"`{name}` needs `dataset.dt_ms`")
        return self

    @model_validator(mode="after")
    def _loss_reads_what_there_is(self) -> TrainingTrial:
        name = self.training.loss.name
        if not isinstance(self.network, Network):
            return self
        if name != "membrane_cross_entropy" and not self.network.output_neuron.spikes:
            raise ValueError(
                f"the loss `{name}` reads spikes, but the output layer has an `integrator`, which "
                "has none; take `loss: {name: membrane_cross_entropy}`"
            )
        return self
