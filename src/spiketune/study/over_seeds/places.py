"""The folder of a training over seeds: what an earlier call left, and who still works there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from spiketune.errors import SpiketuneError
from spiketune.executors.lease import EXPIRES_S, Lease, read_end, read_lease
from spiketune.messages import Job, Result, from_json, to_json
from spiketune.study.recovery import ADOPTION_S

_POLL_S: Final = 0.1


def kept_result(job: Job) -> Result | None:
    """What an earlier call finished: of this very training, not of an edited configuration."""
    before = _job_in(job.folder)
    if before is None or _training(before) != _training(job):
        return None
    end = read_end(Path(job.folder))
    return end if isinstance(end, Result) else None


def keep(result: Result, job: Job) -> None:
    """Write the training where `kept_result` finds it; a child has done so already."""
    folder = Path(job.folder)
    if not (folder / "result.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.json").write_text(to_json(job), encoding="utf-8")
        (folder / "result.json").write_text(to_json(result), encoding="utf-8")


def was_begun(job: Job) -> bool:
    """Whether an earlier call submitted this very training, under the number that it has now."""
    before = _job_in(job.folder)
    return (
        before is not None and before.number == job.number and _training(before) == _training(job)
    )


def wait_until_free(jobs: Sequence[Job]) -> None:
    """Wait for workers that leave: those of an asker that is gone do so within seconds.

    Raises:
        SpiketuneError: If a job of a scheduler goes on in a folder.
    """
    deadline_s = time.monotonic() + ADOPTION_S
    while (at_work := _at_work(jobs)) and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)
    for folder, lease in at_work.items():
        if lease.job:  # elsewhere the number of a process that is gone may be another's now
            raise SpiketuneError(
                f"{folder}: job {lease.job} on {lease.host} trains there for an earlier call, or "
                f"was lost less than {EXPIRES_S:g} s ago; cancel it or wait for its end, then call "
                "again"
            )


def _at_work(jobs: Sequence[Job]) -> dict[Path, Lease]:
    """The leases of workers that have not ended, by folder."""
    folders = [Path(job.folder) for job in jobs]
    leases = {f: lease for f in folders if (lease := read_lease(f)) is not None and lease.alive()}
    return {folder: lease for folder, lease in leases.items() if read_end(folder) is None}


def _job_in(folder: str) -> Job | None:
    try:
        job = from_json((Path(folder) / "job.json").read_bytes())
    except (OSError, ValueError):
        return None
    return job if isinstance(job, Job) else None


def _training(job: Job) -> tuple[Any, ...]:
    """What a training comes of; not the reason for it, which says how many others there are."""
    params = {name: value for name, value in job.params.items() if name != "reason"}
    return job.section, params, job.seed, job.study_seed
