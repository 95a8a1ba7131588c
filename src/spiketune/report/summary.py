"""Everything that tables, plots and the page need to know of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from spiketune.report.wording import short_names
from spiketune.space import Space
from spiketune.study.over_seeds.confirmation import Confirmation, in_words
from spiketune.study.probing import tally_of
from spiketune.study.records.results import TrialRow, front, knee, ranked

STATES: Final = (
    "finished",
    "stopped",
    "silent",
    "failed",
    "rejected",
    "running",
    "paused",
    "waiting",
)


@dataclass(frozen=True)  # without slots: the derived values below are kept
class StudySummary:
    """A study as it stands, read from its journal.

    Attributes:
        name: Of the study.
        directions: `minimize` or `maximize` by objective.
        space: What is searched.
        rows: Its trials.
        sessions: When it ran: mappings with `started_s`, `n_workers`, and `ended_s` unless killed.
        test_openings: One mapping for each time the test split was opened.
        provenance: Versions, seed, git state, time.
        sampler: Name of the sampler.
        budget: The budget in words.
        constraints: The constraints in words.
        retrained: Winners over seeds: mappings with `label`, `seeds`, and `metrics` (a list of
            values, one per seed, by metric).
        confirmation: The best trained again on the validation data, if they were.
        path: The study's folder.
    """

    name: str
    directions: Mapping[str, str]
    space: Space
    rows: Sequence[TrialRow]
    sessions: Sequence[Mapping[str, Any]]
    test_openings: Sequence[Mapping[str, Any]]
    provenance: Mapping[str, Any]
    sampler: str
    budget: str
    constraints: Sequence[str]
    retrained: Sequence[Mapping[str, Any]] = ()
    confirmation: Confirmation | None = None
    path: str = "STUDY"

    @property
    def objectives(self) -> list[str]:
        """Names of the objectives."""
        return list(self.directions)

    @cached_property
    def parameters(self) -> list[str]:
        """Names of the parameters: of the space, then any others that a trial holds."""
        others = (name for row in self.rows for name in row.params)
        return list(dict.fromkeys([*self.space, *others]))

    @cached_property
    def short_names(self) -> dict[str, str]:
        """Short name by parameter; no two alike, and none that of an objective."""
        names = short_names([*self.objectives, *self.parameters])
        return {name: names[name] for name in self.parameters}

    @cached_property
    def constraint_names(self) -> list[str]:
        """Names of the constraints that a trial has a value for."""
        return list(dict.fromkeys(name for row in self.rows for name in row.constraints))

    @cached_property
    def metric_names(self) -> list[str]:
        """Names of everything measured that is no objective."""
        names = dict.fromkeys(name for row in self.rows for name in row.metrics)
        return [name for name in names if name not in self.directions]

    @cached_property
    def n_by_state(self) -> dict[str, int]:
        """How many trials stand how; states without a trial are left out."""
        states = [row.state for row in self.rows]
        return {state: states.count(state) for state in STATES if state in states}

    @cached_property
    def front(self) -> list[TrialRow]:
        """The trials that no other beats in every objective; one objective: the best trials."""
        return front(self.rows, self.directions)

    @cached_property
    def ranked(self) -> list[TrialRow]:
        """Feasible trials at full fidelity, best in the first objective first."""
        return ranked(self.rows, self.directions)

    @cached_property
    def knee(self) -> TrialRow | None:
        """The trial to look at first: the front's knee, or the best for one objective."""
        return knee(self.front, self.directions)

    @property
    def confirmed(self) -> str:
        """Whether the answer was confirmed, in words; empty without an answer."""
        return in_words(self.confirmation, self.rows, self.knee, self.path)

    @property
    def probed(self) -> str:
        """What the silence probe did, in words; empty where there was none."""
        return tally_of(self.rows).in_words()

    @cached_property
    def cost_s(self) -> float:
        """Seconds of work spent on all trials."""
        return sum(map(spent_s, self.rows))

    @property
    def lost_share(self) -> float | None:
        """Share of the work that went into silent and failed trials."""
        lost_s = sum(spent_s(row) for row in self.rows if row.state in ("silent", "failed"))
        return lost_s / self.cost_s if self.cost_s > 0 else None

    @cached_property
    def attempts(self) -> list[tuple[TrialRow, Mapping[str, Any]]]:
        """Every attempt that has ended, with its trial."""
        return [
            (r, a) for r in self.rows for a in r.attempts if "started_s" in a and "ended_s" in a
        ]

    @property
    def wall_s(self) -> float:
        """Seconds for which the study was up, over all sessions."""
        return sum(end_s - start_s for start_s, end_s, _ in self._spans())

    @property
    def utilisation(self) -> float | None:
        """Share of the workers' time that attempts filled."""
        busy_s = sum(a["ended_s"] - a["started_s"] for _, a in self.attempts)
        there_s = sum((end_s - start_s) * n for start_s, end_s, n in self._spans())
        return min(1.0, busy_s / there_s) if there_s > 0 else None

    def _spans(self) -> list[tuple[float, float, int]]:
        """Start, end and workers of each session; a killed one ends with its last attempt."""
        attempts = [attempt for _, attempt in self.attempts]
        workers = len({str(attempt.get("worker", "")) for attempt in attempts}) or 1
        spans = []
        starts = [float(session["started_s"]) for session in self.sessions]
        for session, start_s, next_s in zip(
            self.sessions, starts, [*starts[1:], float("inf")], strict=False
        ):
            seen = [float(a["ended_s"]) for a in attempts if start_s <= a["started_s"] < next_s]
            end_s = float(session.get("ended_s") or max(seen, default=start_s))
            spans.append((start_s, max(start_s, end_s), int(session.get("n_workers") or workers)))
        if not spans and attempts:
            first_s = min(float(a["started_s"]) for a in attempts)
            spans.append((first_s, max(float(a["ended_s"]) for a in attempts), workers))
        return spans


def spent_s(row: TrialRow) -> float:
    """Seconds of work on a trial: those of its attempts, or what it says it cost."""
    lengths = [a["ended_s"] - a["started_s"] for a in row.attempts if "ended_s" in a]
    return float(sum(lengths)) if lengths else row.cost_s


def standing(row: TrialRow) -> str:
    """State of a trial, telling those that finished but break a constraint apart."""
    return "infeasible" if row.state == "finished" and not row.feasible else row.state
