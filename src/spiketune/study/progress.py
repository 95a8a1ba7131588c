"""What a display shows of a study at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spiketune.messages import Failure, Message, Result
from spiketune.study.at_work import Running


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display shows of a study at work.

    Attributes:
        n_done: Trials that completed.
        n_failed: Trials that failed.
        n_target: Trials of the budget.
        running: Attempts at work.
        n_workers: Attempts that can run at once.
        now_s: Moment of this view, seconds since 1970.
        elapsed_s: Time that the study has taken, earlier sessions included.
        time_budget_s: Time of the budget.
        ended_busy_s: Time that the attempts of this session took which have ended, in seconds.
        event: What happened, in a line.
    """

    n_done: int
    n_failed: int
    n_target: int | None
    running: tuple[Running, ...]
    n_workers: int
    elapsed_s: float
    time_budget_s: float | None
    now_s: float
    ended_busy_s: float
    event: str | None = None

    @property
    def busy_s(self) -> float:
        """Time that all attempts of this session took so far, in seconds."""
        return self.ended_busy_s + sum(self.now_s - running.started_s for running in self.running)


def in_words(message: Message | None, objectives: Sequence[str]) -> str | None:
    """The end of an attempt in one line; None for what is no event."""
    if isinstance(message, Result):
        values = ", ".join(f"{name} {message.metrics[name]:.4g}" for name in objectives)
        why = message.details.get("stopped_by") if message.ended == "stopped" else None
        how = f"{message.ended} ({why})" if why else message.ended
        return f"trial {message.number} {how} after {message.cost_s:.1f} s: {values}"
    if isinstance(message, Failure):
        return f"trial {message.number} attempt {message.attempt} {message.kind}: {message.message}"
    return None
