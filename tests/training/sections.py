"""A small training that the tests share: points on a plane, two classes, a few batches."""

from typing import Any

import numpy as np

from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Labelled, Splits


def section(**changes: Any) -> dict[str, Any]:
    training = {
        "epochs": 4,
        "batch_size": 32,
        "optimizer": {"name": "adam", "learning_rate": 0.02},
        **changes.pop("training", {}),
    }
    return {
        "device": "cpu",
        "dataset": {"name": "yin-yang", "steps": 8, **changes.pop("dataset", {})},
        "network": {
            "neuron": {"beta": 0.8, **changes.pop("neuron", {})},
            "layers": [
                {"name": "hidden", "dense": 24, "dropout": changes.pop("dropout", 0.0)},
                {"name": "out", "dense": "classes", "neuron": changes.pop("output_neuron", {})},
            ],
        },
        "training": training,
        **changes,
    }


def trial(**changes: Any) -> TrainingTrial:
    return TrainingTrial.model_validate(section(**changes))


def points(n: int, seed: int) -> Labelled:
    inputs = np.random.default_rng(seed).random((n, 4)).astype(np.float32)
    return Labelled(inputs, (inputs[:, 0] > inputs[:, 1]).astype(np.int64))


def splits() -> Splits:
    return Splits(points(150, 0), points(60, 1), n_classes=2)
