"""Whether a configuration can be built at all, known before it costs a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spiketune.config.architecture import plan_layers
from spiketune.config.inline import resolve
from spiketune.config.loading import Configuration, check_resolved, kind_of, without_parameters
from spiketune.config.network import Network
from spiketune.config.training import TrainingTrial
from spiketune.errors import ConfigError
from spiketune.objectives.preparation import sample_shape

Fits = Callable[[Mapping[str, Any]], bool]


def fits_of(configuration: Configuration) -> Fits | None:
    """Tells whether every kernel of a configuration fits its input.

    Returns:
        A function of the searched values; None for trials that have no kernels.
    """
    section = configuration.trial
    if kind_of(section) != "network" or not _has_kernels(section["network"]):
        return None
    shapes: dict[str, tuple[int, ...]] = {}

    def fits(values: Mapping[str, Any]) -> bool:
        model = check_resolved(without_parameters(resolve(section, values)))
        if not isinstance(model, TrainingTrial) or not isinstance(model.network, Network):
            return True
        source = model.dataset.model_copy(update={"steps": 1, "dt_ms": None, "train_share": 1.0})
        key = source.model_dump_json()
        if key not in shapes:
            shapes[key] = sample_shape(source)
        try:
            plan_layers(model.network, shapes[key], 1, model.dataset.dt_ms)
        except ConfigError:
            return False
        return True

    return fits


def _has_kernels(node: Any) -> bool:
    if isinstance(node, Mapping):
        return "kernel" in node or any(map(_has_kernels, node.values()))
    return isinstance(node, list | tuple) and any(map(_has_kernels, node))
