"""What must not change in the life of a study: its space, its objectives, its constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from spiketune.config.study import Study
from spiketune.errors import StudyExistsError

_SPACE: Final = "spiketune:space"
_CONSTRAINTS: Final = "spiketune:constraints"


def marks_of(study: Study, fingerprint: str) -> dict[str, Any]:
    """What a journal keeps from its start, beside the objectives that Optuna keeps."""
    return {_SPACE: fingerprint, _CONSTRAINTS: sorted(study.constraints)}


def check_same(
    folder: Path,
    study: Study,
    fingerprint: str,
    marks: Mapping[str, Any],
    objectives: Sequence[tuple[str, str]],
) -> None:
    """Refuse a `study.yaml` under which the journal's numbers would mean something else.

    Args:
        folder: The study's folder.
        study: Its checked study section, as it is now.
        fingerprint: Of its search space, as it is now.
        marks: The study's attributes in the journal.
        objectives: Names and directions (`minimize`, `maximize`) in the journal, in their order.

    Raises:
        StudyExistsError: Naming what was changed, and the remedy.
    """
    if marks.get(_SPACE) != fingerprint:
        _refuse(folder, "another search space")
    if list(objectives) != list(study.objectives.items()):
        _refuse(folder, f"the objectives {_described(objectives)}")
    constraints = sorted(study.constraints)
    if (kept := marks.get(_CONSTRAINTS, constraints)) != constraints:
        _refuse(folder, f"the constraints {', '.join(kept)}" if kept else "no constraints")


def _described(objectives: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name}: {direction}" for name, direction in objectives) + "}"


def _refuse(folder: Path, other: str) -> NoReturn:
    raise StudyExistsError(
        f"{folder}: the journal was written for {other}; undo the change to study.yaml, or make "
        f"it in a new study, with `study.warm_start: {folder}` to begin with what is known"
    )
