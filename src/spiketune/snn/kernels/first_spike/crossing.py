"""When the membrane over a fixed set of inputs would reach the threshold.

With `a` the sum of w exp(t / rho), `e` that of w exp(t) and `s` that of w t exp(t) over the inputs
so far, the membrane at t is (a exp(-t / rho) - e exp(-t)) / (rho - 1), and (e t - s) exp(-t) for
rho = 1. Each function here tells when that rises through the threshold `c`, between the last of
these inputs, `here`, and the next, `following`, or NaN.

A time that lies outside by rounding alone counts: else an inhibiting input that comes in the very
moment of the spike could undo it.

Source: Göltz et al. (2021), arXiv:1912.11443, equations 6-12.
"""

from __future__ import annotations

import math
from typing import Final

from spiketune.snn.kernels.cpu import compiled
from spiketune.snn.kernels.lambert_w import lambert_w

# Where a comparison of exponentials is too close to tell, the times themselves are compared.
_SLACK: Final = 1e-9
# Of a time, by rounding.
ROUNDING: Final = 1e-13
_STEPS: Final = 200


@compiled(None)
def within(at: float, here: float, following: float) -> bool:
    """Whether a time lies between two others, up to rounding; false for NaN."""
    return here - ROUNDING * (1.0 + here) <= at <= following + ROUNDING * (1.0 + following)


@compiled(None)
def rises_double(
    a: float, e: float, c: float, here: float, following: float, grown: float, next_grown: float
) -> float:
    """For rho = 2: the lower root of a quadratic in exp(t / 2).

    `grown` and `next_grown` are that of `here` and `following`.
    """
    # It rises only to its peak, where exp(t / 2) = a / 2c.
    if not (e > 0.0 and a * (1.0 + _SLACK) > 2.0 * c * grown):
        return math.nan
    root = a * a - 4.0 * e * c
    if not root >= 0.0:
        return math.nan
    x = 2.0 * e / (a + math.sqrt(root))
    if x < grown * (1.0 - _SLACK):
        return math.nan
    if following < math.inf and x > next_grown * (1.0 + _SLACK):
        return math.nan
    at = 2.0 * math.log(x)
    return at if within(at, here, following) else math.nan


@compiled(None)
def rises_equal(
    e: float, s: float, c: float, here: float, following: float, next_grown: float
) -> float:
    """For rho = 1: Lambert's W; `next_grown` is exp(following)."""
    # It rises only to its peak at 1 + s / e; W is dear, so see whether it gets there, or to the
    # next arrival, above the threshold.
    peak = 1.0 + s / e if e > 0.0 else -math.inf
    if not peak > here - _SLACK:
        return math.nan
    top = e * math.exp(-peak)
    if following < peak:
        top = (e * following - s) / next_grown
    if not top >= c * (1.0 - _SLACK):
        return math.nan
    at = s / e - lambert_w(-(c / e) * math.exp(s / e))
    return at if within(at, here, following) else math.nan


@compiled(None)
def rises(a: float, e: float, c: float, rho: float, here: float, following: float) -> float:
    """For any other rho.

    The membrane has one extremum at most, so the crossing can be bracketed; then Newton's steps
    that leave the bracket are replaced by halving it.
    """
    scale = 1.0 / (rho - 1.0)
    if scale * (e * math.exp(-here) - a / rho * math.exp(-here / rho)) <= 0.0:
        return math.nan  # it falls, and if it ever rises again then only towards rest
    if a * e <= 0.0:
        return math.nan  # it rises towards rest
    end = following + ROUNDING * (1.0 + following)
    low, high = here, min(rho * scale * math.log(rho * e / a), end)
    if not scale * (a * math.exp(-high / rho) - e * math.exp(-high)) >= c:
        return math.nan
    t = 0.5 * (low + high)
    for _ in range(_STEPS):
        slow, fast = a * math.exp(-t / rho), e * math.exp(-t)
        above = scale * (slow - fast) - c
        if above > 0.0:
            high = t
        else:
            low = t
        slope = scale * (fast - slow / rho)
        step = above / slope if slope > 0.0 else math.inf
        after = t - step
        if not low <= after <= high:
            after = 0.5 * (low + high)
        if abs(after - t) <= 2e-16 * (1.0 + abs(t)):
            return after
        t = after
    return t
