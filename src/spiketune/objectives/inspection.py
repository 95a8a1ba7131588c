"""What a trained network does, as plain arrays: for plots, and for files that keep it.

Keys of the arrays; `n` samples, `M` neurons of a layer, `P` points of the plane, `E` snapshots:

    labels, predictions        (n,)
    inputs                     (n, I), of small inputs
    times:<layer>              (n, M), first spike times, infinite where there is none
    plane                      (P, 2), a grid over the square of Yin-Yang
    plane_times:<layer>        (P, M), spike times there
    plane_predictions          (P,)
    weights:<layer>            those that spikes meet, inputs first
    recurrent_weights:<layer>  (M, M), from the neuron of the first axis to that of the second
    delays:<layer>             effective ones
    snapshots                  (E,), epochs
    monitor:<weights or delays of a layer>   (E, 5): minimum, quartiles and maximum
    label_times                (E, K), mean time of the label's neuron, by class
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Labelled
from spiketune.snn.delays import AxonalDelay, DelayedDense
from spiketune.snn.first_spike import FirstSpikeNetwork, input_times
from spiketune.snn.populations import RecurrentLif
from spiketune.snn.stdp import StdpNetwork
from spiketune.snn.synapses import WeightedSynapses
from spiketune.training import checkpoint as checkpoints
from spiketune.training.batches import Samples, on_device
from spiketune.training.first_spike_losses import classes
from spiketune.training.saved import AnyNetwork

Arrays: TypeAlias = dict[str, NDArray[Any]]

_SMALL_INPUT: Final = 16  # values of an input that a plot can take
_MAX_TIMES: Final = 600_000  # of a hidden layer: more is no plot, and megabytes on disk
_PER_SIDE: Final = 51  # points of the plane
_BATCH: Final = 256
_QUANTILES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


def inspect_samples(
    network: AnyNetwork, data: Labelled, config: TrainingTrial, predictions: NDArray[np.int64]
) -> Arrays:
    """What a network does with the samples of a split.

    Args:
        network: The network.
        data: The samples.
        config: The trial section.
        predictions: Class of each sample that it tells, (n,).
    """
    arrays: Arrays = {"labels": np.asarray(data.labels), "predictions": predictions}
    if isinstance(data.inputs, np.ndarray) and data.inputs[0].size <= _SMALL_INPUT:
        values = data.inputs.reshape(len(data), -1) / data.full_scale
        arrays["inputs"] = values.astype(np.float32)
    if isinstance(network, FirstSpikeNetwork):
        samples = on_device(data, torch.device("cpu"), config.dataset)
        times = _layer_times(network, _times_of(network, samples))
        for name, values in times.items():
            if name == network.names[-1] or values.size <= _MAX_TIMES:
                arrays[f"times:{name}"] = values
    return arrays


def inspect_network(network: AnyNetwork, config: TrainingTrial) -> Arrays:
    """Weights and delays of a network, and what it does all over the plane of Yin-Yang."""
    arrays = dict(_parameters(network))
    if isinstance(network, FirstSpikeNetwork) and config.dataset.name == "yin-yang":
        across = np.linspace(0.0, 1.0, _PER_SIDE)
        x, y = (values.ravel() for values in np.meshgrid(across, across))
        arrays["plane"] = np.stack([x, y], axis=1).astype(np.float32)
        inputs = torch.from_numpy(np.stack([x, y, 1.0 - x, 1.0 - y], axis=1))
        given = input_times(inputs, network.config.input)
        with torch.inference_mode():
            output = network(given)[-1]
        arrays["plane_predictions"] = classes(output, network.config.loss).numpy().astype(np.int8)
        for name, values in _layer_times(network, iter([given])).items():
            if values.size <= _MAX_TIMES:
                arrays[f"plane_times:{name}"] = values
    return arrays


def inspect_snapshots(
    network: AnyNetwork, data: Labelled, config: TrainingTrial, snapshots: Mapping[int, Path]
) -> Arrays:
    """How weights, delays and output times went from snapshot to snapshot.

    Args:
        network: That of the run.
        data: The validation split.
        config: The trial section.
        snapshots: File by epoch.
    """
    found: dict[str, list[NDArray[Any]]] = {}
    for path in snapshots.values():
        network = _network_at(network, path)
        for name, values in _parameters(network):
            told = np.quantile(values, _QUANTILES)
            found.setdefault(f"monitor:{name}", []).append(told)
        if isinstance(network, FirstSpikeNetwork):
            samples = on_device(data, torch.device("cpu"), config.dataset)
            output = _layer_times(network, _times_of(network, samples))[network.names[-1]]
            found.setdefault("label_times", []).append(_label_times(output, data.labels))
    arrays: Arrays = {name: np.stack(values) for name, values in found.items()}
    return {"snapshots": np.array(list(snapshots)), **arrays} if arrays else {}


def _network_at(network: AnyNetwork, path: Path) -> AnyNetwork:
    """The network with the weights of a snapshot."""
    tensors, changed = checkpoints.load(path).tensors, copy.deepcopy(network)
    if isinstance(changed, StdpNetwork):
        changed.restore(tensors)
        return changed
    known = changed.state_dict().keys()
    named = {name.removeprefix("network."): value for name, value in tensors.items()}
    changed.load_state_dict({name: named[name] for name in known})
    return changed


def _label_times(output: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean over the samples of each class that its neuron answers to, (K,)."""
    means = np.full(output.shape[1], np.nan)
    for label in range(output.shape[1]):
        own = output[labels == label, label]
        if np.isfinite(own).any():
            means[label] = own[np.isfinite(own)].mean()
    return means


def _parameters(network: AnyNetwork) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(network, FirstSpikeNetwork):
        for name, layer in zip(network.names, network.layers, strict=True):
            yield f"weights:{name}", _array(layer.used_weight)
            if layer.delay is not None:
                yield f"delays:{name}", _array(layer.delay.delays)
    elif isinstance(network, StdpNetwork):
        yield f"weights:{network.names[0]}", _array(network.weights)
    else:
        for name, spiking in zip(network.names, network.layers, strict=True):
            if isinstance(spiking.synapses, WeightedSynapses):
                # Torch has outputs first; here inputs are, as for the other kinds.
                yield f"weights:{name}", _array(spiking.synapses.used_weight.flatten(1).t())
            if isinstance(spiking.neurons, RecurrentLif):
                yield f"recurrent_weights:{name}", _array(spiking.neurons.recurrent_weight.t())
            for delays in (spiking.delay, spiking.synapses):
                if isinstance(delays, AxonalDelay | DelayedDense):
                    yield f"delays:{name}", _array(delays.delay)


def _array(values: Tensor) -> NDArray[Any]:
    return values.detach().to("cpu", torch.float32).numpy().copy()


def _times_of(network: FirstSpikeNetwork, data: Samples) -> Iterator[Tensor]:
    for first in range(0, len(data), _BATCH):
        values, _ = data.batch(slice(first, first + _BATCH), Generator())
        yield input_times(values[0], network.config.input)


@torch.inference_mode()
def _layer_times(network: FirstSpikeNetwork, batches: Iterator[Tensor]) -> Arrays:
    """Spike times of every layer, (n, M) each."""
    columns = zip(*(network(times) for times in batches), strict=True)
    return {
        name: torch.cat(list(column)).to(torch.float32).numpy()
        for name, column in zip(network.names, columns, strict=True)
    }
