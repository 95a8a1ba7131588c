"""What finished trials leave on disk beside the journal, as `keep:` says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import final

from optuna.trial import FrozenTrial, TrialState

from spiketune.config.study import Study
from spiketune.space import Space
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.results import TrialRow, front, row


@final
class Housekeeper:
    """Removes what need not stay.

    It remembers the front, so that the end of a trial costs the same however many came before.

    Args:
        folder: The study's folder.
        study: Its study section, with `keep:`.
        space: Its search space.
    """

    def __init__(self, folder: StudyFolder, study: Study, space: Space) -> None:
        self._folder, self._study, self._space = folder, study, space
        self._front: dict[int, TrialRow] = {}  # by number; stays empty unless `keep:` asks for it

    def tidy(self, trials: Sequence[FrozenTrial]) -> None:
        """Tidy up what a killed asker could not: every finished trial that has a folder."""
        finished = {trial.number: trial for trial in trials if trial.state.is_finished()}
        self._meet(finished.values())
        for trial_folder in self._trial_folders():
            if (trial := finished.get(int(trial_folder.name))) is not None:
                self._discard(trial.number, failed=trial.state == TrialState.FAIL)

    def after(self, trial: FrozenTrial) -> None:
        """Tidy up after one trial that was just told, and after those of the front it beats."""
        for number in self._meet([trial]):
            self._discard(number, failed=False)
        self._discard(trial.number, failed=trial.state == TrialState.FAIL)

    def _meet(self, trials: Iterable[FrozenTrial]) -> set[int]:
        """Let finished trials onto the front, and say which of it they beat."""
        if self._study.keep.checkpoints != "front":
            return set()
        objectives = self._study.objectives
        rows = [row(trial, self._space, tuple(objectives)) for trial in trials]
        before = self._front
        best = front([*before.values(), *rows], objectives)
        self._front = {found.number: found for found in best}
        return before.keys() - self._front.keys()

    def _discard(self, number: int, *, failed: bool) -> None:
        keep = self._study.keep
        kept = keep.checkpoints == "all" or number in self._front
        self._folder.discard(
            number,
            checkpoints=failed or not kept,
            logs=not (failed or keep.logs == "all"),
        )

    def _trial_folders(self) -> list[Path]:
        root = self._folder.trial(0).parent
        return [entry for entry in root.iterdir() if entry.name.isdigit()] if root.exists() else []
