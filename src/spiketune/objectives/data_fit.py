"""Whether a trial section suits its data: known once their shape and classes are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spiketune.config.architecture import Shape, plan_layers
from spiketune.config.first_spike import FirstSpike, check_shared_delays
from spiketune.config.network import Network
from spiketune.config.training import TrainingTrial
from spiketune.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What of a data set decides whether a network can be trained on it.

    Attributes:
        input_shape: Shape of a sample at one time step: (N,), or (C, H, W) of pictures.
        n_classes: Number of classes K.
        has_events: Whether samples are recordings of events instead of values.
    """

    input_shape: Shape
    n_classes: int
    has_events: bool


def check_fit(configs: Sequence[TrainingTrial], facts: DataFacts) -> None:
    """Refuse sections that no training on these data can follow.

    A network whose kernels do not fit is refused where it is the only one; of several, those
    that fit are searched for (`study.fitting`).

    Args:
        configs: What trials on these data can be like.
        facts: Of the data.

    Raises:
        ConfigError: If kernels do not fit, delays cannot be shared as they are to be, or the
            rule `silence` asks for more spikes than a sample can have.
    """
    first = configs[0].network
    if isinstance(first, Network) and all(config.network == first for config in configs):
        plan_layers(first, facts.input_shape, facts.n_classes)
    for config in configs:
        if isinstance(config.network, FirstSpike):
            check_shared_delays(config.network, math.prod(facts.input_shape), facts.n_classes)
        _check_silence(config, facts)


def _check_silence(config: TrainingTrial, facts: DataFacts) -> None:
    most = _most_spikes(config, facts)
    if config.silence is not None and most is not None and config.min_spikes > most:
        raise ConfigError(
            "trial.silence.min_spikes",
            f"{config.min_spikes} spikes a sample are more than the {most} that the output can "
            "emit; take fewer",
        )


def _most_spikes(config: TrainingTrial, facts: DataFacts) -> int | None:
    """Spikes a sample that count against silence, at most; None where nothing bounds them."""
    if isinstance(config.network, FirstSpike):
        return facts.n_classes
    dataset = config.dataset
    by_length = facts.has_events and dataset.dt_ms is not None
    if not isinstance(config.network, Network) or (
        by_length and "steps" not in dataset.model_fields_set
    ):
        return None
    try:
        plans = plan_layers(config.network, facts.input_shape, facts.n_classes)
    except ConfigError:
        return None  # never trained: see `study.fitting`
    *_, told = (plan for plan in plans if plan.neuron.spikes)
    return math.prod(told.outputs) * dataset.steps
