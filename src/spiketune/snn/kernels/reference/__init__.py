"""Neurons over all time steps in plain PyTorch: defines what is right, on any device."""

from spiketune.snn.kernels.reference import alif, lif
from spiketune.snn.kernels.reference.lif import Reset

__all__ = ["Reset", "alif", "lif"]
