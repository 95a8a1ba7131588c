"""The trust region: how large, and how results move it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Step = Literal["better", "jump", "equal", "worse"]

FIRST_LENGTH: Final = 0.8
MOST_LENGTH: Final = 1.6
LEAST_LENGTH: Final = 0.5**7


@dataclass(frozen=True, slots=True)
class TrustRegion:
    """A box around the best configuration, in the unit cube.

    Results come one by one and in any order. A better one from inside the box counts as a
    success, one that is not better as a failure. A better one from outside the box was asked
    from an earlier, larger box: the region moves there and takes up the length that found it. A
    result that is not better and was asked from another box says nothing of this one.

    Attributes:
        success_tolerance: Successes in a row that double the length.
        failure_tolerance: Failures in a row that halve it.
        length: Side of the box, before it is clipped to the cube.
        successes: In a row.
        failures: In a row.
        index: How many regions were given up before this one.

    Source: Eriksson et al. (2019), "Scalable Global Optimization via Local Bayesian
    Optimization"; Firmin et al. (2024), arXiv:2403.00450, for the asynchronous rules.
    """

    success_tolerance: int
    failure_tolerance: int
    length: float = FIRST_LENGTH
    successes: int = 0
    failures: int = 0
    index: int = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether the box is so small that a fresh region is due."""
        return self.length < LEAST_LENGTH

    def after(self, step: Step, asked_length: float) -> TrustRegion:
        """The region after one result.

        Args:
            step: Whether the result is better than the best so far and came from inside the
                box, better and from outside (`jump`), as good and cheaper (`equal`), or worse.
            asked_length: Length of the box that it was asked from.
        """
        if step == "jump":
            return replace(
                self,
                length=asked_length,
                successes=self.successes + 1 if self.successes else 0,
                failures=0,
            )._resized()
        if step == "better":
            return replace(self, successes=self.successes + 1, failures=0)._resized()
        if step == "equal" or asked_length != self.length:
            return self
        return replace(self, successes=0, failures=self.failures + 1)._resized()

    def restarted(self) -> TrustRegion:
        """A fresh region."""
        return replace(self, length=FIRST_LENGTH, successes=0, failures=0, index=self.index + 1)

    def _resized(self) -> TrustRegion:
        if self.successes >= self.success_tolerance:
            return replace(self, length=min(MOST_LENGTH, 2 * self.length), successes=0)
        if self.failures >= self.failure_tolerance:
            return replace(self, length=self.length / 2, failures=0)
        return self
