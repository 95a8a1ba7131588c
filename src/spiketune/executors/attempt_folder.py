"""What asker and workers leave for one another in an attempt's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from spiketune.executors.lease import LEASE

STOP_FILE: Final = "stop"  # the asker wants the worker to write its checkpoint and leave
KILL_FILE: Final = "kill"  # ... and to leave at once
SUPERVISOR: Final = "supervisor.json"  # the claim of the Dask worker, whose child has the lease
JOB_ID_FILE: Final = "scheduler_job"  # the scheduler's id of the job that runs the attempt
REFUSED_FILE: Final = "refused"  # the scheduler's words, where it took no job
_OF_ONE_ATTEMPT: Final = (
    *(LEASE, SUPERVISOR, STOP_FILE, KILL_FILE, JOB_ID_FILE, REFUSED_FILE),
    *("metrics.jsonl", "result.json"),
)


def asked(folder: Path, name: str) -> bool:
    """Whether a file of that name is there; a file server that does not answer says no.

    Whoever asks does so again and again, and must not end because of one answer.
    """
    try:
        return (folder / name).exists()
    except OSError:  # such as a stale handle, which `exists` does not take for a no
        return False


def make_free(folder: Path) -> None:
    """Let another attempt be made in the folder of one that is over; its checkpoints stay."""
    for name in _OF_ONE_ATTEMPT:
        (folder / name).unlink(missing_ok=True)
