"""Checkpoints: tensors in a safetensors file, everything else as JSON in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from spiketune.drafts import draft_of

_HEADER: Final = "spiketune"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training as it stood after an epoch.

    Attributes:
        tensors: Weights and optimiser state, on the CPU.
        facts: Whatever else is needed, JSON-able.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def snapshot_file(checkpoint: Path, epoch: int) -> Path:
    """Where the snapshot after an epoch lies: beside the checkpoint that is written over."""
    return checkpoint.with_name(f"epoch-{epoch:05d}.safetensors")


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, which replaces the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {_HEADER: json.dumps(dict(checkpoint.facts))}
    with draft_of(path) as draft:
        save_file(dict(checkpoint.tensors), draft, metadata=header)


def load(path: Path) -> Checkpoint:
    """The checkpoint in a file.

    Raises:
        ValueError: If the file is torn or is not one of ours.
        FileNotFoundError: If there is none.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Checkpoint(tensors, json.loads(header[_HEADER]))
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a whole checkpoint: {error}") from error


def tensors_of(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of all weights, fixed values and optimiser state, on the CPU."""
    named = {f"network.{name}": value for name, value in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                named[f"optimizer.{index}.{name}"] = value
    return {name: value.detach().to("cpu", copy=True) for name, value in named.items()}


def restore(
    tensors: Mapping[str, Tensor], network: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Put back what `tensors_of` took.

    Raises:
        ValueError: If the tensors are of another network.
    """
    weights: dict[str, Tensor] = {}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        owner, _, name = key.partition(".")
        if owner == "network":
            weights[name] = value
        else:
            index, _, name = name.partition(".")
            state.setdefault(int(index), {})[name] = value
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint is of another network: {error}") from error
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
