"""Attempts at a trial: how often one may be repeated, and what one left on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from spiketune.executors.lease import read_end as read_end
from spiketune.executors.lease import read_lease
from spiketune.messages import FailureKind, Report, from_json

RETRIES: Final[Mapping[str, float]] = {
    "worker_lost": 5,
    "preempted": 5,
    "walltime": 5,
    "oom": 1,
    "crash": 1,
    "timeout": 0,
    "nan": 0,
    "missing": 0,
    "invalid": 0,
    "interrupted": float("inf"),  # the asker's own doing: Ctrl-C, or its death
}


def may_retry(
    kind: FailureKind, history: Sequence[Mapping[str, Any]], retries: Mapping[str, float]
) -> bool:
    """Whether a failed attempt is tried again.

    Args:
        kind: How the last attempt failed.
        history: Every attempt so far, the failed one last: mappings with `outcome` and, where
            something was reported, `fidelity`. An attempt that got further than all before it
            starts the count anew.
        retries: Allowed repetitions by kind.
    """
    reached, count = 0.0, 0
    for attempt in history:
        fidelity = attempt.get("fidelity") or 0.0
        if fidelity > reached:
            reached, count = fidelity, 0
        if attempt["outcome"] == kind:
            count += 1
    return count <= retries[kind]


def read_reports(folder: Path) -> list[Report]:
    """The reports of an attempt, from its folder; a torn last line is left out."""
    try:
        lines = (folder / "metrics.jsonl").read_bytes().split(b"\n")
    except OSError:
        return []
    reports = []
    for line in lines:
        try:
            message = from_json(line)
        except ValueError:
            continue  # the line the worker was writing when it died
        if isinstance(message, Report):
            reports.append(message)
    return reports


def last_attempt(trial_folder: Path) -> int:
    """Number of the last attempt that has a folder; 0 if none has."""
    names = (entry.name for entry in trial_folder.glob("attempt-*"))
    return max((int(n.removeprefix("attempt-")) for n in names), default=0)


def worker_alive(folder: Path) -> bool:
    """Whether the process that claimed an attempt still runs, here or under a scheduler."""
    lease = read_lease(folder)
    return lease is not None and lease.alive()
