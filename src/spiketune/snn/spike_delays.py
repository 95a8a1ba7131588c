"""Learned delays of spikes: kinds, what keeps them positive, sharing and jitter."""

from __future__ import annotations

from typing import final

import torch
from torch import Generator, Tensor, nn

from spiketune.config.first_spike import SpikeDelay


@final
class SpikeDelays(nn.Module):
    """Positive delays from `n` inputs to `n_neurons` neurons.

    Both are multiples of what shares a delay, as `check_shared_delays` sees to.
    """

    def __init__(self, config: SpikeDelay, n: int, n_neurons: int, generator: Generator) -> None:
        super().__init__()
        self.config = config
        rows = 1 if config.kind == "dendritic" else n // config.share_inputs
        columns = 1 if config.kind == "axonal" else n_neurons // config.share_neurons
        start = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
        self.parameter = nn.Parameter(config.mean + config.std * start)
        self.settle()

    @property
    def delays(self) -> Tensor:
        """Effective delays, axonal (n, 1), dendritic (1, M) or synaptic (n, M)."""
        config = self.config
        values: Tensor = self.parameter
        if config.positivity == "sigmoid":
            values = config.shift + config.scale * torch.sigmoid(values)
        if config.kind != "dendritic" and config.share_inputs > 1:
            values = values.repeat_interleave(config.share_inputs, dim=0)
        if config.kind != "axonal" and config.share_neurons > 1:
            values = values.repeat_interleave(config.share_neurons, dim=1)
        return values

    def drawn(self, n_samples: int, generator: Generator | None) -> Tensor:
        """Delays of single samples where they jitter, (B, ., .); else of all, (1, ., .).

        Args:
            n_samples: B.
            generator: Draws the jitter; None for none.
        """
        delays = self.delays.unsqueeze(0)
        if generator is None or self.config.jitter == 0.0:
            return delays
        shape = (n_samples, *delays.shape[1:])
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
        return (delays + self.config.jitter * drawn).clamp(min=0.0)

    def settle(self) -> None:
        """Make negative delays positive again, after a step of the optimiser."""
        with torch.no_grad():
            if self.config.positivity == "clip":
                self.parameter.clamp_(min=0.0)
            elif self.config.positivity == "shift":
                self.parameter.sub_(self.parameter.min().clamp(max=0.0))
