"""Random layers of first spike times, and the membrane that they are checked against."""

import math

import numpy as np
from numpy.typing import NDArray

from spiketune.snn.kernels.first_spike import DOUBLE, EQUAL, UNTIL, Spikes

Floats = NDArray[np.float64]
C = 0.5
RATIOS = [EQUAL, DOUBLE, 0.5, 3.3]
# How many samples have delays of their own: none, all the same, each.
DELAYS = [0, 1, 6]
# A tiny number that turns off the path for few inputs, so that both are tested.
NO_OFFSET = 1e-300
# Above so many inputs there is no path for few.
MANY = 70


def draw(seed: int, n_delays: int, n: int = 8) -> tuple[Floats, Floats, Floats | None]:
    """Input times, some of them equal and some missing, weights of both signs, and delays."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(0.0, 3.0, (6, n))
    if n > 4:
        times[0, 2] = math.inf
        times[1, 3] = times[1, 4]
    times[2] = math.inf
    delays = rng.uniform(0.0, 1.0, (n_delays, 5, n)) if n_delays else None
    return times, rng.normal(0.4, 0.7, (5, n)) * (8 / n) ** 0.5, delays


def draw_ties(seed: int, n_delays: int, n: int = 8) -> tuple[Floats, Floats, Floats | None]:
    """The same with every arrival tied: inputs come in pairs, with delays or without.

    Times and delays are multiples of 1/64, so that their sums are exact.
    """
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, 3 * 64, (6, n // 2)) / 64.0
    times = pairs.repeat(2, axis=1)
    delays = None
    if n_delays:
        apart = rng.integers(1, 32, n // 2) / 64.0
        times[:, 1::2] += apart
        delays = rng.integers(32, 64, (n_delays, 5, n)) / 64.0
        delays[:, :, 1::2] = delays[:, :, ::2] - apart
    return times, rng.normal(0.4, 0.7, (5, n)) * (8 / n) ** 0.5, delays


def kernel_at(since: Floats, rho: float) -> Floats:
    """The membrane so long after an input of weight 1."""
    if rho == EQUAL:
        return since * np.exp(-since)
    return (np.exp(-since / rho) - np.exp(-since)) / (rho - 1.0)


def slope_at(since: Floats, rho: float) -> Floats:
    """How fast that rises."""
    if rho == EQUAL:
        return (1.0 - since) * np.exp(-since)
    return (np.exp(-since) - np.exp(-since / rho) / rho) / (rho - 1.0)


def arrivals(times: Floats, delays: Floats | None) -> Floats:
    """When every input reaches every neuron, (B, M, n), or (B, 1, n) without delays."""
    return times[:, None] if delays is None else times[:, None] + delays


def causal(times: Floats, delays: Floats | None, spikes: Spikes) -> NDArray[np.bool_]:
    """Which inputs a spike depends on, (B, M, n)."""
    first = np.where(np.isfinite(times), times, np.inf).min(axis=1)[:, None, None]
    low = 0.0 if delays is None else delays.min(axis=2, keepdims=True)
    until = spikes.kept[:, :, UNTIL, None]
    with np.errstate(invalid="ignore"):  # where nothing ever comes
        return np.asarray(arrivals(times, delays) - first - low <= until + 1e-9)
