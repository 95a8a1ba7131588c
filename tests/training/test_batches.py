"""Batches of values and of events, as a network gets them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from spiketune.config.architecture import plan_layers
from spiketune.config.first_spike import FirstSpike, SpikeLayer
from spiketune.config.training import Dataset
from spiketune.data.events import Events, EventWriter
from spiketune.data.splits import Labelled
from spiketune.errors import ConfigError
from spiketune.snn.encoding import encode
from spiketune.snn.networks import SpikingNetwork
from spiketune.training.batches import on_device
from spiketune.training.evaluation import evaluate
from spiketune.training.first_spike_samples import TimedSamples
from spiketune.training.trainer import Trainer
from tests.data.recordings import write_nmnist

from .sections import trial

CPU = torch.device("cpu")


def recordings(per_sample: Sequence[Sequence[tuple[int, int]]], n_inputs: int) -> Labelled:
    """Samples of (time in microseconds, input neuron), all of class 0."""
    writer = EventWriter(sum(map(len, per_sample)))
    for events in per_sample:
        times_us, sources = np.array(events).T
        writer.add(times_us, sources, label=0)
    arrays = writer.arrays()
    targets = np.arange(n_inputs, dtype=np.uint16)
    return Labelled(Events.stored(arrays, targets, (n_inputs,)), arrays["labels"])


TWO = recordings([[(0, 1), (1, 1), (9, 0)], [(5, 0)]], 2)


@pytest.mark.parametrize("which", [slice(0, 2), torch.tensor([0, 1])])
def test_a_batch_of_events_is_frames_and_labels(which: slice | torch.Tensor) -> None:
    samples = on_device(TWO, CPU, Dataset(name="nmnist", steps=2, frames="count"))
    inputs, labels = samples.batch(which, torch.Generator())
    assert inputs.dtype == torch.float32
    assert inputs.tolist() == [[[0.0, 2.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]]
    assert labels.tolist() == [0, 0]
    assert (len(samples), samples.n_inputs, samples.steps) == (2, 2, 2)


def test_events_are_no_values_that_could_become_spike_times() -> None:
    samples = on_device(TWO, CPU, Dataset(name="nmnist", steps=2))
    rule = FirstSpike(kind="first_spike", layers=(SpikeLayer(neurons="classes"),))
    with pytest.raises(ConfigError, match="changes from step to step"):
        TimedSamples(samples, rule)


@pytest.mark.parametrize(("rate", "dt_ms"), [(510.0, None), (None, None), (102.0, 5.0)])
def test_the_rate_of_poisson_trains_is_per_second(rate: float | None, dt_ms: float | None) -> None:
    config = Dataset(name="d", encoding="poisson", steps=40, max_rate_hz=rate, dt_ms=dt_ms)
    data = Labelled(np.full((3, 8), 255, np.uint8), np.zeros(3, np.int64), 255.0)
    found, _ = on_device(data, CPU, config).batch(slice(3), torch.Generator().manual_seed(0))
    expected = encode(torch.ones(3, 8), "poisson", 40, torch.Generator().manual_seed(0), 0.51)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(("frames", "kind"), [("binary", "acs"), ("count", "macs")])
def test_single_spikes_are_accumulated_and_counts_are_multiplied(frames: str, kind: str) -> None:
    config = trial(dataset={"name": "nmnist", "steps": 2, "frames": frames})
    network = SpikingNetwork(plan_layers(config.network, (2,), 2), seed=0)
    found = evaluate(network, on_device(TWO, CPU, config.dataset), config, study_seed=0)
    hidden = found.firing_rates["hidden"] * 24 * 2 * 2  # spikes, each of which reaches two outputs
    expected = {"acs": hidden * 2 / 2, "macs": 0.0}
    expected[kind] += 24 * 3 / 2  # three inputs are not zero
    for name, value in expected.items():
        assert found.metrics[f"effective_{name}_per_sample"] == pytest.approx(value)


def test_a_network_learns_from_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spiketune.data.registry import load

    monkeypatch.setenv("SPIKETUNE_CACHE", str(tmp_path / "cache"))
    write_nmnist(tmp_path)
    dataset = {"name": "nmnist", "root": str(tmp_path), "dt_ms": 40.0, "size": 28}
    config = trial(dataset=dataset, training={"epochs": 8, "batch_size": 10})
    trainer = Trainer(config, load(config.dataset), seed=0, study_seed=0)
    assert trainer.run().metrics["validation_accuracy"] > 0.8
