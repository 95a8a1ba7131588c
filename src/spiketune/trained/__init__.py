"""Trained reference networks: a safetensors file with the weights, and YAML facts beside it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from spiketune.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network that comes with the package.

    Attributes:
        name: Of the network, and of the recipe that it was trained by.
        path: Of its weights.
        facts: `seed`, `validation_accuracy`, `test_accuracy` (as `retrain` measured it once).
    """

    name: str
    path: Path
    facts: dict[str, Any]


def trained_networks() -> dict[str, TrainedNetwork]:
    """Every network that comes with the package, by name."""
    folder = Path(str(resources.files("spiketune.trained")))
    return {
        path.stem: TrainedNetwork(path.stem, path, yaml.safe_load(facts.read_text("utf-8")))
        for path in sorted(folder.glob("*.safetensors"))
        if (facts := path.with_suffix(".yaml")).exists()
    }


def trained_network(name: str) -> TrainedNetwork:
    """The network of a name.

    Raises:
        UnknownNameError: If none of that name comes with the package.
    """
    known = trained_networks()
    if name not in known:
        raise UnknownNameError("run folder or trained network", name, known)
    return known[name]
