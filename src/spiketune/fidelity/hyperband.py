"""Successive halving in several brackets, which differ in how early they judge."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, final

import numpy as np
import numpy.typing as npt

from spiketune.fidelity.arrivals import Array, arrived
from spiketune.fidelity.base import Curve, FidelityRule
from spiketune.fidelity.halving import SuccessiveHalving
from spiketune.option_checks import check_count

_GOLDEN: Final = (math.sqrt(5.0) - 1.0) / 2.0


@final
class Hyperband(FidelityRule):
    """Brackets of successive halving whose first rungs lie at `min * reduction^s`.

    Where early reports mislead, the later brackets find what the first one stops. A trial's
    bracket follows from its number alone; bracket s gets a share in proportion to
    `reduction^-s * brackets / (brackets - s)`, the numbers of configurations of the original
    algorithm. Trials are compared within their bracket.

    Args:
        min: Fidelity of the first rung of the first bracket.
        reduction: One of so many goes on at each rung.
        brackets: How many there are.
        grace: See `SuccessiveHalving`.

    Source: Li et al. (2018), "Hyperband: A Novel Bandit-Based Approach to Hyperparameter
    Optimization".
    """

    def __init__(
        self,
        *,
        min: float = 1.0,
        reduction: float = 3.0,
        brackets: int = 3,
        grace: int | None = None,
    ) -> None:
        check_count("brackets", brackets)
        SuccessiveHalving(min=min, reduction=reduction, grace=grace)  # checks what is multiplied
        self._brackets = [
            SuccessiveHalving(min=min * reduction**s, reduction=reduction, grace=grace)
            for s in range(brackets)
        ]
        shares = [reduction**-s * brackets / (brackets - s) for s in range(brackets)]
        self._until = np.array([sum(shares[: s + 1]) / sum(shares) for s in range(brackets)])

    def brackets(self, numbers: Array) -> npt.NDArray[np.int64]:
        """The brackets of trials, (n,): spread evenly over any stretch of numbers."""
        found = np.searchsorted(self._until, (numbers * _GOLDEN) % 1.0, side="right")
        return found % len(self._until)

    def bracket(self, number: int) -> int:
        """The bracket of a trial."""
        return int(self.brackets(np.array([float(number)]))[0])

    def decide(self, curve: Curve, others: Iterable[Curve]) -> str | None:
        """See `FidelityRule.decide`."""
        own = self.bracket(curve.number)
        halving = self._brackets[own]
        rung = halving.rung(curve)
        if rung is None:
            return None
        there = arrived(rung, curve, others)
        peers = there.where(self.brackets(there.numbers) == own)
        reason = halving.verdict(curve, rung, peers)
        return reason and f"bracket {own}, {reason}"
