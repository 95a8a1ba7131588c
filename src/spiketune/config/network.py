"""The checked model of a network section: neurons, layers, and what goes with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, field_serializer, model_validator

from spiketune.config.section import Positive, Section, Share

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


def given_keys(section: Section) -> set[str]:
    """Keys that say something: given, and not what they would be anyway."""
    fields = type(section).model_fields
    return {key for key in section.model_fields_set if getattr(section, key) != fields[key].default}


NeuronKind = Literal["lif", "cuba", "alif", "integrator", "none"]

_MEMBRANE: Final = ("beta", "tau_mem_ms", "learn_beta")
_SYNAPSE: Final = ("alpha", "tau_syn_ms", "learn_alpha")
_SPIKE: Final = ("threshold", "spike_gradient")
ALIF_DECAYS: Final = (
    "current_decay",
    "voltage_decay",
    "threshold_decay",
    "refractory_decay",
)
# The keys that each kind of neuron understands.
NEURON_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "lif": (*_MEMBRANE, *_SPIKE, "reset"),
    "cuba": (*_MEMBRANE, *_SYNAPSE, *_SPIKE, "reset"),
    "alif": (*ALIF_DECAYS, "learn_decays", "threshold_step", "quantize", *_SPIKE),
    "integrator": _MEMBRANE,
    "none": (),
}

# Two ways to say one thing: whichever is given replaces the other of the default.
_EITHER: Final = (("beta", "tau_mem_ms"), ("alpha", "tau_syn_ms"))


class Neuron(Section):
    """A neuron over discrete time steps.

    `lif`: leaky integrate-and-fire, U[t] = beta U[t-1] + I[t] - reset. `cuba`: the input feeds
    a synaptic current first, I[t] = alpha I[t-1] + x[t]. `alif`: that of SLAYER, with an
    adaptive threshold and a refractory state, where decays are shares lost per step and the
    membrane is not reset. `integrator`: a leaky integrator that never spikes, for a readout of
    the membrane. `none`: no neurons; what reaches the layer is handed on.

    `beta` is the decay per step, or `uniform`: one per neuron, drawn from U(0, 1). Instead of
    it `tau_mem_ms` gives the time constant; the data set's `dt_ms` turns it into a decay, so
    that a searched number of steps does not change it silently. `alpha` and `tau_syn_ms` are
    the same for the synaptic current. In a convolution, one neuron means one channel.
    """

    kind: NeuronKind = "lif"
    beta: Share | Literal["uniform"] | None = None
    tau_mem_ms: Positive | None = None
    learn_beta: bool = False
    alpha: Share | None = None
    tau_syn_ms: Positive | None = None
    learn_alpha: bool = False
    reset: Literal["subtract", "zero", "none"] = "subtract"
    current_decay: Share = 0.25
    voltage_decay: Share = 0.03
    threshold_decay: Share = 0.0
    refractory_decay: Share = 0.0
    threshold_step: Annotated[float, Field(ge=0.0)] = 0.0
    learn_decays: bool = False
    quantize: bool = False
    threshold: Positive = 1.0
    spike_gradient: SpikeGradient = SpikeGradient()

    @property
    def spikes(self) -> bool:
        """Whether it emits spikes."""
        return self.kind in ("lif", "cuba", "alif")

    @model_validator(mode="after")
    def _one_time_constant(self) -> Neuron:
        for first, second in _EITHER:
            if getattr(self, first) is not None and getattr(self, second) is not None:
                raise ValueError(f"give `{first}` or `{second}`, not both")
        return self

    def checked(self) -> Neuron:
        """The neuron, if all keys that were given go with its kind.

        Raises:
            ValueError: Naming a key that does not.
        """
        known = NEURON_KEYS[self.kind]
        for name in given_keys(self) - {"kind", *known}:
            users = [kind for kind in get_args(NeuronKind) if name in NEURON_KEYS[kind]]
            raise ValueError(
                f"the neuron's `{name}` does not go with `kind: {self.kind}`; it is for "
                f"{', '.join(users)}"
            )
        return self


class Delay(Section):
    """Learned delays, in time steps.

    `axonal`: one per neuron (in a convolution per channel) on the way out, whole and
    fractional, between 0 and `max_steps`. `synaptic`: one per synapse of a dense layer, between
    0 and `max_steps`, learned through a kernel over time that narrows as training goes on.
    """

    kind: Literal["axonal", "synaptic"]
    max_steps: Annotated[int, Field(ge=1)] | None = None

    @property
    def longest(self) -> int:
        """The longest delay, in time steps."""
        usual = 62 if self.kind == "axonal" else 24  # SLAYER's, and about that of Hammouamri
        return usual if self.max_steps is None else self.max_steps


Extent = Annotated[int, Field(ge=1)]
Size = Extent | tuple[Extent, Extent]
Margin = Annotated[int, Field(ge=0)]

_LAYER_KINDS: Final = ("dense", "recurrent", "conv", "pool")
# Keys of a layer that only some kinds of layer understand.
_LAYER_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "kernel": ("conv", "pool"),
    "stride": ("conv", "pool"),
    "padding": ("conv", "pool"),
    "weight_norm": ("dense", "recurrent", "conv"),
    "bias": ("dense", "recurrent", "conv"),
}


class Layer(Section):
    """One entry of the layer list; `repeat` copies it (0 leaves it out).

    Its kind is the key it has: `dense` or `recurrent` with a number of neurons, `conv` with a
    number of channels, `pool` with `sum`, `average` or `max`. A dense layer after a convolution
    takes all its values. The keys given for its `neuron` go over those of the network's
    default. `stride` is 1 for a convolution and the kernel for a pool, unless given. A size is
    one number, or [height, width].
    """

    name: str | None = None
    dense: Annotated[int, Field(ge=1)] | Literal["classes"] | None = None
    recurrent: Annotated[int, Field(ge=1)] | None = None
    conv: Annotated[int, Field(ge=1)] | None = None
    pool: Literal["sum", "average", "max"] | None = None
    kernel: Size | None = None
    stride: Size | None = None
    padding: Margin | tuple[Margin, Margin] = 0
    bias: bool = True
    weight_norm: bool = False
    neuron: Neuron = Neuron()
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    delay: Delay | None = None
    repeat: Annotated[int, Field(ge=0)] = 1

    @property
    def kind(self) -> str:
        """The key that says what layer it is."""
        return next(kind for kind in _LAYER_KINDS if getattr(self, kind) is not None)

    @field_serializer("neuron")
    def _own_keys(self, neuron: Neuron) -> dict[str, Any]:
        return neuron.model_dump(exclude_unset=True)  # a default written out would be an own key

    @model_validator(mode="after")
    def _one_kind(self) -> Layer:
        kinds = [kind for kind in _LAYER_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            got = " and ".join(f"`{kind}`" for kind in kinds) or "none"
            one_of = ", ".join(f"`{kind}`" for kind in _LAYER_KINDS)
            raise ValueError(f"a layer has one of {one_of}, got {got}")
        for key, users in _LAYER_KEYS.items():
            if key in given_keys(self) and kinds[0] not in users:
                for_whom = " and ".join(f"`{user}`" for user in users)
                raise ValueError(f"`{key}` does not go with `{kinds[0]}`; it is for {for_whom}")
        if kinds[0] in ("conv", "pool") and self.kernel is None:
            raise ValueError(f"`{kinds[0]}` needs `kernel`, its width and height")
        if self.delay is not None and self.delay.kind == "synaptic" and kinds[0] != "dense":
            raise ValueError("synaptic delays are for `dense` layers")
        return self


class Network(Section):
    """The layers from input to output, with the neuron that is every layer's default.

    `transmission_steps` is how many time steps a spike takes from one layer to the next.
    """

    kind: Literal["layered"] = "layered"
    neuron: Neuron = Neuron()
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    transmission_steps: Annotated[int, Field(ge=0)] = 0

    def neuron_of(self, layer: Layer) -> Neuron:
        """The layer's neuron: its own keys over the default's, unless it is of another kind.

        Raises:
            ValueError: If a key does not go with the kind.
        """
        own = layer.neuron.model_dump(exclude_unset=True)
        merged = self.neuron.model_dump(exclude_unset=True)
        if own.get("kind", self.neuron.kind) != self.neuron.kind:
            merged = {}
        for pair in _EITHER:
            if own.keys() & set(pair):
                merged = {key: value for key, value in merged.items() if key not in pair}
        return Neuron.model_validate({**merged, **own}).checked()

    @property
    def output_neuron(self) -> Neuron:
        """The neuron of the output layer."""
        return self.neuron_of(self.layers[-1])

    @model_validator(mode="after")
    def _layers_fit(self) -> Network:
        for index, layer in enumerate(self.layers):
            where = f"layers.{index if layer.name is None else layer.name}"
            last = index == len(self.layers) - 1
            if last and (layer.dense != "classes" or layer.repeat != 1):
                raise ValueError("the last layer must be the output: `dense: classes`, no repeat")
            if last and layer.delay is not None and layer.delay.kind == "axonal":
                raise ValueError(f"{where}: the output layer must have no axonal `delay`")
            if not last and layer.dense == "classes":
                raise ValueError(f"{where}: only the last layer may have `dense: classes`")
            try:
                neuron = self.neuron_of(layer)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
            _check_neuron(layer, neuron, where, last=last)
        _check_order(self.layers)
        if not any(self.neuron_of(layer).spikes for layer in self.layers if layer.repeat):
            raise ValueError("no layer has neurons that spike")
        return self


def copy_names(layer: Layer, index: int) -> list[str]:
    """What the copies of a layer are called: its name, or its index; numbered if repeated."""
    name = str(index) if layer.name is None else layer.name
    return [name] if layer.repeat == 1 else [f"{name}_{copy}" for copy in range(layer.repeat)]


def _check_order(layers: Sequence[Layer]) -> None:
    """Refuse a name that is given twice, and pictures where only a list of values is left."""
    names: set[str] = set()
    flat_since = ""
    for index, layer in enumerate(layers):
        for name in copy_names(layer, index):
            if name in names:
                raise ValueError(f"the name '{name}' is given to more than one layer")
            names.add(name)
            if layer.kind not in ("conv", "pool"):
                flat_since = name
            elif flat_since:
                raise ValueError(
                    f"layers.{name}: `{layer.kind}` needs an input with height and width, but "
                    f"comes after '{flat_since}', which hands on a list of values"
                )


def _check_neuron(layer: Layer, neuron: Neuron, where: str, *, last: bool) -> None:
    if last and neuron.kind == "none":
        raise ValueError(
            f"{where}: the output layer needs neurons; take `integrator` to read a sum"
        )
    if not last and neuron.kind == "integrator":
        raise ValueError(f"{where}: an `integrator` never spikes; it is for the output layer")
    if layer.kind == "recurrent" and neuron.kind != "lif":
        raise ValueError(f"{where}: a `recurrent` layer has `lif` neurons, got `{neuron.kind}`")
    if neuron.kind == "none" and layer.delay is not None:
        raise ValueError(f"{where}: a layer without neurons has no `delay`")
