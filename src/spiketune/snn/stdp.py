"""The unsupervised network of Diehl & Cook: one excitatory layer that learns by spike timing.

In a step, for excitatory neuron j and its inhibitory partner, with dt the step:

    theta_j <- theta_j exp(-dt / tau_theta)
    v_j     <- rest + (v_j - rest) exp(-dt / tau_mem) + sum of w_ij over the inputs i that spike
               - inhibition * number of partners of others that spiked in the step before
    v_j >= threshold + theta_j:  v_j <- reset, deaf for the refractory time, and a spike
    partner: the same without theta, driven by `excitation` when j spiked in the step before

    input i spikes:  w_ij <- max(0, w_ij - nu_pre * y_j)              y: trace of the neuron
    neuron j spikes: w_ij <- min(max_weight, w_ij + nu_post * x_i)    x: trace of the input
                     theta_j <- theta_j + theta_plus
    after a sample:  w_ij <- w_ij * norm / sum over i of w_ij

A trace is 1 at a spike and decays with tau_trace. Samples of a mini-batch go side by side, with
the same weights; in each step their changes are summed, depressions before potentiations.

Source: Diehl & Cook (2015), "Unsupervised learning of digit recognition using
spike-timing-dependent plasticity", Frontiers in Computational Neuroscience 9:99. Currents
instead of conductances, the choice of one neuron a step and the order of updates follow BindsNET
(Hazan et al. 2018, Frontiers in Neuroinformatics 12:89), with two differences: the one neuron
is that furthest above its threshold instead of one drawn, and only its threshold grows; the
others at threshold are reset, as there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from spiketune.config.stdp import Excitatory, Inhibitory, Stdp
from spiketune.seeding import child_seed
from spiketune.snn.kernels import stdp as kernel
from spiketune.snn.readouts import (
    Bigrams,
    Floats,
    Integers,
    activity_scores,
    class_rates,
    successive_pairs,
)

_INITIAL_WEIGHT: Final = 0.3  # Diehl & Cook's; the sum is scaled to `norm` anyway
_NORM_PER_INPUT: Final = 0.1  # 78.4 for the 784 pixels of MNIST


@dataclass(frozen=True, slots=True)
class Response:
    """What the network did with some samples.

    Attributes:
        spikes: Zeros and ones of the excitatory neurons, (T, B, N).
        inhibitory_counts: Spikes of each inhibitory neuron, (B, N).
    """

    spikes: NDArray[np.uint8]
    inhibitory_counts: Integers

    @property
    def counts(self) -> Integers:
        """Spikes of each excitatory neuron, (B, N)."""
        return np.asarray(self.spikes.sum(axis=0, dtype=np.int64))


class StdpNetwork(nn.Module):
    """Weights from the input, adaptive thresholds, and what the neurons answer to.

    Args:
        config: The `network` section.
        n_inputs: Input neurons I.
        n_classes: Number of classes K.
        dt_ms: Length of a time step.
        seed: Of the initial weights.

    Attributes:
        weights: From input to excitatory neuron, (I, N), float32.
        theta: Adaptive part of the thresholds in mV, (N,), float64: its slow decay would be lost
            in float32.
        rates: Spikes of each neuron per sample of each class, (N, K); zeros before labelling.
        pair_keys: Pairs of successive spikes seen, for the readout `2gram`, (m,).
        pair_counts: With which class, (m, K).
    """

    names: Final = ("excitatory", "inhibitory")

    def __init__(
        self, config: Stdp, n_inputs: int, n_classes: int, dt_ms: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__()
        self._config, self._dt_ms = config, dt_ms
        self._norm = _NORM_PER_INPUT * n_inputs if config.norm is None else config.norm
        draws = torch.empty(n_inputs, config.neurons).uniform_(
            generator=Generator().manual_seed(child_seed(seed, "weights", 0))
        )
        self.weights = nn.Parameter(_INITIAL_WEIGHT * draws, requires_grad=False)
        theta = torch.zeros(config.neurons, dtype=torch.float64)
        self.theta = nn.Parameter(theta, requires_grad=False)
        self.rates: Tensor
        self.pair_keys: Tensor
        self.pair_counts: Tensor
        rates = torch.zeros(config.neurons, n_classes, dtype=torch.float64)
        self.register_buffer("rates", rates)
        self.register_buffer("pair_keys", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("pair_counts", torch.zeros(0, n_classes, dtype=torch.float64))
        kernel.normalise(self.weights.numpy(), self._norm)

    @classmethod
    def restored(
        cls, config: Stdp, tensors: Mapping[str, Tensor], dt_ms: float = 1.0
    ) -> StdpNetwork:
        """The network whose `state_dict` this was.

        Raises:
            KeyError: If a tensor is missing.
            ValueError: If one is of another network.
        """
        n_inputs, n_classes = tensors["weights"].shape[0], tensors["rates"].shape[1]
        network = cls(config, n_inputs, n_classes, dt_ms)
        network.restore(tensors)
        return network

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the values of a `state_dict`.

        Raises:
            KeyError: If a tensor is missing.
            ValueError: If one is of another network.
        """
        for name in ("weights", "theta", "rates"):
            if tensors[name].shape != getattr(self, name).shape:
                raise ValueError(f"'{name}' is of another network: {tuple(tensors[name].shape)}")
        self.pair_keys = torch.empty_like(tensors["pair_keys"])
        self.pair_counts = torch.empty_like(tensors["pair_counts"])
        self.load_state_dict(dict(tensors))

    def learn(self, inputs: Tensor, which: slice = slice(None)) -> Response:
        """Present samples side by side, and change weights and thresholds.

        Args:
            inputs: Not zero where an input spikes, (T, n, I).
            which: Of the n samples, those to present.
        """
        response = self._present(inputs, which, learn=True)
        kernel.normalise(self.weights.numpy(), self._norm)
        return response

    def forward(self, inputs: Tensor) -> Response:
        """Present samples, and change nothing.

        Args:
            inputs: Not zero where an input spikes, (T, B, I).
        """
        return self._present(inputs, slice(None), learn=False)

    def label(self, counts: Integers, pairs: Integers, of: Integers, labels: Integers) -> None:
        """Note what each neuron, and each pair of successive spikes, answers to.

        Args:
            counts: Spikes of each neuron, (n, N).
            pairs: Keys of the pairs of successive spikes, (m,).
            of: Sample of each pair, (m,).
            labels: Class of each sample, (n,).
        """
        n_classes = self.rates.shape[1]
        self.rates = torch.from_numpy(class_rates(counts, labels, n_classes))
        if self._config.readout == "2gram":
            found = Bigrams.counted(pairs, labels[of], n_classes)
            self.pair_keys = torch.from_numpy(found.keys)
            self.pair_counts = torch.from_numpy(found.counts)

    def pairs(self, response: Response) -> tuple[Integers, Integers]:
        """Sample and key of each pair of successive spikes; none if the readout needs none."""
        if self._config.readout == "2gram":
            return successive_pairs(response.spikes)
        return np.zeros(0, np.int64), np.zeros(0, np.int64)

    def scores(self, counts: Integers, pairs: Integers, of: Integers) -> Floats:
        """Scores of the classes, by the readout; the arguments are those of `label`.

        Returns:
            (n, K), not below zero.
        """
        if self._config.readout == "2gram":
            known = Bigrams(self.pair_keys.numpy(), self.pair_counts.numpy())
            return known.scores(of, pairs, len(counts))
        weighted = self._config.readout == "vote"
        return activity_scores(counts, self.rates.numpy(), weighted=weighted)

    def _present(self, inputs: Tensor, which: slice, *, learn: bool) -> Response:
        config, dt = self._config, self._dt_ms
        T, n, _ = inputs.shape
        first, end, _ = which.indices(n)
        B = end - first
        spikes = np.zeros((T, B, config.neurons), dtype=np.uint8)
        inhibitory_counts = np.zeros((B, config.neurons), dtype=np.int64)
        plasticity, excitatory = config.plasticity, config.excitatory
        kernel.present(
            inputs.contiguous().numpy(),
            first,
            self.weights.numpy(),
            self.theta.numpy(),
            _constants(excitatory, dt),
            _constants(config.inhibitory, dt),
            (config.excitation_mv, config.inhibition_mv),
            (excitatory.theta_plus_mv, math.exp(-dt / excitatory.tau_theta_ms)),
            (plasticity.nu_pre, plasticity.nu_post, plasticity.max_weight),
            trace(T, dt, plasticity.tau_trace_ms),
            config.one_spike,
            learn,
            spikes,
            inhibitory_counts,
        )
        return Response(spikes, inhibitory_counts)


def trace(steps: int, dt_ms: float, tau_ms: float) -> Floats:
    """A trace 0, 1, 2, ... steps after the spike that set it to 1, (steps,)."""
    return np.asarray(np.exp(-np.arange(steps) * dt_ms / tau_ms))


def _constants(neuron: Excitatory | Inhibitory, dt_ms: float) -> tuple[Any, ...]:
    decay = math.exp(-dt_ms / neuron.tau_mem_ms)
    refractory = neuron.refractory_ms / dt_ms
    return neuron.rest_mv, neuron.reset_mv, neuron.threshold_mv, decay, refractory
