"""A grid study read as a sweep: its configurations, each over the seeds it was run with."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spiketune.errors import InputError, UnknownNameError
from spiketune.samplers.combinations import Combinations, listed
from spiketune.space import Space
from spiketune.study.records.results import TrialRow

STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "mean": lambda values: statistics.fmean(values),
    "std": lambda values: statistics.stdev(values) if len(values) > 1 else 0.0,
    "median": lambda values: float(np.quantile(values, 0.5)),
    "q25": lambda values: float(np.quantile(values, 0.25)),
    "q75": lambda values: float(np.quantile(values, 0.75)),
    "min": lambda values: min(values),
    "max": lambda values: max(values),
}
_MOST: Final = 100_000  # combinations that are counted


@dataclass(frozen=True, slots=True)
class Swept:
    """One configuration of a sweep.

    Attributes:
        params: Value by parameter, without the one that the sweep is summed up over.
        rows: Its finished trials, one per seed.
        missing: Seeds of the grid without a finished trial.
    """

    params: Mapping[str, Any]
    rows: tuple[TrialRow, ...]
    missing: tuple[Any, ...] = ()

    def values(self, metric: str) -> list[float]:
        """A metric, one value per seed; `..._error` is 1 minus the accuracy."""
        found = (value_of(row.metrics, metric) for row in self.rows)
        return [value for value in found if value is not None]

    def at_epochs(self, metric: str) -> dict[float, list[float]]:
        """What was reported on the way, one value per seed, by epoch."""
        told: dict[float, list[float]] = {}
        for row in self.rows:
            names = row.reports.keys()
            columns = zip(*(row.reports[name] for name in names), strict=False)
            for column in columns:
                at = dict(zip(names, column, strict=True))
                value = value_of(at, metric)
                if value is not None and at.get("fidelity") is not None:
                    told.setdefault(float(at["fidelity"] or 0.0), []).append(value)
        return dict(sorted(told.items()))


def value_of(metrics: Mapping[str, float | None], metric: str) -> float | None:
    """A metric of a trial or report; errors are made of accuracies."""
    if metric.endswith("_error") and metric not in metrics:
        accuracy = metrics.get(f"{metric.removesuffix('_error')}_accuracy")
        return None if accuracy is None else 1.0 - accuracy
    return metrics.get(metric)


def seed_parameter(space: Space, named: str | None = None) -> str | None:
    """The parameter that a sweep is summed up over: the one named, else `seed`, if there is one.

    Raises:
        UnknownNameError: If no parameter has the name given.
    """
    if named is not None:
        if named not in space:
            raise UnknownNameError("parameter", named, space)
        return named
    return "seed" if "seed" in space else None


def n_combinations(space: Space, levels: int | None = None) -> int:
    """How many combinations a grid has.

    Args:
        space: The space.
        levels: Into how many values a continuum is divided.
    """
    return Combinations(space, levels).n


def swept(rows: Sequence[TrialRow], space: Space, over: str | None) -> list[Swept]:
    """The configurations of a sweep in the order of its grid, runs or none.

    Args:
        rows: Its trials.
        space: Its grid.
        over: The parameter to sum up over.

    Raises:
        InputError: If the same parameters gave different results, so that one does not say
            which to believe.
    """
    by_point: dict[str, TrialRow] = {}
    for row in rows:
        if not row.full:
            continue
        key = _key(row.params)
        before = by_point.setdefault(key, row)
        if dict(before.objectives) != dict(row.objectives):
            raise InputError(
                f"trials {before.number} and {row.number} have the same parameters and different "
                "results; something that is not a parameter differs between them"
            )
    grouped: dict[str, tuple[dict[str, Any], list[TrialRow], list[Any]]] = {}
    for point in itertools.islice(listed(space), _MOST):
        shared = {name: value for name, value in point.items() if name != over}
        _, found, missing = grouped.setdefault(_key(shared), (shared, [], []))
        if (done := by_point.get(_key(point))) is not None:
            found.append(done)
        else:
            missing.append(point.get(over) if over is not None else None)
    return [Swept(params, tuple(found), tuple(gone)) for params, found, gone in grouped.values()]


def table(configurations: Sequence[Swept], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """One line per configuration: parameters, `n` runs, statistics of each metric, missing seeds.

    Lines come in the order of the first metric's mean, smallest first; those without a finished
    run come last.
    """
    lines: list[dict[str, Any]] = []
    for one in configurations:
        line: dict[str, Any] = {**one.params, "n": len(one.rows)}
        for metric in metrics:
            line |= statistics_of(metric, one.values(metric))
        lines.append({**line, "missing": list(one.missing)})
    first = f"{metrics[0]}_mean" if metrics else ""
    return sorted(lines, key=lambda line: float(line.get(first, np.inf)))


def epoch_table(configurations: Sequence[Swept], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """One line per configuration and epoch."""
    lines = []
    for one in configurations:
        told = {metric: one.at_epochs(metric) for metric in metrics}
        for epoch in sorted({epoch for values in told.values() for epoch in values}):
            line: dict[str, Any] = {**one.params, "epoch": epoch}
            for metric, values in told.items():
                line |= statistics_of(metric, values.get(epoch, []))
            lines.append(line)
    return lines


def statistics_of(name: str, values: Sequence[float]) -> dict[str, float]:
    """`<name>_mean`, `<name>_std` and so on; empty without values."""
    return {f"{name}_{key}": f(values) for key, f in STATISTICS.items()} if values else {}


def _key(params: Mapping[str, Any]) -> str:
    return json.dumps(dict(params), sort_keys=True, default=str)
