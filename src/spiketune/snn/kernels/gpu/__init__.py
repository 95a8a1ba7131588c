"""Neurons over all time steps on a GPU, in Triton: one launch forward and one backward.

A program takes a block of neurons through all time steps with their state in registers.
Products and sums are not fused into one operation, so that values round as in `reference`: a
spike at the very threshold is one here as well.
"""

from spiketune.snn.kernels.gpu import alif, lif

__all__ = ["alif", "lif"]
