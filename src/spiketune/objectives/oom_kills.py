"""How often the kernel killed a process for lack of memory: tells such a death from others."""

from __future__ import annotations

import contextlib
from pathlib import Path


def oom_kills() -> int:
    """Processes of this control group that the kernel killed for lack of memory (Linux)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        group = Path("/proc/self/cgroup").read_text().strip().splitlines()[-1].split(":")[-1]
        for folder in (Path("/sys/fs/cgroup") / group.lstrip("/"), Path("/sys/fs/cgroup")):
            events = folder / "memory.events"
            if events.exists():
                fields = dict(line.split() for line in events.read_text().splitlines())
                return int(fields["oom_kill"])
    return 0
