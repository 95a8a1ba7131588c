"""Networks of neurons that spike at most once, with exact gradients of when they do.

Times are in units of the synaptic time constant; a spike that never comes has an infinite time.
Letters: `B` batch, `M` neurons, `n` inputs.

Source: Göltz et al. (2021), arXiv:1912.11443; for delays Göltz et al. (2025), "DelGrad: exact
event-based gradients for training delays and weights on spiking neuromorphic hardware".
"""

from __future__ import annotations

import math
from typing import Any, cast, final

import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import once_differentiable

from spiketune.config.first_spike import (
    Euler,
    FirstSpike,
    InputNoise,
    InputTimes,
    SpikeLayer,
    check_shared_delays,
    is_noisy,
    layer_name,
)
from spiketune.seeding import child_seed
from spiketune.snn.spike_delays import SpikeDelays

# Noise takes no threshold below this share of the nominal one.
LOWEST_THRESHOLD = 0.01


class _FirstSpikes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        times: Tensor,
        weight: Tensor,
        delays: Tensor | None,
        rule: tuple[float, Tensor, float, Euler | None],
    ) -> Tensor:
        # Here and not above: a process that never trains such a network needs no compiler.
        from spiketune.snn.kernels import first_spike as kernel
        from spiketune.snn.kernels.first_spike import euler as stepped

        rho, level, largest_dw, euler = rule
        late = None if delays is None else delays.transpose(1, 2).contiguous().numpy()
        given = (times.contiguous().numpy(), weight.t().contiguous().numpy(), late, rho)
        if euler is None:
            spikes = kernel.forward(*given, level.numpy())
        else:
            spikes = stepped.forward(
                *given, level.numpy(), step=euler.step, duration=euler.duration
            )
        ctx.kept = (given, spikes, largest_dw)
        return torch.from_numpy(spikes.times)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        from spiketune.snn.kernels import first_spike as kernel

        (times, weights, late, rho), spikes, largest_dw = ctx.kept
        found = kernel.backward(grad.numpy(), times, weights, late, rho, spikes, largest_dw)
        delays_grad = None
        if found.delays is not None:
            delays_grad = torch.from_numpy(found.delays).transpose(1, 2)
        weight_grad = torch.from_numpy(found.weights).t()
        return torch.from_numpy(found.times), weight_grad, delays_grad, None


def first_spikes(
    times: Tensor,
    weight: Tensor,
    delays: Tensor | None = None,
    *,
    ratio: float = 2.0,
    threshold: float | Tensor = 1.0,
    largest_dw: float = math.inf,
    euler: Euler | None = None,
) -> Tensor:
    """When neurons spike first.

    Args:
        times: Of the inputs, float64 on the CPU, (B, n).
        weight: (n, M), float64.
        delays: From each input to each neuron, (1, n, M), or (B, n, M) where every sample has
            its own; None for none.
        ratio: Time constant of the membrane over that of the synapses.
        threshold: Above rest, of all neurons or (1, M) or (B, M); no gradient reaches it.
        largest_dw: A neuron passes no gradient for a sample that would change a weight by more.
        euler: Integrate by Euler's method instead.

    Returns:
        (B, M), infinite for silent neurons, which pass no gradient.
    """
    if not isinstance(threshold, Tensor):
        threshold = torch.full((1, weight.shape[1]), threshold, dtype=torch.float64)
    rule = (float(ratio), threshold.detach() / ratio, largest_dw, euler)
    spikes = _FirstSpikes.apply(times, weight, delays, rule)  # type: ignore[no-untyped-call]
    return cast(Tensor, spikes)


@final
class FirstSpikeLayer(nn.Module):
    """Weights, and delays of what reaches them, into neurons that spike at most once.

    Attributes:
        weight: (n, M), with `n` counting multiplexed inputs and biases.
        delay: Delays of what arrives, if there are any.
        thresholds: Of the neurons, without noise that changes, (1, M).
    """

    def __init__(
        self, config: SpikeLayer, network: FirstSpike, n: int, n_neurons: int, seed: int
    ) -> None:
        super().__init__()
        self.config, self.max_missing = config, config.max_missing
        self.network = network
        self._largest_dw = math.inf if network.largest_dw is None else network.largest_dw
        generator = Generator().manual_seed(seed)
        n = n * config.multiplex + len(config.biases)
        start = torch.randn(n, n_neurons, generator=generator, dtype=torch.float64)
        self.weight = nn.Parameter(config.weights_mean + config.weights_std * start)
        self.delay: SpikeDelays | None = None
        if config.delay is not None:
            self.delay = SpikeDelays(config.delay, n, n_neurons, generator)
        self.requires_grad_(config.trainable)
        noise = network.threshold_noise
        self.thresholds = torch.full((1, n_neurons), network.threshold, dtype=torch.float64)
        if noise.fixed_std or noise.fixed_mean:
            drawn = torch.randn(1, n_neurons, generator=generator, dtype=torch.float64)
            fixed = self.thresholds + noise.fixed_mean + noise.fixed_std * drawn
            del self.thresholds
            self.register_buffer("thresholds", self._valid(fixed))
        self.settle()

    @property
    def used_weight(self) -> Tensor:
        """The weights as they act: rounded, if the network is; gradients pass as if not."""
        step = self.network.weights.rounding
        if step is None:
            return self.weight
        return self.weight + (torch.round(self.weight / step) * step - self.weight).detach()

    def forward(self, times: Tensor, generator: Generator | None = None) -> Tensor:
        """Spike times.

        Args:
            times: Of the inputs, (B, n).
            generator: Draws jitter and threshold noise; None for none.

        Returns:
            (B, M).
        """
        config, B = self.config, len(times)
        if config.multiplex > 1:
            times = times.repeat_interleave(config.multiplex, dim=1)
        if config.biases:
            always = torch.tensor(config.biases, dtype=torch.float64)
            times = torch.cat([times, always.expand(B, -1)], dim=1)
        delays = None if self.delay is None else self.delay.drawn(B, generator)
        kind = None if config.delay is None else config.delay.kind
        if delays is not None and kind == "axonal":
            times = times + delays.squeeze(2)
        spikes = first_spikes(
            times,
            self.used_weight,
            delays if kind == "synaptic" else None,
            ratio=self.network.tau_ratio,
            threshold=self._noisy_thresholds(B, generator),
            largest_dw=self._largest_dw,
            euler=self.network.euler,
        )
        if delays is not None and kind == "dendritic":
            spikes = spikes + delays.squeeze(1)  # later inputs move the spike as much
        if generator is not None and config.jitter > 0.0:
            drawn = torch.randn(spikes.shape, generator=generator, dtype=torch.float64)
            spikes = spikes + config.jitter * drawn
        return spikes

    def arriving(self, counts: Tensor, n_samples: int) -> Tensor:
        """How often each input of the weights spikes, (n,), for spikes of what is before, (.,)."""
        always = counts.new_full((len(self.config.biases),), n_samples)
        return torch.cat([counts.repeat_interleave(self.config.multiplex), always])

    def settle(self) -> None:
        """Take delays and weights back to where they may be, after a step of the optimiser."""
        if self.delay is not None:
            self.delay.settle()
        if (clip := self.network.weights.clip) is not None:
            with torch.no_grad():
                self.weight.clamp_(-clip, clip)

    def _noisy_thresholds(self, n_samples: int, generator: Generator | None) -> Tensor:
        noise, thresholds = self.network.threshold_noise, self.thresholds
        if generator is None or not (noise.batch_std or noise.sample_std):
            return thresholds
        n_neurons = thresholds.shape[1]
        of_batch = torch.randn(1, n_neurons, generator=generator, dtype=torch.float64)
        of_samples = torch.randn(n_samples, n_neurons, generator=generator, dtype=torch.float64)
        drawn = thresholds + noise.batch_std * of_batch + noise.sample_std * of_samples
        return self._valid(drawn)

    def _valid(self, thresholds: Tensor) -> Tensor:
        return thresholds.clamp(min=LOWEST_THRESHOLD * self.network.threshold)


@final
class FirstSpikeNetwork(nn.Module):
    """Layers one after the other.

    Args:
        config: The `network` section.
        n_inputs: Number of inputs.
        n_classes: Number of output neurons.
        seed: Weights and delays of a layer come from a child seed of its position.

    Raises:
        ConfigError: If delays are shared by a number that does not divide how many there are.
    """

    def __init__(self, config: FirstSpike, n_inputs: int, n_classes: int, seed: int) -> None:
        super().__init__()
        check_shared_delays(config, n_inputs, n_classes)
        self.config, self.n_inputs, self.n_classes = config, n_inputs, n_classes
        self.names = tuple(layer_name(layer, i) for i, layer in enumerate(config.layers))
        self.stack = nn.ModuleList()
        n = n_inputs
        for index, layer in enumerate(config.layers):
            n_neurons = n_classes if layer.neurons == "classes" else layer.neurons
            own = child_seed(seed, "weights", index)
            self.stack.append(FirstSpikeLayer(layer, config, n, n_neurons, own))
            n = n_neurons

    @property
    def layers(self) -> tuple[FirstSpikeLayer, ...]:
        """The layers from input to output."""
        return tuple(cast("list[FirstSpikeLayer]", list(self.stack)))

    def forward(self, times: Tensor, generator: Generator | None = None) -> tuple[Tensor, ...]:
        """Spike times of every layer, (B, M) each.

        Args:
            times: Of the inputs, (B, n).
            generator: Draws jitter and threshold noise; None for none.
        """
        found = []
        for layer in self.layers:
            times = layer(times, generator)
            found.append(times)
        return tuple(found)

    def settle(self) -> None:
        """Take delays and weights back to where they may be, after a step of the optimiser."""
        for layer in self.layers:
            layer.settle()

    @property
    def is_noisy(self) -> bool:
        """Whether a generator changes what the network does."""
        return is_noisy(self.config)


def input_times(values: Tensor, config: InputTimes) -> Tensor:
    """When inputs spike, for values in [0, 1].

    Args:
        values: (B, n).
        config: Earliest and latest time, and which way round.

    Returns:
        (B, n), float64.
    """
    values = values.double()
    share = 1.0 - values if config.inverted else values
    times = config.early + (config.late - config.early) * share
    return times.masked_fill(values == 0.0, math.inf) if config.silent_zero else times


def noisy_input(times: Tensor, noise: InputNoise, generator: Generator) -> Tensor:
    """Input times with noise; none lies before 0, where it would is mirrored.

    Args:
        times: (B, n).
        noise: Its mean and standard deviation.
        generator: Draws it.

    Returns:
        (B, n).
    """
    drawn = torch.randn(times.shape, generator=generator, dtype=times.dtype)
    return (times + noise.mean + noise.std * drawn).abs()
