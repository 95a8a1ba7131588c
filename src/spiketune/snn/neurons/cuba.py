"""Current-based leaky integrate-and-fire: the input feeds a synaptic current first.

    i[t] = alpha * i[t-1] + x[t]        U[t] = beta * U[t-1] + i[t] - threshold * S[t-1]

A leaky integrator whose membrane is the current of a leaky integrate-and-fire neuron.
"""

from __future__ import annotations

from types import ModuleType

from torch import Tensor

from spiketune.snn.kernels.reference import Reset
from spiketune.snn.neurons.lif import lif
from spiketune.snn.neurons.readout import leaky_integrator
from spiketune.snn.spike_gradients import SpikeGradient


def cuba_lif(
    currents: Tensor,
    alpha: float | Tensor,
    beta: Tensor,
    threshold: float | Tensor,
    gradient: SpikeGradient,
    *,
    reset: Reset = "subtract",
    steps: int | None = None,
    kernels: ModuleType | None = None,
) -> tuple[Tensor, Tensor]:
    """Spikes and membrane of current-based neurons that start at rest.

    Args:
        currents: Input x, (T, B, N), or (G, T, B, N) for G networks at once; T may be 1 where
            it is the same at every step.
        alpha: Decay of the synaptic current per step, shaped and clamped as `beta`.
        beta: As for `lif`, as the rest.
        threshold: Membrane above which a neuron spikes.
        gradient: Stands in for the derivative of the spike.
        reset: What a spike does to the membrane one step later.
        steps: Number of time steps T; that of the currents if not given.
        kernels: Package that does the work; chosen by device and type if not given.

    Returns:
        Spikes and membrane, as `lif`.

    Raises:
        ValueError: If the currents are of another shape, or have neither 1 nor `steps` steps.

    Source: the second-order neuron of Eshraghian et al. (2023), "Training Spiking Neural
    Networks Using Lessons From Deep Learning", arXiv:2109.12894.
    """
    synaptic = leaky_integrator(currents, alpha, steps=steps, kernels=kernels)
    return lif(synaptic, beta, threshold, gradient, reset=reset, kernels=kernels)
