"""Configurations trained again over seeds: run to their ends, and not twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message, Report, Result, from_json, to_json
from spiketune.study.attempts import read_end
from spiketune.study.over_seeds.packs import Pack, packed

_POLL_S: Final = 0.5

# Told of label, seed and message, for every report and end.
Listen = Callable[[str, int, Message], None]


def unheard(label: str, seed: int, message: Message) -> None:
    """Listen to nothing."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration to train again.

    Attributes:
        label: Names it in messages and folders (`trial-00012`).
        section: Its trial section, every leaf fixed.
        values: The values it was resolved with; they name the sections that were chosen.
    """

    label: str
    section: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)


def train_over_seeds(
    candidates: Sequence[Candidate],
    n_seeds: int,
    job: Callable[[Candidate, int], Job],
    executor: Executor,
    listen: Listen,
) -> list[list[Result | Failure]]:
    """Train every candidate with every seed; what an earlier call finished is not repeated.

    Args:
        candidates: What to train.
        n_seeds: Trainings of each.
        job: The training of a candidate with its k-th seed, numbered by `train_over_seeds`.
        executor: Where; the caller closes it.
        listen: Told of every report and end.

    Returns:
        How they ended, by candidate and seed.
    """
    queue = [
        replace(job(candidate, k), number=i * n_seeds + k)
        for i, candidate in enumerate(candidates)
        for k in range(n_seeds)
    ]

    def tell(message: Message) -> None:
        i, k = divmod(message.number, n_seeds)
        listen(candidates[i].label, k, message)

    ends = _run(queue, executor, tell)
    return [ends[i * n_seeds : (i + 1) * n_seeds] for i in range(len(candidates))]


def _run(
    queue: Sequence[Job], executor: Executor, listen: Callable[[Message], None]
) -> list[Result | Failure]:
    """Run jobs to their ends; one whose folder holds its result already is not run again.

    Args:
        queue: The jobs, numbered from 0 as they stand here.
        executor: Where; the caller closes it.
        listen: Told of every report and end.
    """
    ends: dict[int, Result | Failure] = {}
    for job in queue:
        if _is_kept(job) and isinstance(end := read_end(Path(job.folder)), Result):
            ends[job.number] = end
    waiting = packed([job for job in queue if job.number not in ends], executor.free_slots)
    running: dict[int, Pack] = {}
    while waiting or running:
        while waiting and executor.free_slots:
            pack = waiting.pop(0)
            for job in (pack.job, *pack.members):
                _clear(Path(job.folder))
            running[pack.job.number] = pack
            executor.submit(pack.job)
        for message in executor.events(_POLL_S):
            if isinstance(message, Report):
                listen(message)
                continue
            pack = running.pop(message.number)
            if isinstance(message, Failure) and len(pack.members) > 1:
                waiting[:0] = pack.alone  # what fails together may go well alone
                continue
            for end in pack.ends(message):
                listen(end)
                ends[end.number] = end
                if isinstance(end, Result):
                    _keep(end, queue[end.number])
    return [ends[job.number] for job in queue]


def _clear(folder: Path) -> None:
    """Make a place that an interrupted call left behind free to be claimed again."""
    for name in ("lease.json", "result.json", "metrics.jsonl"):
        (folder / name).unlink(missing_ok=True)


def _is_kept(job: Job) -> bool:
    """Whether the folder holds this very training, not one of an edited configuration."""
    try:
        kept = from_json((Path(job.folder) / "job.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(kept, Job) and _training(kept) == _training(job)


def _training(job: Job) -> tuple[Any, ...]:
    """What a training comes of; not the reason for it, which says how many others there are."""
    params = {name: value for name, value in job.params.items() if name != "reason"}
    return job.section, params, job.seed, job.study_seed


def _keep(result: Result, job: Job) -> None:
    """Write the training where `_is_kept` and `read_end` find it; a child has done so already."""
    folder = Path(job.folder)
    if not (folder / "result.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.json").write_text(to_json(job), encoding="utf-8")
        (folder / "result.json").write_text(to_json(result), encoding="utf-8")
