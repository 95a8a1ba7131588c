"""A trial at work, and what is known of its attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FrozenTrial

from spiketune.messages import Report


@dataclass(slots=True)
class Running:
    """A trial at work, and what is known of its attempts."""

    trial: FrozenTrial
    values: Mapping[str, Any]
    attempt: int = 1
    worker: str = ""
    started_s: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    reports: dict[float, Report] = field(default_factory=dict)
    stopped: str | None = None  # why a fidelity rule wants it to end

    @property
    def fidelity(self) -> float | None:
        """The furthest report so far."""
        return max(self.reports, default=None)

    def end_attempt(self, now_s: float, outcome: str, text: str = "") -> None:
        """Enter the end of the present attempt into the history.

        Args:
            now_s: When it ended.
            outcome: How.
            text: What is to be said of it.
        """
        self.history.append(
            {
                "attempt": self.attempt,
                "worker": self.worker,
                "started_s": self.started_s,
                "ended_s": now_s,
                "outcome": outcome,
                **({"message": text} if text else {}),
                **({"fidelity": self.fidelity} if self.fidelity is not None else {}),
            }
        )
