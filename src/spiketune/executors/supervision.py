"""An attempt in a supervised child of a worker that others started: an MPI rank, a Dask worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from spiketune.executors.attempt_folder import KILL_FILE, STOP_FILE, asked
from spiketune.executors.lease import write_result
from spiketune.executors.local import LocalExecutor
from spiketune.messages import Failure, FailureKind, Job, Result

POLL_S: Final = 0.05

Leave = Callable[[], tuple[FailureKind, str] | None]


def never() -> None:
    """No reason to leave."""


def supervise(job: Job, local: LocalExecutor, leave: Leave = never) -> Result | Failure:
    """Run an attempt in a child, and return how it ended.

    Args:
        job: The attempt; its folder tells what the asker wants.
        local: This worker's own fork server.
        leave: Kind and words of a reason of the worker's own to let the attempt write its
            checkpoint and leave; None to go on.
    """
    folder = Path(job.folder)
    kinds: tuple[tuple[str, FailureKind], ...] = (
        (KILL_FILE, "worker_lost"),
        (STOP_FILE, "preempted"),
    )
    for name, kind in kinds:
        if asked(folder, name):
            return Failure(job.number, job.attempt, kind, "cancelled before it began")
    local.submit(job)
    try:
        return _followed(job, local, leave)
    except BaseException:
        _end(job, local)  # the slot is for the next attempt
        raise


def _followed(job: Job, local: LocalExecutor, leave: Leave) -> Result | Failure:
    """The end of an attempt that was submitted, asked to leave where that is wanted."""
    folder = Path(job.folder)
    told = killed = False
    reason: tuple[FailureKind, str] | None = None
    while True:
        for message in local.events(POLL_S):
            if isinstance(message, Result | Failure):
                return _for_that_reason(message, reason, folder)
        reason = reason or leave()
        if not told and (reason is not None or asked(folder, STOP_FILE)):
            told = True
            local.cancel(job.number)
        if not killed and asked(folder, KILL_FILE):
            killed = True
            local.cancel(job.number, kill=True)


def _end(job: Job, local: LocalExecutor) -> None:
    """Kill an attempt that nobody follows any more, and wait until its slot is free."""
    local.cancel(job.number, kill=True)
    while not local.free_slots:
        local.events(POLL_S)


def _for_that_reason(
    end: Result | Failure, reason: tuple[FailureKind, str] | None, folder: Path
) -> Result | Failure:
    """The end under the name of what the worker left for, in its folder as well."""
    if reason is None or not isinstance(end, Failure) or end.kind != "preempted":
        return end
    named = replace(end, kind=reason[0], message=reason[1])
    write_result(folder, named)
    return named
