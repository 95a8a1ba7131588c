"""What loading costs of an epoch on recorded events: binning against the whole training step.

Recordings as dense as those of N-MNIST (4,200 events on 2 x 34 x 34 pixels in 300 ms) train a
dense 2312-256-10 network; binning alone is timed in between, turn about in one run.

    python benchmarks/events.py [--recordings 1000] [--steps 20] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from spiketune.config.training import TrainingTrial
from spiketune.data.binning import Binning, reference_frames
from spiketune.data.events import Events, EventWriter
from spiketune.data.nmnist import SIZE, pixel_targets
from spiketune.data.splits import Labelled, Splits
from spiketune.training.batches import on_device
from spiketune.training.trainer import Trainer

EVENTS_PER_RECORDING = 4200
DURATION_US = 300_000


def recordings(n: int) -> Labelled:
    """Random recordings, each with most of its events around a place of its own."""
    rng = np.random.default_rng(0)
    writer = EventWriter(n * EVENTS_PER_RECORDING)
    for index in range(n):
        times_us = np.sort(rng.integers(0, DURATION_US, EVENTS_PER_RECORDING))
        x, y = np.clip(rng.normal(SIZE / 2, SIZE / 5, (2, EVENTS_PER_RECORDING)), 0, SIZE - 1)
        polarity = rng.integers(0, 2, EVENTS_PER_RECORDING)
        sources = polarity * SIZE * SIZE + y.astype(np.int64) * SIZE + x.astype(np.int64)
        writer.add(times_us, sources, label=index % 10)
    arrays = writer.arrays()
    return Labelled(Events.stored(arrays, pixel_targets(SIZE), (2, SIZE, SIZE)), arrays["labels"])


def configured(steps: int) -> TrainingTrial:
    """The training that is timed, of one epoch."""
    return TrainingTrial.model_validate(
        {
            "device": "cpu",
            "dataset": {"name": "nmnist", "steps": steps},
            "network": {
                "layers": [{"name": "hidden", "dense": 256}, {"name": "out", "dense": "classes"}]
            },
            "training": {"epochs": 1, "batch_size": 32},
        }
    )


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def main() -> None:
    """Print medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data, config = recordings(arguments.recordings), configured(arguments.steps)
    few = data.take(slice(0, 32))
    samples = on_device(data, torch.device("cpu"), config.dataset)
    batches = torch.randperm(len(data), generator=torch.Generator().manual_seed(0)).split(32)

    def bin_all() -> None:
        for which in batches:
            samples.batch(which, torch.Generator())

    def bin_by_reference() -> None:
        assert isinstance(data.inputs, Events)
        for which in batches:
            reference_frames(data.inputs, which.numpy(), Binning(arguments.steps))

    def train() -> float:
        trainer = Trainer(config, Splits(data, few, 10), seed=0, study_seed=0)
        return trainer.run().progress.train_s

    seconds(bin_all)  # compiles
    binned_s, reference_s, trained_s = [], [], []
    for _ in range(arguments.rounds):
        binned_s.append(seconds(bin_all))
        trained_s.append(train())
        reference_s.append(seconds(bin_by_reference))
    binning, training = statistics.median(binned_s), statistics.median(trained_s)
    print(f"binning one epoch of {len(data)} recordings: {binning:.3f} s")
    print(f"the same in NumPy:  {statistics.median(reference_s):.3f} s")
    print(f"training one epoch, binning included: {training:.3f} s")
    print(f"share of binning: {binning / training:.3f}")


if __name__ == "__main__":
    main()
