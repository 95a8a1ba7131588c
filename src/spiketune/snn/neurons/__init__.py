"""Neurons over all time steps in one call, each with a hand-written backward.

They start at rest. Compiled loops run on a CPU, Triton kernels on a GPU where it is installed,
plain PyTorch elsewhere; all give the same. Letters: `G` pack, `T` time steps, `B` batch, `N`
neurons.
"""

from spiketune.snn.neurons.alif import AlifParameters, alif
from spiketune.snn.neurons.cuba import cuba_lif
from spiketune.snn.neurons.lif import lif, lif_step
from spiketune.snn.neurons.readout import leaky_integrator
from spiketune.snn.neurons.recurrent import recurrent_lif

__all__ = [
    "AlifParameters",
    "alif",
    "cuba_lif",
    "leaky_integrator",
    "lif",
    "lif_step",
    "recurrent_lif",
]
