"""Trials that wait at rungs until they are promoted or the study ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from spiketune.messages import Result
from spiketune.samplers.paused import rung_of
from spiketune.study.at_work import Running
from spiketune.study.records.storage import StudyStorage
from spiketune.study.rungs import RungWatch


@final
class Pauses:
    """The trials that wait, in the journal and here.

    Args:
        storage: The journal.
        rungs: The rule; None where nothing ever waits.
    """

    def __init__(self, storage: StudyStorage, rungs: RungWatch | None) -> None:
        self._storage, self._rungs = storage, rungs
        self._waiting: dict[int, Running] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(
        self,
        running: Running,
        so_far: Result,
        values: Sequence[float],
        constraints: Mapping[str, float],
        attributes: Mapping[str, Any],
    ) -> None:
        """Let a trial wait with what it has reached."""
        facts = {"fidelity": so_far.fidelity, "cost_s": so_far.cost_s, "why": running.stopped}
        self._storage.pause(running.trial, values, constraints, facts, attributes)
        running.attempt += 1
        self._waiting[running.trial.number] = running

    def take_up(self, running: Running) -> bool:
        """Let a trial wait again, in a new session; false if the rule pauses none any more."""
        rung = rung_of(running.trial)
        if rung is None or self._rungs is None or not self._rungs.pauses:
            return False
        self._rungs.begin(running.trial.number, running.values)
        self._rungs.take_in(running.reports)
        running.stopped = str(rung["why"])
        self._waiting[running.trial.number] = running
        return True

    def next(self, *, last: bool) -> int | None:
        """The trial that goes on before anything new begins; see `PausingRule.promote`."""
        if self._rungs is None or not self._waiting:
            return None
        return self._rungs.promote(self._waiting, last=last)

    def promote(self, number: int) -> Running:
        """Let a trial wait no longer."""
        running = self._waiting.pop(number)
        running.stopped = None
        self._storage.go_on(running.trial)
        return running

    def pop_all(self) -> list[Running]:
        """The trials that wait, by number; none of them does any more."""
        found = [self._waiting[number] for number in sorted(self._waiting)]
        self._waiting.clear()
        return found
