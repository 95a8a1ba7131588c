"""What becomes of trials, written down; and what they leave on disk, tidied up."""

from __future__ import annotations

from typing import Any, final

from spiketune.messages import Failure, Result
from spiketune.study.at_work import Running
from spiketune.study.bounds import bounded
from spiketune.study.housekeeping import Housekeeper
from spiketune.study.jobs import JobMaker
from spiketune.study.records.results import TrialRow, row
from spiketune.study.records.storage import StudyStorage
from spiketune.study.rungs import columns_of


@final
class Recorder:
    """Writes down how trials end.

    Args:
        storage: The journal.
        jobs: The study.
    """

    def __init__(self, storage: StudyStorage, jobs: JobMaker) -> None:
        self._storage, self._jobs = storage, jobs
        self._housekeeper = Housekeeper(jobs.folder, jobs.study, jobs.configuration.space)

    def complete(self, running: Running, result: Result) -> None:
        """Write down a trial that ended by itself."""
        attributes = {
            "ended": result.ended,
            "fidelity": result.fidelity,
            "metrics": dict(result.metrics),
            "cost_s": result.cost_s,
            **self.attributes(running),
            **({"details": dict(result.details)} if result.details else {}),
        }
        self._storage.complete(running.trial, *self.measured(result), attributes)
        self._tidy_after(running)

    def fail(self, running: Running, failure: Failure) -> None:
        """Write down a trial that failed."""
        attributes = {
            "ended": "failed",
            "failure": {"kind": failure.kind, "message": failure.message},
            **self.attributes(running),
        }
        self._storage.fail(running.trial, attributes)
        self._tidy_after(running)

    def measured(self, result: Result) -> tuple[list[float], dict[str, float]]:
        """Objective values and constraints of a result that went through `or_failure`."""
        rules = bounded(self._jobs.constraints, result.metrics)
        values = [result.metrics[name] for name in self._jobs.study.objectives]
        return values, {**rules, **result.constraints}

    def attributes(self, running: Running) -> dict[str, Any]:
        """What of a trial's attempts goes into the record; reports as columns."""
        curves = {"reports": columns_of(running.reports)} if running.reports else {}
        return {"attempts": running.history, **curves}

    def rows(self) -> list[TrialRow]:
        """All that is written down."""
        space, objectives = self._jobs.configuration.space, tuple(self._jobs.study.objectives)
        return [row(trial, space, objectives) for trial in self._storage.trials()]

    def tidy(self) -> None:
        """Tidy up what a killed asker could not."""
        self._housekeeper.tidy(self._storage.trials())

    def _tidy_after(self, running: Running) -> None:
        told = self._storage.trials()[running.trial.number]
        self._housekeeper.after(told)
