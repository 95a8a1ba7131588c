"""First spike times and their exact gradients, compiled."""

from spiketune.snn.kernels.first_spike import euler
from spiketune.snn.kernels.first_spike.entry import (
    backward,
    backward_pack,
    forward,
    forward_pack,
)
from spiketune.snn.kernels.first_spike.spikes import (
    DOUBLE,
    EQUAL,
    SLOPE,
    UNTIL,
    Gradients,
    Spikes,
)

__all__ = [
    "DOUBLE",
    "EQUAL",
    "SLOPE",
    "UNTIL",
    "Gradients",
    "Spikes",
    "backward",
    "backward_pack",
    "euler",
    "forward",
    "forward_pack",
]
