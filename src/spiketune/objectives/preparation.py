"""What must hold before the first trial: data in place, function importable, device there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from spiketune.config.first_spike import NEEDS_VALUES, FirstSpike
from spiketune.config.loading import check_resolved, kind_of
from spiketune.config.stdp import NEEDS_SPIKES, Stdp
from spiketune.config.training import Dataset, Device, TrainingTrial
from spiketune.errors import ConfigError, DeviceError, InputError
from spiketune.objectives.command import check_command
from spiketune.objectives.data_fit import DataFacts, check_fit
from spiketune.objectives.function import PICKLED, load_function


def prepare(sections: Iterable[Mapping[str, Any]], base_folder: str) -> None:
    """Make ready what trials will need; done once, before any of them starts.

    Args:
        sections: Resolved trial sections, enough of them to name every data set and device.
        base_folder: First on the import path of function objectives.

    Raises:
        InputError: If something is missing; names the place and the remedy.
    """
    trainings: dict[str, list[TrainingTrial]] = {}
    devices: set[Device] = set()
    functions: set[str] = set()
    for section in sections:
        if kind_of(section) == "function":
            functions.add(str(section["function"]))
            continue
        if kind_of(section) == "command":
            check_command(section, base_folder)
            continue
        model = check_resolved(section)
        if isinstance(model, TrainingTrial):
            source = model.dataset.model_copy(update={"steps": 1})
            trainings.setdefault(source.model_dump_json(), []).append(model)
            devices.add(model.device)
            _check_input(model)
    for function in sorted(functions):
        _check_function(function, base_folder)
    for device in devices - {"auto", "cpu"}:
        _check_device(device)
    for alike in trainings.values():
        check_fit(alike, _prepared(alike[0].dataset))


def sample_shape(dataset: Dataset) -> tuple[int, ...]:
    """Shape of a sample at one time step: (N,), or (C, H, W) of pictures."""
    from spiketune.data.registry import load

    return load(dataset).train.input_shape


def _prepared(dataset: Dataset) -> DataFacts:
    """Make a data set ready, and tell of it what networks depend on."""
    from spiketune.data import registry

    splits = registry.prepare(dataset)
    has_events = registry.get_dataset(dataset.name).has_events
    return DataFacts(splits.train.input_shape, splits.n_classes, has_events)


def _check_input(config: TrainingTrial) -> None:
    """Refuse currents where a network learns by spikes, and recordings where it times values."""
    if not isinstance(config.network, Stdp | FirstSpike):
        return
    from spiketune.data import registry

    has_events = registry.get_dataset(config.dataset.name).has_events
    if isinstance(config.network, FirstSpike):
        if has_events:
            raise ConfigError(
                "trial.dataset.name", f"'{config.dataset.name}' consists of events; {NEEDS_VALUES}"
            )
    elif config.dataset.encoding == "constant" and not has_events:
        raise ConfigError("trial.dataset.encoding", NEEDS_SPIKES)


def _check_device(device: Device) -> None:
    from spiketune.training.devices import resolve_device

    try:
        resolve_device(device)
    except DeviceError as error:
        raise DeviceError(f"trial.device: {error}") from error


def _check_function(function: str, base_folder: str) -> None:
    """Import the function in a process of its own, so that the asker never runs a user's module."""
    if function.startswith(f"{PICKLED}:"):
        return
    command = [sys.executable, "-m", __name__, function, base_folder]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    if checked.returncode:
        lines = checked.stderr.strip().splitlines()
        raise InputError(lines[-1] if lines else f"trial.function: cannot import '{function}'")


if __name__ == "__main__":
    try:
        load_function(sys.argv[1], sys.argv[2])
    except InputError as error:
        sys.exit(" ".join(str(error).split()))
