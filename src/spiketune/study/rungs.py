"""The reports of a study as its fidelity rule sees them."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, final

from optuna.trial import FrozenTrial, TrialState

from spiketune.config.study import Fidelity
from spiketune.errors import ConfigError, ExpressionError, SpiketuneError
from spiketune.fidelity import Curve, PausingRule, Point, build_rule
from spiketune.fidelity.arrivals import Curves, Others
from spiketune.messages import Report
from spiketune.space import Inequality
from spiketune.space.distributions import from_stored
from spiketune.study.jobs import JobMaker

_log = logging.getLogger(__name__)

EPOCHS = "training.epochs"
CONSTRAINT = "constraint:"  # before the names of constraints among the columns of reports


@final
class RungWatch:
    """Keeps the learning curves of all trials, and asks the rule at each report.

    Args:
        config: The rule, its options and the resource.
        jobs: The study, and what a trial's section becomes.
        trials: Those of the journal.

    Raises:
        ConfigError: If the rule, an option or the resource does not exist.
    """

    def __init__(self, config: Fidelity, jobs: JobMaker, trials: list[FrozenTrial]) -> None:
        self._rule = build_rule(config.name, config.options)
        self._jobs = jobs
        self._resource = resource_of(config, jobs.configuration.trial)
        directions = jobs.study.objectives
        self._signs = {n: 1.0 if d == "maximize" else -1.0 for n, d in directions.items()}
        self._curves = Curves()
        self._rules = jobs.constraints
        self._needed = {*directions, *(name for rule in self._rules for name in rule.names)}
        self._warned = False
        space = jobs.configuration.space
        for trial in trials:
            columns = trial.user_attrs.get("reports")
            if not columns or trial.state == TrialState.RUNNING:
                continue
            stored = {name: trial.params[name] for name in space.order if name in trial.params}
            self.begin(trial.number, {n: from_stored(space[n], v) for n, v in stored.items()})
            for report in reports_of(trial.number, columns):
                self._add(report)
            self.ended(trial.number, str(trial.user_attrs.get("ended", "failed")))

    def begin(self, number: int, values: Mapping[str, Any]) -> None:
        """Take up a trial."""
        try:
            section = self._jobs.section(values)
        except SpiketuneError:
            section = {}  # a computed leaf without a value: the trial never runs
        full = leaf(section, self._resource) if self._resource else None
        maximum = float(full) if isinstance(full, int | float) else math.inf
        data = section.get("dataset")
        share, steps = (
            (data.get("train_share", 1.0), data.get("steps", 1.0))
            if isinstance(data, Mapping)
            else (1.0, 1.0)
        )
        self._curves.begin(Curve(number, maximum, float(share) * float(steps)))

    def take_in(self, reports: Mapping[float, Report]) -> None:
        """Note reports that were judged before."""
        for fidelity in sorted(reports):
            self._add(reports[fidelity])

    def heard(self, report: Report) -> str | None:
        """Why the trial that reported stops now; None if it goes on."""
        return self.decide(report.number) if self._add(report) else None

    def decide(self, number: int) -> str | None:
        """Why a trial stops at its furthest report; None if it goes on."""
        curve = self._curves[number]
        if self._resource is None:  # what has finished tells how long a trial is
            curve.maximum = self._curves.longest
        if not curve.points or curve.fidelity >= curve.maximum:
            return None
        return self._rule.decide(curve, Others(self._curves, number))

    @property
    def pauses(self) -> bool:
        """Whether trials wait where the rule stops them, and may go on later."""
        return isinstance(self._rule, PausingRule)

    def promote(self, paused: Collection[int], *, last: bool) -> int | None:
        """The paused trial to go on with; see `PausingRule.promote`."""
        if not paused or not isinstance(self._rule, PausingRule):
            return None
        return self._rule.promote(paused, self._curves, last=last)

    def ended(self, number: int, how: str) -> None:
        """Note how a trial ended."""
        self._curves.ended(number, finished=how == "finished")

    def _add(self, report: Report) -> bool:
        missing = sorted(self._needed - report.metrics.keys())
        if missing:
            self._warn(report, missing)
            return False
        gains = tuple(sign * report.metrics[name] for name, sign in self._signs.items())
        broken = [_excess(rule, report.metrics) for rule in self._rules]
        point = Point(gains, violation_of([*broken, *report.constraints.values()]))
        return self._curves.add(report.number, report.fidelity, point)

    def _warn(self, report: Report, missing: list[str]) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "study.fidelity: trial %d reported %s but not %s, so it cannot be judged; report "
                "every objective and every metric of a constraint",
                report.number,
                ", ".join(report.metrics) or "nothing",
                ", ".join(missing),
            )


def violation_of(excesses: Iterable[float]) -> float:
    """How far constraints are broken together: the sum of `excess / (1 + excess)` of each.

    Args:
        excesses: Of each constraint, met when <= 0.

    Returns:
        0 if all are met; infinite, worse than any, if one is no number.
    """
    broken = [excess for excess in excesses if not excess <= 0]
    if any(map(math.isnan, broken)):
        return math.inf
    return sum(1.0 if excess == math.inf else excess / (1.0 + excess) for excess in broken)


def _excess(rule: Inequality, metrics: Mapping[str, float]) -> float:
    try:
        return rule(metrics)
    except ExpressionError:
        return math.nan  # a division by zero, an overflow


def check_fidelity(config: Fidelity, trial: Mapping[str, Any]) -> None:
    """Refuse a rule, an option or a resource that does not exist.

    Raises:
        UnknownNameError: For the rule.
        ConfigError: For the others.
    """
    build_rule(config.name, config.options)
    resource_of(config, trial)


def resource_of(config: Fidelity, trial: Mapping[str, Any]) -> str | None:
    """Path of the leaf that is a trial's full fidelity, if there is one.

    Raises:
        ConfigError: If the path leads nowhere.
    """
    if config.resource is None:
        return EPOCHS if "training" in trial else None
    given = leaf(trial, config.resource)
    if given is None:
        raise ConfigError(
            "study.fidelity.resource",
            f"the trial section has no leaf '{config.resource}'; such as '{EPOCHS}'",
        )
    return config.resource


def leaf(section: Mapping[str, Any], path: str) -> Any:
    """What lies at a dotted path; None if nothing does."""
    found: Any = section
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def columns_of(reports: Mapping[float, Report]) -> dict[str, list[Any]]:
    """Reports as the journal holds them: a column per metric and per constraint."""
    ordered = [reports[fidelity] for fidelity in sorted(reports)]
    rows = [
        {**r.metrics, **{CONSTRAINT + name: value for name, value in r.constraints.items()}}
        for r in ordered
    ]
    names = sorted({name for row in rows for name in row})
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in names}
    return {"fidelity": [r.fidelity for r in ordered], **columns}


def reports_of(number: int, columns: Mapping[str, list[Any]]) -> list[Report]:
    """What `columns_of` was made from."""
    reports = []
    for i, fidelity in enumerate(columns["fidelity"]):
        row = {n: v[i] for n, v in columns.items() if n != "fidelity" and v[i] is not None}
        constraints = {
            name.removeprefix(CONSTRAINT): value
            for name, value in row.items()
            if name.startswith(CONSTRAINT)
        }
        metrics = {name: v for name, v in row.items() if not name.startswith(CONSTRAINT)}
        reports.append(Report(number, 0, fidelity, metrics, constraints))
    return reports
