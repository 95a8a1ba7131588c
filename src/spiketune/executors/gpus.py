"""Which GPU the next trial on this machine gets, if any may take one now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, final

from spiketune.config.executor import GpuLimits
from spiketune.errors import InputError
from spiketune.executors.nvml import GpuReader, GpuUse, Nvml

_FRESH_S: Final = 0.5  # for which what the driver said is believed


@final
class GpuPool:
    """Slots on GPUs that others may use as well.

    A GPU takes another trial while it has a slot left, its memory and compute use lie below the
    limits, whoever causes them, and its last start here has settled.

    Args:
        reader: Tells how busy GPUs are.
        gpus: Their numbers.
        per_gpu: Trials at once on each.
        limits: When a GPU takes no more.
        now_s: The time.

    Attributes:
        gpus: Their numbers.
    """

    def __init__(
        self,
        reader: GpuReader,
        gpus: Sequence[int],
        per_gpu: int,
        limits: GpuLimits,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self.gpus = tuple(gpus)
        self._per_gpu = per_gpu
        self._limits = limits
        self._now_s = now_s
        self._at_work: Counter[int] = Counter()
        self._started_s: dict[int, float] = {}
        self._seen: dict[int, tuple[float, GpuUse]] = {}

    @property
    def n_slots(self) -> int:
        """Trials at once, were all GPUs ours."""
        return len(self.gpus) * self._per_gpu

    @property
    def n_free(self) -> int:
        """Trials that may start now: at most one per GPU, since each must settle."""
        return len(self._open())

    def _open(self) -> list[int]:
        return [gpu for gpu in self.gpus if self._takes_another(gpu)]

    def _takes_another(self, gpu: int) -> bool:
        started_s = self._started_s.get(gpu, float("-inf"))
        if self._at_work[gpu] >= self._per_gpu:
            return False
        if self._at_work[gpu] and self._now_s() - started_s < self._limits.settle:
            return False
        use = self._use(gpu)
        return use.memory < self._limits.memory and use.compute < self._limits.compute

    def _use(self, gpu: int) -> GpuUse:
        asked_s, use = self._seen.get(gpu, (float("-inf"), GpuUse(0.0, 0.0)))
        if self._now_s() - asked_s >= _FRESH_S:
            use = self._reader.use(gpu)
            self._seen[gpu] = self._now_s(), use
        return use

    def take(self) -> int:
        """The GPU for a trial that starts now: of those that take one, the least busy."""
        candidates = self._open() or [g for g in self.gpus if self._at_work[g] < self._per_gpu]
        if not candidates:
            raise RuntimeError("no free GPU")
        gpu = min(candidates, key=lambda g: (self._at_work[g], self._use(g).memory, g))
        self._at_work[gpu] += 1
        self._started_s[gpu] = self._now_s()
        return gpu

    def give_back(self, gpu: int) -> None:
        """A trial on that GPU has ended."""
        self._at_work[gpu] -= 1
        self._seen.pop(gpu, None)


def environment_of(gpu: int) -> dict[str, str]:
    """What a child is told, so that it sees one GPU alone."""
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": str(gpu)}


def gpu_pool(
    wanted: Sequence[int] | None,
    per_gpu: int,
    limits: GpuLimits,
    make_reader: Callable[[], GpuReader] = Nvml,
) -> GpuPool | None:
    """The GPUs of an executor section; None where there are none and none were asked for.

    Args:
        wanted: Their numbers as `nvidia-smi` shows them; None for all visible.
        per_gpu: Trials at once on each.
        limits: When a GPU takes no more.
        make_reader: Starts the management library.

    Raises:
        InputError: If a GPU that was asked for is not there.
    """
    if wanted is not None and not wanted:
        return None
    try:
        reader = make_reader()
        visible = reader.visible()
    except OSError as error:
        if wanted is None:
            return None
        raise InputError(f"study.executor.gpus: {error}; `gpus: []` takes none") from error
    missing = sorted(set(wanted or ()) - set(visible))
    if missing:
        there = ", ".join(map(str, visible)) or "none"
        raise InputError(f"study.executor.gpus: no GPU {missing[0]} is visible; there: {there}")
    chosen = tuple(wanted) if wanted is not None else visible
    return GpuPool(reader, chosen, per_gpu, limits) if chosen else None


def gpu_of_rank(
    wanted: Sequence[int] | None,
    per_gpu: int,
    index: int,
    make_reader: Callable[[], GpuReader] = Nvml,
) -> GpuPool | None:
    """The one GPU of a rank that runs trials, by its number among those on this machine.

    Args:
        wanted: Numbers of the GPUs to use; None for all visible.
        per_gpu: Ranks that may share one.
        index: Which of this machine's ranks, the asker left out.
        make_reader: Starts the management library.

    Returns:
        A pool of that GPU alone; None where there are no GPUs.

    Raises:
        InputError: If this machine has more ranks than its GPUs may have.
    """
    limits = GpuLimits()
    pool = gpu_pool(wanted, per_gpu, limits, make_reader)
    if pool is None:
        return None
    if index >= pool.n_slots:
        raise InputError(
            f"study.executor.trials_per_gpu: more ranks run trials on this machine than its "
            f"{len(pool.gpus)} GPUs take ({per_gpu} each); start fewer ranks per machine, raise "
            "`trials_per_gpu`, or take none (`gpus: []`)"
        )
    return GpuPool(make_reader(), [pool.gpus[index % len(pool.gpus)]], 1, limits)
