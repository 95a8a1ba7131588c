"""Neurons over all time steps in one call: a plain reference, and what is faster than it.

`reference`, `cpu` and `gpu` hold the same modules with the same functions: `lif` (without a
threshold it is the leaky integrator) and `alif`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Final

import torch
from torch import Tensor

_COMPILED_TYPES: Final = (torch.float32, torch.float64)


def kernels_for(currents: Tensor) -> ModuleType:
    """The package of kernels that runs on the device and type of the currents."""
    name = "reference"
    if currents.device.type == "cpu" and currents.dtype in _COMPILED_TYPES:
        name = "cpu"
    return import_module(f"{__name__}.{name}")
