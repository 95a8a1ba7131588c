"""Trained networks in a file: weights, and the trial section they were trained by."""

from __future__ import annotations

from pathlib import Path

import torch

from spiketune.config.stdp import Stdp
from spiketune.config.training import TrainingTrial
from spiketune.snn.networks import SpikingNetwork, layer_shapes
from spiketune.snn.stdp import StdpNetwork
from spiketune.training.checkpoint import Checkpoint, load, save


def save_network(path: Path, network: SpikingNetwork | StdpNetwork, config: TrainingTrial) -> None:
    """Write a network, readable by `load_network` and, as plain tensors, by safetensors."""
    tensors = {
        name: value.detach().to("cpu", copy=True) for name, value in network.state_dict().items()
    }
    # Only the keys that were given: some data sets have defaults of their own.
    section = config.model_dump(mode="json", exclude_unset=True)
    facts = {"section": section, "layers": list(network.names)}
    save(path, Checkpoint(tensors, facts))


def load_network(
    path: Path, device: torch.device | None = None
) -> tuple[SpikingNetwork | StdpNetwork, TrainingTrial]:
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
        weights = [found.tensors[f"dense.{i}.weight"] for i in range(len(found.facts["layers"]))]
        n_inputs, n_classes = weights[0].shape[1], weights[-1].shape[0]
        shapes = layer_shapes(config.layered, n_inputs, n_classes, config.dataset.dt_ms)
        network = SpikingNetwork(shapes, seed=0)
        network.load_state_dict(dict(found.tensors))
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} holds no network: {error}") from error
    return network.to(device or torch.device("cpu")), config
