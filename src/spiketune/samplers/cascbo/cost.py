"""How much the cost of a configuration counts, over the budget."""

from __future__ import annotations

from typing import Final

import numpy as np

_SCALE: Final = 1.9
_SHARPNESS: Final = 1000.0
_POWER: Final = 12
_LEAST_EXPONENT: Final = 0.5  # tuned on two worlds of real logs: between 0 and 1, 0.3 and 0.5 tried


def temperature(spent: float) -> float:
    """The cooling schedule: 0 at the start, above 1 past the middle of the budget, 0 at its end.

    T(s) = 1.9 s exp(-sqrt(1000) s^12) / (s + exp(-1000 s^12))

    Args:
        spent: Share of the budget that is spent, in [0, 1].

    Source: Firmin et al. (2024), arXiv:2403.00450.
    """
    power = float(np.clip(spent, 0.0, 1.0)) ** _POWER
    late = np.exp(-np.sqrt(_SHARPNESS) * power)
    return float(_SCALE * spent * late / (spent + np.exp(-_SHARPNESS * power)))


def cost_exponent(spent: float) -> float:
    """The power of the predicted cost that divides a score.

    1 at the start and at the end (what is dear would not finish), less in between, when expense
    is worth it; but not 0 as published: then the dearest trainings crowd out all others.

    Args:
        spent: Share of the budget that is spent, in [0, 1].
    """
    return max(_LEAST_EXPONENT, 1.0 - temperature(spent))


def upper_bound(spent: float, until: float, start: float) -> float:
    """Upper bound of a fidelity parameter's coordinate, which grows with the budget.

    Args:
        spent: Share of the budget that is spent.
        until: Share at which the whole range is open.
        start: The bound at the start.

    Source: Firmin et al. (2024), arXiv:2403.00450 (from 0.05, linear).
    """
    if spent >= until:
        return 1.0
    return start + (1.0 - start) * spent / until
