"""Trainings that differ in their seed alone, run as one job where that costs less.

A pack of networks of first spike times is trained by the same calls, each as it would be alone,
bit for bit; so what comes of a job does not depend on how it was packed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from spiketune.config.checking import check
from spiketune.config.first_spike import FirstSpike, is_plain
from spiketune.config.training import TrainingTrial
from spiketune.errors import ConfigError
from spiketune.messages import Failure, Job, Result

ALONE: Final = "spiketune.objectives.retraining:retrain"
TOGETHER: Final = "spiketune.objectives.retraining:retrain_pack"
# More save next to nothing, and lose more when one is lost.
LARGEST: Final = 16
# Larger networks gain little by going together, and hours would be lost with a pack of them.
MOST_HIDDEN: Final = 64


@dataclass(frozen=True, slots=True)
class Pack:
    """A job, and the jobs that it does at once: itself, where it is alone.

    Attributes:
        job: What is run; it has the number of its first member.
        members: In their order.
    """

    job: Job
    members: tuple[Job, ...]

    @property
    def alone(self) -> list[Pack]:
        """Its members, each on its own."""
        return [Pack(member, (member,)) for member in self.members]

    @property
    def places(self) -> list[Job]:
        """The jobs in whose folders it works."""
        return [self.job, *(member for member in self.members if member is not self.job)]

    def ends(self, end: Result | Failure) -> list[Result | Failure]:
        """How the members ended."""
        if self.job == self.members[0]:
            return [end]
        return [self._own(g, member, end) for g, member in enumerate(self.members)]

    def _own(self, g: int, member: Job, end: Result | Failure) -> Result | Failure:
        if isinstance(end, Failure):
            return replace(end, number=member.number)
        mark = f"{g}/"
        metrics = {
            name.removeprefix(mark): value
            for name, value in end.metrics.items()
            if name.startswith(mark)
        }
        if not metrics:
            words = end.details.get("failures", {}).get(str(g), "told nothing")
            return Failure(member.number, member.attempt, "nan", words, end.cost_s)
        return replace(end, number=member.number, metrics=metrics, cost_s=metrics["cost_s"])


def packed(jobs: Sequence[Job], n_workers: int) -> list[Pack]:
    """Jobs as they are best run by so many workers.

    Args:
        jobs: Of one or more configurations, in order.
        n_workers: That are free; none of them is left idle.
    """
    packs: list[Pack] = []
    alike: list[Job] = []
    for job in [*jobs, None]:
        if alike and (job is None or _without_seed(job) != _without_seed(alike[0])):
            packs += _packs(alike, n_workers)
            alike = []
        if job is not None:
            alike.append(job)
    return packs


def _packs(jobs: Sequence[Job], n_workers: int) -> list[Pack]:
    """Packs of jobs that differ in their seed alone."""
    n_packs = max(n_workers, math.ceil(len(jobs) / LARGEST), 1)
    if len(jobs) <= n_packs or not _go_together(jobs[0]):
        return [Pack(job, (job,)) for job in jobs]
    bounds = [len(jobs) * k // n_packs for k in range(n_packs + 1)]
    return [_pack(jobs[a:b]) for a, b in itertools.pairwise(bounds)]


def _pack(jobs: Sequence[Job]) -> Pack:
    first = jobs[0]
    if len(jobs) == 1:
        return Pack(first, (first,))
    params = {
        "section": first.params["section"],
        "reason": first.params["reason"],
        "seeds": [job.seed for job in jobs],
        "folders": [job.folder for job in jobs],
    }
    place = Path(first.folder)
    place = place.with_name(f"pack-{place.name}")
    job = replace(
        first,
        section={"function": TOGETHER},
        params=params,
        folder=str(place),
        checkpoint_folder=str(place / "checkpoints"),
        objectives=(),
    )
    return Pack(job, tuple(jobs))


def _without_seed(job: Job) -> tuple[Any, ...]:
    params = {name: value for name, value in job.params.items() if name != "folder"}
    return job.section, params, job.study_seed, job.objectives, job.threads


def _go_together(job: Job) -> bool:
    if job.section.get("function") != ALONE:
        return False
    section: Mapping[str, Any] = job.params["section"]
    try:
        network = check(TrainingTrial, section, "trial").network
    except ConfigError:
        return False  # to be told by the job itself
    if not isinstance(network, FirstSpike) or not is_plain(network):
        return False
    hidden = [layer.neurons for layer in network.layers if layer.neurons != "classes"]
    return sum(hidden) <= MOST_HIDDEN
