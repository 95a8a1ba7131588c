"""Neurons over all time steps on a CPU, compiled by Numba.

The same results as `reference`, without the memory traffic: a block of neurons that fits the
first-level cache is taken through all time steps. Serial, so that forked children may run it.
Importing this package brings in every compiled loop of the neurons: from the disk but for the
first time ever, and children of a process that has imported it find them ready.
"""

from spiketune.compilation import compiled
from spiketune.snn.kernels.cpu import alif, lif

__all__ = ["alif", "compiled", "lif"]
