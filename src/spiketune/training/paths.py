"""Which way a training goes through the code: chosen once, by shapes and by how sparse data are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Generator

from spiketune.config.training import Training
from spiketune.snn.networks import SpikingNetwork
from spiketune.snn.sparse import InputPath, input_path
from spiketune.snn.synapses import Dense
from spiketune.training.batches import Samples
from spiketune.training.fused import can_fuse


@dataclass(frozen=True, slots=True)
class Paths:
    """The ways that a training takes; all give the same up to rounding.

    Attributes:
        input: Whether the first layer gets dense frames or lists of events.
        step: Whether gradients come from autograd or from one compiled call.
    """

    input: InputPath
    step: Literal["autograd", "fused"]

    def to_note(self) -> Mapping[str, str]:
        """What is recorded with the trial."""
        return asdict(self)


def choose_paths(network: SpikingNetwork, data: Samples, config: Training) -> Paths:
    """The fastest paths for a training, the same whenever it is run again or resumed.

    Args:
        network: On the device of the data.
        data: The training data; a first batch is looked at.
        config: The `training` section.
    """
    return Paths(
        _input_of(network, data, config.batch_size),
        "fused" if can_fuse(network, config) else "autograd",
    )


def _input_of(network: SpikingNetwork, data: Samples, batch_size: int) -> InputPath:
    device = data.labels.device
    if device.type != "cpu" or data.constant or not isinstance(network.layers[0].synapses, Dense):
        return "dense"
    # A generator of its own, so that looking moves nobody's numbers.
    with torch.no_grad():
        inputs, _ = data.batch(slice(0, batch_size), Generator(device).manual_seed(0))
    return input_path(inputs)
