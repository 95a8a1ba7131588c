"""How values become input over time."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Generator, Tensor

Encoding = Literal["constant", "rate", "latency", "poisson"]

# What the value 1 stood for in Firmin et al. (2024).
MAX_RATE_HZ: Final = 510.0


def encode(
    values: Tensor,
    encoding: Encoding,
    steps: int,
    generator: Generator | None = None,
    max_rate: float = MAX_RATE_HZ / 1000,
) -> Tensor:
    """Input of `steps` time steps for a batch of values.

    Args:
        values: Values in [0, 1], (B, N).
        encoding: `constant` feeds the value as a current at every step; `rate` draws a spike
            per step with the value as probability; `latency` gives one spike, the earlier the
            larger the value, at step round((1 - value) * (T - 1)), and none for 0; `poisson`
            gives spike trains, see `poisson_trains`.
        steps: Number of time steps T.
        generator: Draws the spikes of `rate` and `poisson`; on the device of the values.
        max_rate: Of `poisson`: spikes per step that the value 1 stands for; the default takes
            steps of 1 ms.

    Returns:
        (T, B, N); for `constant` (1, B, N), which a network expands after its first product.

    Raises:
        ValueError: If `steps` is less than 1.
    """
    if steps < 1:
        raise ValueError(f"steps must be >= 1, got {steps}")
    if encoding == "constant":
        return values.unsqueeze(0)
    if encoding == "rate":
        draws = values.new_empty((steps, *values.shape)).uniform_(generator=generator)
        return torch.lt(draws, values, out=draws)  # four times as fast as torch.bernoulli
    if encoding == "poisson":
        return poisson_trains(values * max_rate, steps, generator)
    spikes = values.new_zeros((steps, *values.shape))
    when = ((1.0 - values) * (steps - 1)).round().long().unsqueeze(0)
    return spikes.scatter_(0, when, (values > 0).to(values.dtype).unsqueeze(0))


def poisson_trains(rates: Tensor, steps: int, generator: Generator | None = None) -> Tensor:
    """Spike trains whose intervals are drawn from a Poisson distribution.

    An interval is a Poisson number of steps with mean 1 / rate, and 1 where that number is 0.
    The first spike falls at the end of the first interval. A train is more regular than a
    Poisson process of its rate, and slower where the rate comes near one spike a step: the mean
    interval is 1 / rate + exp(-1 / rate).

    Args:
        rates: Spikes per step, (B, N); none come for 0.
        steps: Number of time steps T.
        generator: Draws the intervals; on the device of the rates.

    Returns:
        Zeros and ones, (T, B, N).

    Source: Firmin et al. (2024), arXiv:2403.00450, whose spikes `poisson` of BindsNET drew.
    """
    spikes = rates.new_zeros((steps, rates.numel()))
    where = torch.nonzero(rates.flatten() > 0).flatten()
    mean = rates.flatten().index_select(0, where).reciprocal_()
    after = torch.zeros_like(where)  # steps until the last spike, that one included
    # One spike of every train at a time, so that no more is drawn than there are spikes.
    while len(where):
        after = after + torch.poisson(mean, generator).clamp_(1, steps + 1).long()
        inside = torch.nonzero(after <= steps).flatten()
        where, mean, after = (one.index_select(0, inside) for one in (where, mean, after))
        spikes[after - 1, where] = 1.0
    return spikes.view(steps, *rates.shape)
