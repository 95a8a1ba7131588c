"""Trained networks in a file: weights, and the trial section they were trained by."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import torch

from spiketune.config.architecture import plan_layers
from spiketune.config.first_spike import FirstSpike
from spiketune.config.stdp import Stdp
from spiketune.config.training import TrainingTrial
from spiketune.snn.first_spike import FirstSpikeNetwork
from spiketune.snn.networks import SpikingNetwork
from spiketune.snn.stdp import StdpNetwork
from spiketune.training.checkpoint import Checkpoint, load, save

AnyNetwork: TypeAlias = SpikingNetwork | StdpNetwork | FirstSpikeNetwork


def save_network(path: Path, network: AnyNetwork, config: TrainingTrial) -> None:
    """Write a network, readable by `load_network` and, as plain tensors, by safetensors."""
    tensors = {
        name: value.detach().to("cpu", copy=True) for name, value in network.state_dict().items()
    }
    # Only the keys that were given: some data sets have defaults of their own.
    section = config.model_dump(mode="json", exclude_unset=True)
    facts: dict[str, Any] = {"section": section, "layers": list(network.names)}
    if isinstance(network, SpikingNetwork):
        plans = [layer.plan for layer in network.layers]
        facts |= {"input_shape": plans[0].inputs, "n_classes": plans[-1].outputs[0]}
    if isinstance(network, FirstSpikeNetwork):
        facts |= {"input_shape": [network.n_inputs], "n_classes": network.n_classes}
    save(path, Checkpoint(tensors, facts))


def load_network(
    path: Path, device: torch.device | None = None
) -> tuple[AnyNetwork, TrainingTrial]:
    """The network in a file, and the trial section it was trained by.

    Args:
        path: File written by `save_network`.
        device: Where a network of layers goes; None for the CPU.

    Raises:
        ValueError: If the file is torn or holds no network of ours.
        FileNotFoundError: If there is none.
    """
    found = load(path)
    try:
        config = TrainingTrial.model_validate(found.facts["section"])
        if isinstance(config.network, Stdp):
            dt_ms = config.dataset.dt_ms or 1.0
            return StdpNetwork.restored(config.network, found.tensors, dt_ms), config
        input_shape, n_classes = tuple(found.facts["input_shape"]), found.facts["n_classes"]
        if isinstance(config.network, FirstSpike):
            timed = FirstSpikeNetwork(config.network, input_shape[0], n_classes, seed=0)
            timed.load_state_dict(dict(found.tensors))
            return timed, config
        plans = plan_layers(config.layered, input_shape, n_classes, config.dataset.dt_ms)
        network = SpikingNetwork(plans, seed=0)
        network.load_state_dict(dict(found.tensors))
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} holds no network: {error}") from error
    return network.to(device or torch.device("cpu")), config
