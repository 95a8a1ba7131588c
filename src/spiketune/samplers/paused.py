"""Trials that wait at a rung, as samplers see them: with the values that they have there.

Such a trial is running for Optuna, as it may go on later; its values so far lie in the user
attribute `rung`, and stay there while it goes on, until it ends or reaches the next one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState

RUNG: Final = "rung"  # values, constraints, fidelity, cost_s, why, at, and whether it waits
PROVISIONAL: Final = "provisional"  # set on what samplers see of a trial that may go on
CONSTRAINT: Final = "constraints:"  # Optuna's name for a constraint value of a trial


def rung_of(trial: FrozenTrial) -> Mapping[str, Any] | None:
    """What a trial has reached that waits, or that waited and now goes on."""
    rung = trial.user_attrs.get(RUNG)
    return rung if trial.state == TrialState.RUNNING and isinstance(rung, Mapping) else None


def waits(trial: FrozenTrial) -> bool:
    """Whether a trial is paused."""
    rung = rung_of(trial)
    return rung is not None and bool(rung["waits"])


def as_stopped(trial: FrozenTrial) -> FrozenTrial:
    """The trial as if it had been stopped at its last rung; itself if it never waited."""
    rung = rung_of(trial)
    if rung is None:
        return trial
    seen = copy.copy(trial)
    seen.state = TrialState.COMPLETE
    seen.values = list(rung["values"])
    seen.datetime_complete = datetime.fromisoformat(rung["at"])
    seen.user_attrs = trial.user_attrs | {
        "ended": "stopped",
        "fidelity": rung["fidelity"],
        "cost_s": rung["cost_s"],
        PROVISIONAL: True,
    }
    seen.system_attrs = trial.system_attrs | {
        f"{CONSTRAINT}{name}": value for name, value in rung["constraints"].items()
    }
    return seen
