"""Trained networks in a file: weights, and the trial section they were trained by."""

from __future__ import annotations

from pathlib import Path

import torch

from spiketune.config.architecture import plan_layers
from spiketune.config.training import TrainingTrial
from spiketune.snn.networks import SpikingNetwork
from spiketune.training.checkpoint import Checkpoint, load, save


def save_network(path: Path, network: SpikingNetwork, config: TrainingTrial) -> None:
    """Write a network, readable by `load_network` and, as plain tensors, by safetensors."""
    tensors = {
        name: value.detach().to("cpu", copy=True) for name, value in network.state_dict().items()
    }
    # Only the keys that were given: some data sets have defaults of their own.
    section = config.model_dump(mode="json", exclude_unset=True)
    first, last = network.layers[0].plan, network.layers[-1].plan
    facts = {
        "section": section,
        "layers": list(network.names),
        "input_shape": list(first.inputs),
        "n_classes": last.outputs[0],
    }
    save(path, Checkpoint(tensors, facts))


def load_network(
    path: Path, device: torch.device | None = None
) -> tuple[SpikingNetwork, TrainingTrial]:
    """The network in a file, and the trial section it was trained by.

    Args:
        path: File written by `save_network`.
        device: Where the network goes; None for the CPU.

    Raises:
        ValueError: If the file is torn or holds no network of ours.
        FileNotFoundError: If there is none.
    """
    found = load(path)
    try:
        config = TrainingTrial.model_validate(found.facts["section"])
        input_shape, n_classes = tuple(found.facts["input_shape"]), found.facts["n_classes"]
        plans = plan_layers(config.network, input_shape, n_classes, config.dataset.dt_ms)
        network = SpikingNetwork(plans, seed=0)
        network.load_state_dict(dict(found.tensors))
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} holds no network: {error}") from error
    return network.to(device or torch.device("cpu")), config
