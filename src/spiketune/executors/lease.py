"""The claim on an attempt: who runs it, that it still does, and how it ended."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spiketune.messages import Failure, Result, from_json, to_json

RENEW_S: Final = 10.0
EXPIRES_S: Final = 60.0  # six renewals: a busy file server delays some
LEASE: Final = "lease.json"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who claimed an attempt.

    Attributes:
        host: Machine of the worker.
        pid: Its process there.
        job: Scheduler job in which it runs; empty outside a scheduler.
        renewed_s: When it was last renewed, seconds since 1970 by the file server's clock.
    """

    host: str
    pid: int
    job: str
    renewed_s: float

    def alive(self) -> bool:
        """Whether the worker still runs: its process here, or its renewals elsewhere."""
        if self.host == socket.gethostname():
            return _process_exists(self.pid)
        return bool(self.job) and time.time() - self.renewed_s < EXPIRES_S


def claim(folder: Path, job: str = "", name: str = LEASE) -> None:
    """Take the attempt: whoever makes its lease first runs it, nobody else does.

    Args:
        folder: The attempt's folder.
        job: Id of the scheduler job.
        name: File of the lease.

    Raises:
        FileExistsError: If it is claimed already.
    """
    with (folder / name).open("x", encoding="utf-8") as lease:
        lease.write(f"{socket.gethostname()} {os.getpid()} {job}".rstrip() + "\n")


def renew(folder: Path, name: str = LEASE) -> None:
    """Say that the worker still runs."""
    os.utime(folder / name)


def read_lease(folder: Path, name: str = LEASE) -> Lease | None:
    """The claim on an attempt; None if nobody has claimed it, or the file is torn."""
    try:
        host, pid, *job = (folder / name).read_text(encoding="utf-8").split()
        return Lease(host, int(pid), "".join(job), (folder / name).stat().st_mtime)
    except (OSError, ValueError):
        return None


def write_result(folder: Path, end: Result | Failure) -> None:
    """Store how the attempt ended: all of it or nothing, and on disk."""
    partial = folder / "result.json.partial"
    with partial.open("w", encoding="utf-8") as file:
        file.write(to_json(end))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / "result.json")


def read_end(folder: Path) -> Result | Failure | None:
    """How an attempt ended, from its folder; None if it left nothing whole."""
    try:
        message = from_json((folder / "result.json").read_bytes())
    except (OSError, ValueError):
        return None
    return message if isinstance(message, Result | Failure) else None


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
