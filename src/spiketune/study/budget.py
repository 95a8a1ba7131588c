"""How much a study may spend, and how much it has spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState

IMPORTED: Final = "imported"  # user attribute: where a trial of a warm start came from
_COUNTED = (TrialState.COMPLETE, TrialState.FAIL)


def n_counted(trials: Sequence[FrozenTrial]) -> int:
    """Trials that count against the budget: those that ended or failed here, not rejected ones."""
    return sum(trial.state in _COUNTED for trial in own(trials))


def own(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials of this study, without those of a warm start."""
    return [trial for trial in trials if IMPORTED not in trial.user_attrs]


def uptime_s(sessions: Sequence[Mapping[str, Any]], trials: Sequence[FrozenTrial]) -> float:
    """Seconds for which the asker was up, over all sessions.

    A session that was killed left no end; it is taken to have lasted until the last thing that
    it wrote down.
    """
    moments = sorted(
        moment.timestamp()
        for trial in own(trials)
        for moment in (trial.datetime_start, trial.datetime_complete)
        if moment is not None
    )
    starts = [float(session["started_s"]) for session in sessions] + [float("inf")]
    total_s = 0.0
    for session, start_s, next_s in zip(sessions, starts, starts[1:], strict=False):
        written = [moment for moment in moments if start_s <= moment < next_s]
        end_s = float(session.get("ended_s") or (written[-1] if written else start_s))
        total_s += max(0.0, end_s - start_s)
    return total_s
