"""A small training of first spike times that the tests share."""

from typing import Any

from spiketune.config.training import TrainingTrial


def trial(
    epochs: int = 3,
    training: dict[str, Any] | None = None,
    silence: dict[str, Any] | None = None,
    **network: Any,
) -> TrainingTrial:
    delay = {"kind": "synaptic", "learning_rate": 0.003}
    layers = [
        {"name": "hidden", "neurons": 12, "delay": delay},
        {"name": "out", "neurons": "classes", "weights_mean": 0.5, "delay": delay},
    ]
    section = {
        "device": "cpu",
        "silence": silence,
        "dataset": {"name": "yin-yang"},
        "network": {
            "kind": "first_spike",
            "loss": {"name": "shift_invariant_mse"},
            "layers": layers,
            **network,
        },
        "training": {
            "epochs": epochs,
            "batch_size": 30,
            "optimizer": {"learning_rate": 0.02},
            **(training or {}),
        },
    }
    return TrainingTrial.model_validate(section)


def silent_layers(max_missing: float) -> list[dict[str, Any]]:
    weights = {"weights_mean": 0.0, "weights_std": 0.0}
    return [
        {"name": "hidden", "neurons": 6, "max_missing": max_missing, **weights},
        {"name": "out", "neurons": "classes", "max_missing": max_missing, **weights},
    ]
