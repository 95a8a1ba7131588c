"""Neurons over all time steps in one call: a plain reference, and what is faster than it.

`reference`, `cpu` and `gpu` hold the same modules with the same functions: `lif` (without a
threshold it is the leaky integrator) and `alif`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Final

import torch
from torch import Tensor

_COMPILED_TYPES: Final = (torch.float32, torch.float64)


def kernels_for(currents: Tensor) -> ModuleType:
    """The package of kernels that runs on the device and type of the currents."""
    name = "reference"
    if currents.dtype in _COMPILED_TYPES:
        if currents.device.type == "cpu":
            name = "cpu"
        elif currents.device.type == "cuda" and find_spec("triton") is not None:
            name = "gpu"
    return import_module(f"{__name__}.{name}")
