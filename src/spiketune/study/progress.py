"""What a display shows of a study at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spiketune.messages import Failure, Message, Result
from spiketune.study.at_work import Running


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display shows of a study at work."""

    n_done: int
    n_failed: int
    n_target: int | None
    running: tuple[Running, ...]
    n_workers: int
    elapsed_s: float
    time_budget_s: float | None
    busy_s: float
    event: str | None = None


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
