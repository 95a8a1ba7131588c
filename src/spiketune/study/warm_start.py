"""Results of an earlier search as trials of this one: known, and never counted in the budget."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from optuna.trial import TrialState, create_trial

from spiketune.config.loading import Configuration
from spiketune.config.study import Study
from spiketune.errors import ConfigError, InputError, SpiketuneError
from spiketune.space import Choice, Float, Int, Parameter, Space, parse_inequality
from spiketune.space.distributions import stored_distribution, to_stored
from spiketune.study import folder as folders
from spiketune.study.budget import IMPORTED
from spiketune.study.results import TrialRow, row
from spiketune.study.storage import CONSTRAINT_PREFIX, StudyStorage

PATH: Final = "study.warm_start"
_MARK: Final = "spiketune:warm-start"  # study attribute: how many came from where


@dataclass(frozen=True, slots=True)
class Known:
    """A finished trial of an earlier search that fits this one.

    Attributes:
        values: Value by parameter.
        objectives: In the order of the study's.
        constraints: Met when <= 0.
        metrics: All that was measured.
        cost_s: What it cost then.
        fidelity: How much of a training it was, if known.
    """

    values: Mapping[str, Any]
    objectives: Sequence[float]
    constraints: Mapping[str, float]
    metrics: Mapping[str, float]
    cost_s: float
    fidelity: float | None


def known_trials(configuration: Configuration) -> tuple[list[Known], int]:
    """The finished trials that `study.warm_start` names, and how many of them do not fit.

    A trial fits if its values lie in the space and meet what is required, it has every
    objective, and every constraint is measured.

    Raises:
        ConfigError: If the file or study cannot be read, or none of its trials has the
            parameters and objectives of this study.
    """
    study = configuration.study
    if study is None or study.warm_start is None:
        return [], 0
    rows = list(_rows(study.warm_start, configuration))
    found = [_known(one, study, configuration.space) for one in rows]
    fitting = [one for one in found if one is not None]
    if rows and not fitting:
        raise ConfigError(
            PATH,
            f"none of the {len(rows)} finished trials of {study.warm_start} lies in this space "
            f"with values of {', '.join(study.objectives)}; compare names and ranges, or leave "
            "`warm_start` out",
        )
    return fitting, len(rows) - len(fitting)


def warm_start(storage: StudyStorage, configuration: Configuration) -> int:
    """Write the known trials into the journal, once in the life of a study.

    Returns:
        How many were written now.
    """
    study = configuration.study
    if study is None or study.warm_start is None or _MARK in storage.attributes():
        return 0
    known, n_unfit = known_trials(configuration)
    facts = {"from": study.warm_start, "imported": len(known), "left_out": n_unfit}
    with storage.storage.batch():
        for one in known:
            storage.storage.create_new_trial(
                storage.study_id, _trial(one, study.warm_start, configuration.space)
            )
        storage.storage.set_study_user_attr(storage.study_id, _MARK, facts)
    return len(known)


def _trial(known: Known, source: str, space: Space) -> Any:
    constraints = {f"{CONSTRAINT_PREFIX}{name}": v for name, v in known.constraints.items()}
    return create_trial(
        state=TrialState.COMPLETE,
        values=list(known.objectives),
        params={name: to_stored(space[name], value) for name, value in known.values.items()},
        distributions={name: stored_distribution(space[name]) for name in known.values},
        user_attrs={
            "ended": "finished",
            IMPORTED: source,
            "metrics": dict(known.metrics),
            "cost_s": known.cost_s,
            "fidelity": known.fidelity,
            "attempts": [],
            "details": {"imported from": source},
        },
        system_attrs=constraints,
    )


def _known(one: TrialRow, study: Study, space: Space) -> Known | None:
    measured = {**one.metrics, **one.objectives}
    values = {name: one.params[name] for name in space.order if name in one.params}
    if not all(math.isfinite(measured.get(name, math.nan)) for name in study.objectives):
        return None
    constraints = dict(one.constraints)
    try:
        space.check(values)
        if not space.meets(values):
            return None
        for text in study.constraints:
            rule = parse_inequality(text)
            if rule.names <= measured.keys():
                constraints[rule.text] = rule(measured)
            elif rule.text not in constraints:
                return None
    except SpiketuneError:
        return None
    objectives = [measured[name] for name in study.objectives]
    return Known(values, objectives, constraints, measured, one.cost_s, one.fidelity)


# Where they come from.


def _rows(source: str, configuration: Configuration) -> Iterable[TrialRow]:
    given = Path(source).expanduser()
    places = [given, Path(configuration.base_folder) / given]
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise ConfigError(PATH, f"{source}: no such file or study folder")
    rows = _of_study(path) if path.is_dir() else _of_csv(path, configuration.space)
    return [one for one in rows if one.state == "finished"]


def _of_study(path: Path) -> list[TrialRow]:
    try:
        folder, configuration = folders.load(path)
        study = configuration.study
        if study is None or not folder.journal.exists():
            return []
        fingerprint = configuration.space.fingerprint()
        storage = StudyStorage(folder, study, fingerprint, writable=False)
    except InputError as error:
        raise ConfigError(PATH, str(error)) from error
    try:
        return [row(t, configuration.space, tuple(study.objectives)) for t in storage.trials()]
    finally:
        storage.close()


def _of_csv(path: Path, space: Space) -> list[TrialRow]:
    """Lines of a table: a column for each parameter, objective and metric.

    Tables of `spiketune export` are such; other columns are passed over.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(PATH, f"{path}: cannot be read as CSV: {error}") from error
    if not lines:
        raise ConfigError(PATH, f"{path}: holds no line below its head")
    return [_of_line(i, line, space) for i, line in enumerate(lines)]


def _of_line(number: int, line: Mapping[str, str | None], space: Space) -> TrialRow:
    cells = {name: text for name, text in line.items() if name and text}
    params = {name: _parsed(space[name], cells[name]) for name in space if name in cells}
    numbers: dict[str, float] = {}
    for name, text in cells.items():
        key = name.removeprefix("metric:")
        if name not in space and math.isfinite(value := _number(text)):
            numbers[key] = value
    constraints = {
        name.removeprefix("constraint:"): value
        for name, value in numbers.items()
        if name.startswith("constraint:")
    }
    about = {"number", "fidelity", "cost_s", "attempts"}
    metrics = {n: v for n, v in numbers.items() if n not in about and ":" not in n}
    ended = cells.get("state", "finished")
    return TrialRow(
        number=number,
        state="finished" if ended in ("finished", "COMPLETE") else "failed",
        params=params,
        constraints=constraints,
        metrics=metrics,
        fidelity=numbers.get("fidelity"),
        cost_s=numbers.get("cost_s", 0.0),
    )


def _parsed(parameter: Parameter, text: str) -> Any:
    """A cell as a value; what is none stays text, and lies outside the space."""
    if isinstance(parameter, Choice):
        return {str(option): option for option in parameter.options}.get(text, text)
    value = _number(text)
    if isinstance(parameter, Float):
        return value
    if isinstance(parameter, Int) and value.is_integer():
        return int(value)
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
