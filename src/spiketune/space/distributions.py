"""Parameters as Optuna distributions: as stored in the journal, and as samplers see them."""

from __future__ import annotations

import json
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from spiketune.space.parameters import Choice, Float, Int, Parameter


def stored_distribution(parameter: Parameter) -> BaseDistribution:
    """The distribution in the journal, over natural values.

    Optuna has no reverse-log scale, so such a range is stored as a linear one.
    """
    match parameter:
        case Choice():
            return CategoricalDistribution(parameter.labels)
        case Int():
            return IntDistribution(
                parameter.low, _last(parameter), log=parameter.scale == "log", step=parameter.step
            )
        case Float():
            return FloatDistribution(
                parameter.low, _last(parameter), log=parameter.scale == "log", step=parameter.step
            )


def _last(parameter: Float | Int) -> Any:
    """The largest value: Optuna warns of a range that its step does not divide."""
    n = parameter.n_values
    return parameter.high if n is None else parameter.value_at(n - 1)


def sampler_distribution(parameter: Parameter) -> BaseDistribution:
    """The distribution that a sampler works on: a reverse-log range is a mirrored log range."""
    match parameter:
        case Int(scale="reverse-log"):
            return IntDistribution(parameter.low, parameter.high, log=True)
        case Float(scale="reverse-log"):
            return FloatDistribution(parameter.low, parameter.high, log=True)
    return stored_distribution(parameter)


def mirrored(parameter: Parameter, value: Any) -> Any:
    """Between a reverse-log value and its place on the mirrored log range, either way."""
    if isinstance(parameter, Choice) or parameter.scale != "reverse-log":
        return value
    return min(parameter.high, max(parameter.low, parameter.low + parameter.high - value))


def to_stored(parameter: Parameter, value: Any) -> Any:
    """A value as the journal holds it: options that are no scalars by their label."""
    if isinstance(parameter, Choice):
        return parameter.labels[parameter.index_of(value)]
    return value


def from_stored(parameter: Parameter, stored: Any) -> Any:
    """The value behind what the journal holds; what is no label is left as it is."""
    if isinstance(parameter, Choice):
        for label, option in zip(parameter.labels, parameter.options, strict=True):
            if type(label) is type(stored) and label == stored:
                return option
        for option in parameter.options:
            if option == stored or option == _decoded(stored):
                return option
    return stored


def _decoded(stored: Any) -> Any:
    """What a label of another writer stands for: JSON may be spaced differently."""
    try:
        return json.loads(stored) if isinstance(stored, str) else stored
    except ValueError:
        return stored
