"""Which device a training runs on."""

from __future__ import annotations

import torch

from spiketune.config.training import Device
from spiketune.errors import DeviceError


def resolve_device(name: Device) -> torch.device:
    """The device of that name; `auto` takes a GPU if there is one. Allocates nothing.

    Raises:
        DeviceError: If this machine lacks the device asked for.
    """
    if name == "auto":
        return torch.device(next(filter(_is_there, ("cuda", "mps")), "cpu"))
    if not _is_there(name):
        raise DeviceError(
            f"trial.device: '{name}' was asked for, but this machine has none that torch "
            f"{torch.__version__} can use; say `auto` or `cpu`"
        )
    return torch.device(name)


def _is_there(name: str) -> bool:
    if name == "cuda":
        return torch.cuda.is_available()
    return name != "mps" or torch.backends.mps.is_available()
