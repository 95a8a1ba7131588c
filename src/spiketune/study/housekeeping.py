"""What finished trials leave on disk beside the journal, as `keep:` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from spiketune.config.study import Study
from spiketune.space import Space
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.results import front, row


@dataclass(frozen=True, slots=True)
class Housekeeper:
    """Removes what need not stay.

    Attributes:
        folder: The study's folder.
        study: Its study section, with `keep:`.
        space: Its search space.
    """

    folder: StudyFolder
    study: Study
    space: Space

    def after(self, number: int, *, failed: bool, trials: Sequence[FrozenTrial]) -> None:
        """Tidy up after one trial that was just told."""
        keep = self.study.keep
        self.folder.discard(
            number,
            checkpoints=failed or keep.checkpoints == "none",
            logs=not (failed or keep.logs == "all"),
        )
        if not failed and keep.checkpoints == "front":
            self._leave_front(trials)

    def tidy(self, trials: Sequence[FrozenTrial]) -> None:
        """Tidy up what a killed asker could not: every finished trial that has a folder."""
        for trial_folder in self._trial_folders():
            number = int(trial_folder.name)
            if number < len(trials) and trials[number].state.is_finished():
                failed = trials[number].state == TrialState.FAIL
                self.after(number, failed=failed, trials=trials)

    def _leave_front(self, trials: Sequence[FrozenTrial]) -> None:
        """Keep the checkpoints of the front alone; trials at work keep theirs."""
        rows = [row(trial, self.space, tuple(self.study.objectives)) for trial in trials]
        best = {found.number for found in front(rows, self.study.objectives)}
        for trial_folder in self._trial_folders():
            number = int(trial_folder.name)
            told = number < len(trials) and trials[number].state.is_finished()
            if told and number not in best:
                self.folder.discard(number, checkpoints=True, logs=False)

    def _trial_folders(self) -> list[Path]:
        root = self.folder.trial(0).parent
        return [entry for entry in root.iterdir() if entry.name.isdigit()] if root.exists() else []
