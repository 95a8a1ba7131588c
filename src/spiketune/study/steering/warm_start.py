"""Results of an earlier search as trials of this one: known, and never counted in the budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from optuna.trial import TrialState, create_trial

from spiketune.config.loading import Configuration
from spiketune.config.study import Study
from spiketune.errors import ConfigError, ExpressionError, InputError, SpiketuneError
from spiketune.space import Space, parse_inequality
from spiketune.space.distributions import stored_distribution, to_stored
from spiketune.study.bounds import bounded
from spiketune.study.budget import IMPORTED
from spiketune.study.records import folder as folders
from spiketune.study.records.results import TrialRow, row
from spiketune.study.records.storage import CONSTRAINT_PREFIX, StudyStorage
from spiketune.study.steering.reading_tables import rows_of_table

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
        lacking = _lacking(rows, study, configuration.space)
        what = f"tell of {', '.join(lacking)}" if lacking else "lie in this space"
        raise ConfigError(
            PATH,
            f"the {len(rows)} finished trials of {study.warm_start} do not {what}; compare names "
            "and ranges, or leave `warm_start` out",
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


def _lacking(rows: Sequence[TrialRow], study: Study, space: Space) -> list[str]:
    """What every trial must have, and none has."""
    told: set[str] = set()
    for one in rows:
        told.update(one.params, one.metrics, one.objectives)
    needed = [name for name in space if not space.is_conditional(name)] + list(study.objectives)
    for text in study.constraints:
        needed += sorted(parse_inequality(text).names)
    return [name for name in dict.fromkeys(needed) if name not in told]


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
    # Constraints that trials set themselves stay; those of the old file made room for ours.
    constraints = {name: v for name, v in one.constraints.items() if not _is_inequality(name)}
    try:
        space.check(values)
        if not space.meets(values):
            return None
        for rule in map(parse_inequality, study.constraints):
            if rule.names <= measured.keys():
                constraints |= bounded([rule], measured)
            elif rule.text in one.constraints:
                constraints[rule.text] = one.constraints[rule.text]
            else:
                return None
    except SpiketuneError:
        return None
    objectives = [measured[name] for name in study.objectives]
    return Known(values, objectives, constraints, measured, one.cost_s, one.fidelity)


def _is_inequality(name: str) -> bool:
    try:
        parse_inequality(name)
    except ExpressionError:
        return False
    return True


# Where they come from.


def _rows(source: str, configuration: Configuration) -> Iterable[TrialRow]:
    given = Path(source).expanduser()
    places = [given, Path(configuration.base_folder) / given]
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise ConfigError(PATH, f"{source}: no such file or study folder")
    rows = _of_study(path) if path.is_dir() else rows_of_table(path, configuration.space)
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
