"""How often the silence probe rejected a network, and how often it was wrong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy.special import betaincinv

from spiketune.messages import AUDITED
from spiketune.study.records.results import TrialRow

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class ProbeTally:
    """What became of the trials that a silence probe looked at.

    Attributes:
        n_probed: Trials that ended by themselves, all of which were probed.
        n_rejected: Told as silent without a training.
        n_audited: Would have been rejected, and were trained all the same to their end.
        n_false: Those of them that were not silent after all.
    """

    n_probed: int
    n_rejected: int
    n_audited: int
    n_false: int

    def in_words(self) -> str:
        """A sentence; empty if nothing was probed."""
        if not self.n_probed:
            return ""
        words = f"Silence probe: {self.n_rejected} of {self.n_probed} trials rejected untrained"
        if not self.n_audited:
            return f"{words}; none was trained all the same yet, so how often it errs is unknown."
        low, high = binomial_interval(self.n_false, self.n_audited)
        return (
            f"{words}; of {self.n_audited} trained all the same {self.n_false} spoke: false "
            f"rejections {self.n_false / self.n_audited:.1%} ({low:.1%} to {high:.1%} at 95 %)."
        )


def tally_of(rows: Sequence[TrialRow]) -> ProbeTally:
    """Count the trials of a study by what its probe said."""
    ended = [row for row in rows if row.objectives]
    if not any("probe" in row.details for row in ended):
        return ProbeTally(0, 0, 0, 0)
    audited = [row for row in ended if _was_audited(row)]
    return ProbeTally(
        n_probed=len(ended),
        n_rejected=sum(row.details.get("probe") == "rejected" for row in ended),
        n_audited=len(audited),
        n_false=sum(row.state != "silent" for row in audited),
    )


def _was_audited(row: TrialRow) -> bool:
    """A trial stopped at a rung, or repeated, has its reports to say so."""
    reported = AUDITED in row.reports or AUDITED in row.metrics
    return reported or row.details.get("probe") == "audited"


def binomial_interval(n_hits: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of Clopper and Pearson for a probability, which is never too narrow.

    Args:
        n_hits: Hits among `n` independent draws.
        n: Draws, at least one.
        confidence: Share of such intervals that hold the true probability, at least.

    Source: Clopper & Pearson (1934), "The use of confidence or fiducial limits illustrated in
    the case of the binomial", Biometrika 26.
    """
    tail = (1.0 - confidence) / 2
    low = float(betaincinv(n_hits, n - n_hits + 1, tail)) if n_hits else 0.0
    high = float(betaincinv(n_hits + 1, n - n_hits, 1.0 - tail)) if n_hits < n else 1.0
    return low, high
