"""How values become input over time."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Generator, Tensor

Encoding = Literal["constant", "rate", "latency"]


def encode(
    values: Tensor, encoding: Encoding, steps: int, generator: Generator | None = None
) -> Tensor:
    """Input of `steps` time steps for a batch of values.

    Args:
        values: Values in [0, 1], (B, N).
        encoding: `constant` feeds the value as a current at every step; `rate` draws a spike
            per step with the value as probability; `latency` gives one spike, the earlier the
            larger the value, at step round((1 - value) * (T - 1)), and none for 0.
        steps: Number of time steps T.
        generator: Draws the spikes of `rate`; on the device of the values.

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
    spikes = values.new_zeros((steps, *values.shape))
    when = ((1.0 - values) * (steps - 1)).round().long().unsqueeze(0)
    return spikes.scatter_(0, when, (values > 0).to(values.dtype).unsqueeze(0))
