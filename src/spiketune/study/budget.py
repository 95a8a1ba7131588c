"""How much a study may spend, and how much it has spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, final

from optuna.trial import FrozenTrial, TrialState

from spiketune.clock import Clock
from spiketune.config.study import Budget
from spiketune.messages import Failure

IMPORTED: Final = "imported"  # user attribute: where a trial of a warm start came from
_Amount = TypeVar("_Amount", int, float)
_COUNTED = (TrialState.COMPLETE, TrialState.FAIL)


@final
class Spending:
    """Counts trials and time against a budget, over all sessions.

    Args:
        budget: What may be spent.
        trials: Those of the journal as this session begins.
        sessions: The earlier ones.
        clock: The time; this session begins now.

    Attributes:
        n_done: Trials that ended by themselves.
        n_failed: Trials that failed.
        failures: Of this session.
        started_s: When this session began.
    """

    def __init__(
        self,
        budget: Budget,
        trials: Sequence[FrozenTrial],
        sessions: Sequence[Mapping[str, Any]],
        clock: Clock,
    ) -> None:
        self._budget, self._clock = budget, clock
        self.n_done = sum(trial.state == TrialState.COMPLETE for trial in own(trials))
        self.n_failed = n_counted(trials) - self.n_done
        self.failures: list[Failure] = []
        self.started_s = clock.now_s()
        self._before_s = uptime_s(sessions, trials)

    def failed(self, failure: Failure) -> None:
        """Count a trial that failed."""
        self.n_failed += 1
        self.failures.append(failure)

    @property
    def n_ended(self) -> int:
        """Trials that ended or failed."""
        return self.n_done + self.n_failed

    @property
    def n_alike(self) -> int:
        """Failed trials, if nothing else came yet and all failed with the same words."""
        words = {(failure.kind, failure.message) for failure in self.failures}
        return len(self.failures) if not self.n_done and len(words) == 1 else 0

    @property
    def elapsed_s(self) -> float:
        """Seconds for which the asker was up, over all sessions."""
        return self._before_s + self._clock.now_s() - self.started_s

    @property
    def left_s(self) -> float:
        """Seconds of the time budget that are left."""
        return self._budget.time - self.elapsed_s if self._budget.time else float("inf")

    def wants(self, n_in_flight: int) -> bool:
        """Whether the budget has room for a trial beside those that run or wait."""
        target = self._budget.trials
        return target is None or self._asked(n_in_flight) < target

    def share(self, n_in_flight: int) -> float:
        """Share of the budget that is spent, by whichever of trials and time is further."""
        budget = self._budget
        shares = [self._asked(n_in_flight) / budget.trials] if budget.trials else []
        shares += [self.elapsed_s / budget.time] if budget.time else []
        return min(1.0, max(shares, default=0.0))

    def _asked(self, n_in_flight: int) -> int:
        return self.n_ended + n_in_flight


def unspent(limit: _Amount | None, spent: _Amount) -> _Amount | None:
    """A limit that is not reached yet; None if it is."""
    return limit if limit is not None and limit > spent else None


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
