"""Configurations that a person wants tried: checked against the space, then put in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import TrialState, create_trial

from spiketune.errors import ConfigError, UnknownNameError
from spiketune.space import Choice, Float, Space
from spiketune.space.distributions import to_stored
from spiketune.study.records.storage import StudyStorage


def checked(values: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Values that a trial of the space may have; what is missing is left to the sampler.

    Args:
        values: Value by parameter name; an option may be given by its text.
        space: The search space.

    Raises:
        ConfigError: Naming the parameter that does not exist, is out of range or cannot take
            part beside the others; or the requirement that is broken.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in space:
            raise ConfigError("", str(UnknownNameError("parameter", name, space)))
        found[name] = _value(name, value, space)
    seen = dict(found)
    for name in space.order:
        open_deciders = [decider for decider in space.deciders(name) if decider not in found]
        if name in found and not open_deciders and not space.is_active(name, seen):
            raise ConfigError(name, "takes no part beside these values; leave it out")
    if (unmet := space.unmet(found)) is not None:
        raise ConfigError("study.require", f"{unmet} does not hold for these values")
    return found


def enqueue(storage: StudyStorage, values: Mapping[str, Any], space: Space) -> int:
    """Put checked values in the queue; the study's asker starts them before it asks.

    Returns:
        The trial's number.
    """
    stored = {name: to_stored(space[name], value) for name, value in values.items()}
    trial = create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": stored})
    with storage.storage.batch():
        storage.storage.create_new_trial(storage.study_id, trial)
    return storage.storage.get_trial(storage.storage.last_created_trial_id).number


def _value(name: str, value: Any, space: Space) -> Any:
    parameter = space[name]
    if isinstance(parameter, Float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(parameter, Choice) and value not in parameter:
        by_text = {str(option): option for option in parameter.options}
        value = by_text.get(str(value), value)
    if value not in parameter:
        raise ConfigError(name, f"{value!r} is outside {parameter}")
    return value
