"""Small networks of first spike times, and times to give them."""

from typing import Any

import torch
from torch import Tensor

from spiketune.config.first_spike import FirstSpike
from spiketune.snn.first_spike import FirstSpikeNetwork


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(*delays: dict[str, Any] | None, seed: int = 0, **rest: Any) -> FirstSpikeNetwork:
    first = {key: rest.pop(key) for key in ("multiplex", "biases") if key in rest}
    layers = [
        {"neurons": 5, "weights_mean": 1.5, **first, **({"delay": delays[0]} if delays[0] else {})},
        {"neurons": "classes", "weights_mean": 0.8, **({"delay": delays[1]} if delays[1] else {})},
    ]
    config = FirstSpike.model_validate({"kind": "first_spike", "layers": layers, **rest})
    return FirstSpikeNetwork(config, 4, 3, seed)


def times(n: int = 7) -> Tensor:
    return torch.rand(n, 4, generator=generator(), dtype=torch.float64) * 2
