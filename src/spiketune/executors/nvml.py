"""What NVIDIA's management library says of this machine's GPUs, everyone's processes counted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final


@dataclass(frozen=True, slots=True)
class GpuUse:
    """How busy a GPU is.

    Attributes:
        memory: Share of its memory in use.
        compute: Share of the last sampling period in which some kernel ran.
    """

    memory: float
    compute: float


class GpuReader(Protocol):
    """Tells of GPUs by the numbers that `nvidia-smi` shows."""

    def visible(self) -> tuple[int, ...]:
        """GPUs that this process may use."""

    def use(self, gpu: int) -> GpuUse:
        """How busy one of them is now."""


@final
class Nvml:
    """GPUs through nvidia-ml-py.

    Raises:
        OSError: If there is no such library or no driver; says which.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        try:
            import pynvml
        except ImportError as error:
            raise OSError("nvidia-ml-py is not installed; pip install 'spiketune[gpu]'") from error
        self._library: Any = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise OSError(f"no NVIDIA driver answers ({error})") from error

    def visible(self) -> tuple[int, ...]:
        """All GPUs, or those of CUDA_VISIBLE_DEVICES, by number or by UUID."""
        n_gpus = int(self._library.nvmlDeviceGetCount())
        listed = self._environment.get("CUDA_VISIBLE_DEVICES")
        if listed is None:
            return tuple(range(n_gpus))
        names = {self._uuid(gpu): gpu for gpu in range(n_gpus)}
        names.update({str(gpu): gpu for gpu in range(n_gpus)})
        wanted = [name.strip() for name in listed.split(",")]
        return tuple(names[name] for name in wanted if name in names)

    def _uuid(self, gpu: int) -> str:
        uuid = self._library.nvmlDeviceGetUUID(self._library.nvmlDeviceGetHandleByIndex(gpu))
        return uuid.decode() if isinstance(uuid, bytes) else str(uuid)

    def use(self, gpu: int) -> GpuUse:
        """Memory and compute use of the whole device."""
        handle = self._library.nvmlDeviceGetHandleByIndex(gpu)
        memory = self._library.nvmlDeviceGetMemoryInfo(handle)
        try:
            compute = self._library.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        except self._library.NVMLError_NotSupported:
            compute = 0.0  # some boards and all MIG slices do not tell
        return GpuUse(memory.used / memory.total, compute)
