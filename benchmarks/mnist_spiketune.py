"""The network 784-256-10 on MNIST by spiketune; see `benchmarks/mnist_snntorch.py`."""

import sys

import torch

from spiketune.config.training import TrainingTrial
from spiketune.data.registry import load
from spiketune.training.memory import keep_freed_memory
from spiketune.training.progress import Metrics
from spiketune.training.trainer import Trainer

SECTION = {
    "device": "cpu",
    "dataset": {"name": "mnist", "encoding": "constant", "steps": 25},
    "network": {
        "neuron": {"beta": 0.9},
        "layers": [{"dense": 256}, {"dense": "classes"}],
    },
    "training": {"epochs": 10, "batch_size": 128, "optimizer": {"learning_rate": 1e-3}},
}


def main(target: float, seed: int) -> None:
    """Train to the target."""
    torch.set_num_threads(1)
    keep_freed_memory()
    config, reached = TrainingTrial.model_validate(SECTION), list[tuple[int, float]]()

    def told(epoch: int, metrics: Metrics) -> None:
        accuracy = metrics["validation_accuracy"]
        if accuracy >= target or epoch == config.training.epochs:
            reached.append((epoch, accuracy))

    splits = load(config.dataset)
    Trainer(
        config,
        splits,
        seed=seed,
        study_seed=0,
        on_epoch=told,
        should_stop=lambda: bool(reached),
    ).run()
    print(*reached[0])


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
