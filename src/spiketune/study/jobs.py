"""From a configuration's values to the Job that a worker gets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spiketune.config.inline import resolve
from spiketune.config.loading import Configuration, without_parameters
from spiketune.config.study import Study
from spiketune.messages import Job
from spiketune.seeding import child_seed
from spiketune.space import Inequality, parse_inequality
from spiketune.study.records.folder import StudyFolder


@functools.lru_cache(maxsize=16)
def _parsed(texts: tuple[str, ...]) -> tuple[Inequality, ...]:
    return tuple(parse_inequality(text) for text in texts)


@dataclass(frozen=True, slots=True)
class JobMaker:
    """Makes the jobs of one study.

    Attributes:
        study: Its study section.
        configuration: Its checked file.
        folder: Where attempts lie.
        threads: Intra-op threads of an attempt.
    """

    study: Study
    configuration: Configuration
    folder: StudyFolder
    threads: int = 1

    @property
    def constraints(self) -> tuple[Inequality, ...]:
        """The constraints over metrics."""
        return _parsed(tuple(self.study.constraints))

    def section(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The trial section with every range replaced by its value.

        Raises:
            ConfigError: If a computed leaf has no value for this configuration.
        """
        return without_parameters(resolve(self.configuration.trial, values))

    def job(self, number: int, attempt: int, values: Mapping[str, Any]) -> Job:
        """The job of one attempt.

        Raises:
            ConfigError: If a computed leaf has no value for this configuration.
        """
        section = self.section(values)
        needed = sorted({name for rule in self.constraints for name in rule.names})
        return Job(
            study=self.study.name,
            number=number,
            attempt=attempt,
            section=section,
            params={**section.get("params", {}), **values},
            seed=child_seed(self.study.seed, "trial", number),
            study_seed=self.study.seed,
            folder=str(self.folder.attempt(number, attempt).absolute()),
            checkpoint_folder=str(self.folder.checkpoints(number).absolute()),
            base_folder=self.configuration.base_folder,
            objectives=tuple(self.study.objectives),
            constraints=tuple(name for name in needed),
            time_limit_s=self.study.executor.time_limit,
            threads=self.threads,
        )
