"""Learned delays of spikes: kinds, what keeps them positive, sharing and jitter."""

from __future__ import annotations

from typing import final

import torch
from torch import Generator, Tensor, nn

from spiketune.config.first_spike import SpikeDelay
from spiketune.errors import ConfigError


@final
class SpikeDelays(nn.Module):
    """Positive delays from `n` inputs to `n_neurons` neurons.

    Raises:
        ConfigError: If delays are shared by a number that does not divide how many there are.
    """

    def __init__(self, config: SpikeDelay, n: int, n_neurons: int, generator: Generator) -> None:
        super().__init__()
        self.config = config
        rows = 1 if config.kind == "dendritic" else _groups(n, config.share_inputs, "inputs")
        columns = 1
        if config.kind != "axonal":
            columns = _groups(n_neurons, config.share_neurons, "neurons")
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


def _groups(n: int, shared_by: int, what: str) -> int:
    if n % shared_by:
        raise ConfigError(
            f"trial.network.layers.delay.share_{what}",
            f"{shared_by} does not divide the {n} {what} of the layer; take a number that does",
        )
    return n // shared_by
