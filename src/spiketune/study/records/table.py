"""The results of a study of commands as a table on disk, whole after every trial."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiketune.config.loading import Configuration
from spiketune.study.progress import Progress
from spiketune.study.records.folder import write_atomically
from spiketune.study.records.results import TrialRow, row
from spiketune.study.records.storage import StudyStorage

_FIRST = ("number", "state")
_LAST = ("cost_s", "failure", "output_dir", "command")


@dataclass(frozen=True, slots=True)
class ResultsTable:
    """A CSV file with a line per ended trial: parameters, metrics, output folder, command.

    Attributes:
        path: The file.
        configuration: The study's checked file.
        storage: Its journal.
    """

    path: Path
    configuration: Configuration
    storage: StudyStorage

    def after(self, listen: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """A listener that also writes the table, when a trial has come to its end."""
        told = -1

        def both(progress: Progress) -> None:
            nonlocal told
            ended = progress.n_done + progress.n_failed
            if ended != told:
                self.write()
                told = ended
            listen(progress)

        return both

    def write(self) -> None:
        """Write the whole table: a reader sees the old one or the new one."""
        space, names = self.configuration.space, self.storage.objectives
        rows = [row(t, space, names) for t in self.storage.trials() if t.state.is_finished()]
        ended = [r for r in rows if r.state != "rejected"]
        write_atomically(self.path, _as_csv(ended, list(space)))


def _as_csv(rows: Sequence[TrialRow], parameters: Sequence[str]) -> str:
    names = [name for name in _union(r.metrics for r in rows) if name not in parameters]
    bounds = _union(r.constraints for r in rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    own = (*_FIRST, *_LAST)
    writer.writerow(
        [
            *_FIRST,
            *(f"param:{name}" if name in own else name for name in parameters),
            *(f"metric:{name}" if name in own else name for name in names),
            *(f"constraint:{bound}" for bound in bounds),
            *_LAST,
        ]
    )
    for r in rows:
        failure = f"{r.failure['kind']}: {r.failure['message']}" if r.failure else ""
        writer.writerow(
            [
                r.number,
                r.state,
                *_cells(r.params, parameters),
                *_cells(r.metrics, names),
                *_cells(r.constraints, bounds),
                r.cost_s,
                failure,
                r.details.get("output_dir", ""),
                r.details.get("command", ""),
            ]
        )
    return text.getvalue()


def _union(mappings: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _cells(values: Any, names: Sequence[str]) -> list[Any]:
    return [values.get(name, "") for name in names]
