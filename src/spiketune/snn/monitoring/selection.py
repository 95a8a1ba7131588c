"""Which layers of a model are watched: recognised by their library, or named by hand."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final, TypeAlias

from torch import nn

from spiketune.errors import InputError, UnknownNameError
from spiketune.snn.monitoring.layers import WatchedLayer
from spiketune.snn.monitoring.libraries import recognise

LayerReference: TypeAlias = "str | nn.Module | type[nn.Module]"
LayerReferences: TypeAlias = "LayerReference | Iterable[LayerReference]"

_SHOWN: Final = 12


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside wrappers for several devices or processes.

    Raises:
        InputError: If it is copied to several devices, where a layer is many.
    """
    while isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        if isinstance(model, nn.DataParallel) and len(model.device_ids) > 1:
            raise InputError(
                "monitor: DataParallel copies the model to several devices for every call, and "
                "the copies cannot be watched; give it one device, or use "
                "DistributedDataParallel, where every process watches its own share"
            )
        model = model.module
    return model


def select_layers(
    model: nn.Module,
    layers: LayerReferences | None,
    output: LayerReferences | None,
    time_axis: int | None,
) -> tuple[list[WatchedLayer], frozenset[str]]:
    """The spiking layers of a model, and the names of those that are its output.

    Args:
        model: Without wrappers.
        layers: The spiking layers; the recognised ones if None, or where there are none of
            those, the layers of the output's classes.
        output: The output layers; none if None, to be found.
        time_axis: Axis of time in the output of layers that are not recognised.

    Raises:
        InputError: If no layer can be watched.
        UnknownNameError: If a name is none of the model's.
    """
    names = _names(model)
    outputs = {} if output is None else _resolve(names, output)
    if layers is not None:
        chosen = _resolve(names, layers)
    else:
        chosen = {module: name for module, name in names.items() if recognise(module)}
        if not chosen and outputs:
            classes = tuple({type(module) for module in outputs})
            chosen = {module: name for module, name in names.items() if type(module) in classes}
    chosen = {**chosen, **outputs}
    if not chosen:
        raise InputError(_nothing_found(model, names))
    watched = [
        WatchedLayer(name, module, recognise(module), time_axis) for module, name in chosen.items()
    ]
    return watched, frozenset(outputs.values())


def _names(model: nn.Module) -> dict[nn.Module, str]:
    return {module: name or type(module).__name__ for name, module in model.named_modules()}


def _resolve(names: dict[nn.Module, str], given: Any) -> dict[nn.Module, str]:
    if isinstance(given, str | nn.Module | type):
        given = [given]
    found: dict[nn.Module, str] = {}
    for reference in given:
        if isinstance(reference, type):
            matches = [module for module in names if isinstance(module, reference)]
        elif isinstance(reference, nn.Module):
            matches = [reference] if reference in names else []
        else:
            plain = str(reference).removeprefix("module.")
            matches = [module for module, name in names.items() if name in (reference, plain)]
        if not matches:
            shown = reference if isinstance(reference, str) else _described(reference)
            raise UnknownNameError("layer of the model", shown, names.values())
        found |= {module: names[module] for module in matches}
    return found


def _described(reference: nn.Module | type) -> str:
    kind = reference if isinstance(reference, type) else type(reference)
    return kind.__name__


def _nothing_found(model: nn.Module, names: dict[nn.Module, str]) -> str:
    leaves = [
        f"{name} ({type(module).__name__})"
        for module, name in names.items()
        if next(module.children(), None) is None
    ]
    shown = ", ".join(islice(leaves, _SHOWN)) + (", ..." if len(leaves) > _SHOWN else "")
    return (
        f"monitor: no layer of {type(model).__name__} is a spiking layer of snnTorch, SpikingJelly "
        "or Norse; name the modules that return spikes, e.g. layers=[...] with names, modules or "
        f"classes, and the last of them as output=. The model has {shown}"
    )
