"""Configurations trained again over seeds: run to their ends, and not twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from spiketune.executors.attempt_folder import make_free
from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message, Report, Result
from spiketune.study.over_seeds.packs import Pack, packed
from spiketune.study.over_seeds.places import keep, kept_result, wait_until_free, was_begun

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

    Raises:
        SpiketuneError: If a job that an earlier call began goes on and cannot be taken over.
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

    One that goes on without the call that began it, under a scheduler, is taken over.

    Args:
        queue: The jobs, numbered from 0 as they stand here.
        executor: Where; the caller closes it.
        listen: Told of every report and end.
    """
    ends: dict[int, Result | Failure] = {
        job.number: result for job in queue if (result := kept_result(job)) is not None
    }
    waiting = packed([job for job in queue if job.number not in ends], executor.free_slots)
    goes_on = _taken_over(waiting, executor)
    waiting = [pack for pack in waiting if pack not in goes_on]
    running = {pack.job.number: pack for pack in goes_on}
    while waiting or running:
        while waiting and executor.free_slots:
            pack = waiting.pop(0)
            for job in pack.places:
                make_free(Path(job.folder))
            running[pack.job.number] = pack
            executor.submit(pack.job)
        for message in executor.events(_POLL_S):
            if isinstance(message, Report):
                listen(message)
                continue
            pack = running.pop(message.number)
            if isinstance(message, Failure) and pack in goes_on:
                goes_on.remove(pack)
                waiting.insert(0, pack)  # asked to leave by the call that began it
                continue
            if isinstance(message, Failure) and len(pack.members) > 1:
                waiting[:0] = pack.alone  # what fails together may go well alone
                continue
            for end in pack.ends(message):
                listen(end)
                ends[end.number] = end
                if isinstance(end, Result):
                    keep(end, queue[end.number])
    return [ends[job.number] for job in queue]


def _taken_over(packs: Sequence[Pack], executor: Executor) -> list[Pack]:
    """Those that an earlier call began and that go on; the places of the others are free then.

    Raises:
        SpiketuneError: If a job that cannot be taken over goes on; nothing is taken over then.
    """
    begun = [pack for pack in packs if was_begun(pack.job)]
    wait_until_free([job for pack in packs if pack not in begun for job in pack.places])
    found = [pack for pack in begun if executor.adopt(pack.job) is not None]
    wait_until_free([job for pack in begun if pack not in found for job in pack.places])
    return found
