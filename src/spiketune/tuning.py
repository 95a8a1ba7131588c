"""Search the arguments of a Python function, from a script or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spiketune.api import Listen, Study, create
from spiketune.config.checking import check
from spiketune.config.inline import as_range
from spiketune.config.loading import Configuration, configure
from spiketune.config.study import Study as StudySection
from spiketune.drafts import draft_of
from spiketune.errors import InputError, StudyExistsError, StudyNotFoundError
from spiketune.executors.local import modules_to_preload
from spiketune.objectives.function import PICKLED, dump_function
from spiketune.space import Parameter, Space
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.lock import StudyLock
from spiketune.study.running import study_of

if TYPE_CHECKING:
    from spiketune.objectives.trial import Trial


def tune(
    objective: Callable[[Trial], Any],
    space: Space | Mapping[str, Parameter],
    *,
    objectives: Mapping[str, str],
    folder: str | Path,
    trials: int = 100,
    time: float | str | None = None,
    constraints: Sequence[str] = (),
    require: Sequence[str] = (),
    sampler: str | Mapping[str, Any] = "auto",
    workers: int | None = None,
    time_limit: float | str | None = None,
    seed: int = 0,
    listen: Listen | None = None,
) -> Study:
    """Search the arguments of a Python function.

    A folder that holds this study already is gone on with, for `trials` more.

    Args:
        objective: Takes a `spiketune.Trial`, returns a number or a mapping metric -> number. A
            function of a notebook is kept by value in the folder.
        space: Parameter by name, or a `Space` with requirements.
        objectives: `minimize` or `maximize` by metric.
        folder: The study's folder.
        trials: Trials to run now; 0 only makes the study.
        time: Longest time to run now, in seconds or as text (`"90m"`); what an earlier call left
            of its own if None.
        constraints: Inequalities over metrics, such as `"n_parameters <= 200000"`.
        require: Expressions over parameters that a configuration must meet.
        sampler: Name, or name and options (`{"name": "tpe", "n_startup_trials": 20}`); `auto`
            chooses by the space, the objectives and the budget.
        workers: Trials at once; one per core if None.
        time_limit: Longest time one attempt may take.
        seed: Of the whole study.
        listen: Told of progress; a progress display on the terminal if None.

    Raises:
        ConfigError: If an argument is wrong.
        StudyExistsError: If the folder holds a study of another space, or of other objectives or
            constraints.
        StudyLockedError: If another process runs the study.
    """
    path = Path(folder)
    space = space if isinstance(space, Space) else Space(space, require)
    chosen = {"name": sampler} if isinstance(sampler, str) else dict(sampler)
    fields: dict[str, Any] = {
        "name": path.name,
        "objectives": dict(objectives),
        "constraints": tuple(constraints),
        "require": tuple(rule.text for rule in space.require),
        "sampler": chosen,
        "budget": {"trials": max(1, trials), **({"time": time} if time is not None else {})},
        "executor": {
            **({"workers": workers} if workers else {}),
            **({"time_limit": time_limit} if time_limit else {}),
            "preload": _imported_by_script(objective),
        },
        "seed": seed,
    }
    section = check(StudySection, fields, "study")
    place = _importable_from(objective)
    by_value = dump_function(objective) if place is None else None
    target, base_folder = place or (
        f"{PICKLED}:{StudyFolder(path).function_file.name}",
        str(path.resolve()),
    )
    params = {name: as_range(parameter) for name, parameter in space.items()}
    trial = {"function": target, "params": params}
    configuration = configure(
        {"study": section.model_dump(mode="json"), "trial": trial}, base_folder
    )
    if configuration.space.fingerprint() != space.fingerprint():
        raise InputError("space: conditions between chosen sections cannot be given from Python")
    study = _open_or_create(configuration, path, by_value)
    if trials:
        study.run(trials, time, listen=listen)
    return study


def _open_or_create(configuration: Configuration, path: Path, by_value: bytes | None) -> Study:
    """The study in a folder, with the function that it shall call if that is kept by value."""
    try:
        study = Study(path)
    except StudyNotFoundError:
        if by_value is not None:
            _keep(by_value, path)
        return create(configuration, path)
    if _sought(study.configuration) != _sought(configuration):
        raise StudyExistsError(
            f"{path}: holds a study of another space, or of other objectives or constraints; "
            "give another folder, or undo the change"
        )
    if by_value is not None:
        with StudyLock(study.folder.lock):  # a running study goes on with the function that it has
            _keep(by_value, path)
    return study


def _keep(by_value: bytes, path: Path) -> None:
    """Write a function into a study's folder.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with draft_of(StudyFolder(path).function_file) as draft:
            draft.write_bytes(by_value)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _importable_from(function: Callable[..., Any]) -> tuple[str, str] | None:
    """`module:name` of a function, and the folder to import it from; None if it has no module."""
    module = getattr(function, "__module__", "__main__")
    name = getattr(function, "__qualname__", "")
    file = getattr(sys.modules.get(module), "__file__", None)
    if module in ("__main__", "builtins") or "<" in name or not name or not file:
        return None
    return f"{module}:{name}", str(Path(file).parents[module.count(".")])


def _imported_by_script(function: Callable[..., Any]) -> tuple[str, ...]:
    """What the script that holds a function imports, so that not every trial does it again."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if getattr(function, "__module__", "__main__") != "__main__" or file is None:
        return ()
    return modules_to_preload(Path(file).stem, str(Path(file).parent))


def _sought(configuration: Configuration) -> tuple[object, ...]:
    """What a study that is gone on with must have in common with the one asked for."""
    study = study_of(configuration)
    constraints = sorted(study.constraints)
    return configuration.space.fingerprint(), list(study.objectives.items()), constraints
