"""What the constraints of a study's file make of metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from spiketune.errors import ExpressionError, TrialError
from spiketune.messages import Failure, Result
from spiketune.space import Inequality


def bounded(rules: Iterable[Inequality], metrics: Mapping[str, float]) -> dict[str, float]:
    """Value minus bound by the text of each rule, met when <= 0.

    Args:
        rules: The constraints.
        metrics: Every name in them among others.

    Raises:
        TrialError: If one has no value there (kind `nan`): a division by zero, an overflow.
    """
    values: dict[str, float] = {}
    for rule in rules:
        try:
            value = rule(metrics)
        except ExpressionError as error:
            raise TrialError("nan", f"constraint {error}; {_given(rule, metrics)}") from error
        if not math.isfinite(value):
            words = f"constraint '{rule.text}': exceeded by {value}; {_given(rule, metrics)}"
            raise TrialError("nan", words)
        values[rule.text] = value
    return values


def or_failure(end: Result | Failure, rules: Iterable[Inequality]) -> Result | Failure:
    """The end of a trial, a failure if a constraint has no value there."""
    if isinstance(end, Result):
        try:
            bounded(rules, end.metrics)
        except TrialError as error:
            return Failure(end.number, end.attempt, "nan", str(error), end.cost_s)
    return end


def _given(rule: Inequality, metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} was {metrics.get(name)}" for name in sorted(rule.names))
