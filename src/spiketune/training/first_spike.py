"""Training a network of first spike times, and measuring it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, final

import torch
from torch import Generator, Tensor

from spiketune.config.first_spike import FirstSpike
from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Splits
from spiketune.errors import TrialError
from spiketune.metrics.energy import activation_sparsity, effective_operations
from spiketune.seeding import child_seed
from spiketune.snn.first_spike import FirstSpikeNetwork, input_times
from spiketune.training import checkpoint as checkpoints
from spiketune.training.batches import Samples, on_device
from spiketune.training.epochs import EpochTraining, TrainedEpoch
from spiketune.training.evaluation import Evaluation
from spiketune.training.first_spike_losses import classes, time_losses
from spiketune.training.optimizers import build_optimizer, learning_rate, set_learning_rate
from spiketune.training.progress import EpochTally
from spiketune.training.stopping import SilenceCount

CPU: Final = torch.device("cpu")
BATCH_SIZE: Final = 256


@final
class FirstSpikeTrainer(EpochTraining):
    """One training by exact gradients of spike times; see `EpochTraining`.

    A batch in which a layer misses too many spikes is no step of the optimiser: the weights to
    that layer are raised instead.
    """

    network: FirstSpikeNetwork

    def _build(self, splits: Splits) -> None:
        config = self._config
        if not isinstance(config.network, FirstSpike):
            raise ValueError(f"a network of `kind: {config.network.kind}` is not for this trainer")
        self.device, self._rule = CPU, config.network
        self._train = on_device(splits.train, CPU, config.dataset)
        self._validation = on_device(splits.validation, CPU, config.dataset)
        self.network = FirstSpikeNetwork(
            self._rule, self._train.n_inputs, splits.n_classes, self._seed
        )
        self._optimizer = build_optimizer(config.training.optimizer, self.network)
        self._scale_delays(config.training.optimizer.learning_rate)
        # Which layer was raised last, from the input on, and how often in a row; -1 for none.
        self._raised = torch.tensor([-1, 0])

    def _scale_delays(self, base: float) -> None:
        """Give delays with a learning rate of their own a group of their own."""
        group = self._optimizer.param_groups[0]
        for layer in self.network.layers:
            own = None if layer.delay is None else layer.delay.config.learning_rate
            if layer.delay is None or own is None:
                continue
            parameter = layer.delay.parameter
            group["params"] = [kept for kept in group["params"] if kept is not parameter]
            rest = {key: value for key, value in group.items() if key != "params"}
            self._optimizer.add_param_group({**rest, "params": [parameter], "share": own / base})

    def _train_epoch(self, epoch: int) -> TrainedEpoch | None:
        set_learning_rate(self._optimizer, learning_rate(self._config.training, epoch))
        for group in self._optimizer.param_groups:
            group["lr"] *= group.get("share", 1.0)
        order = torch.randperm(
            len(self._train),
            generator=Generator().manual_seed(child_seed(self._seed, "order", epoch)),
        )
        tally = EpochTally(SilenceCount(len(self._train)), self._progress.patience)
        for which in torch.split(order, self._config.training.batch_size):
            if self._should_stop():
                return None
            loss, correct, silent = self._train_batch(which)
            if not math.isfinite(loss):
                raise TrialError("nan", f"the loss became {loss} in epoch {epoch + 1}")
            tally = tally.after(
                self._config, epoch, len(which), loss=loss, correct=correct, silent=silent
            )
            if tally.stopped_by is not None:
                break
        return TrainedEpoch(tally.metrics, tally.silence, tally.stopped_by, tally.patience)

    def _train_batch(self, which: Tensor) -> tuple[float, int, int]:
        """One step; mean loss, correct and silent samples."""
        times, labels = _times(self._train, which, self._rule)
        layers = self.network(times)
        output = layers[-1]
        loss = time_losses(output, labels, self._rule.loss).mean()
        if not self._raise_weights(layers):
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self.network.settle()
        with torch.no_grad():
            correct = int((classes(output, self._rule.loss) == labels).sum())
            silent = int((output.isfinite().sum(dim=1) < self._min_spikes).sum())
        return float(loss.detach()), correct, silent

    def _raise_weights(self, layers: tuple[Tensor, ...]) -> bool:
        """Raise the weights to the first layer that misses too many spikes, if one does."""
        rule = self._rule.bumping
        for index, (layer, times) in enumerate(zip(self.network.layers, layers, strict=True)):
            missing = times.detach().isinf()
            if float(missing.double().mean()) <= layer.max_missing:
                continue
            again = int(self._raised[1]) + 1 if int(self._raised[0]) == index else 0
            self._raised = torch.tensor([index, again])
            amount = rule.value * (2.0 ** min(again, 60) if rule.doubling else 1.0)
            which = missing.any(dim=0) if rule.targeted else torch.ones_like(missing[0])
            with torch.no_grad():
                layer.weight.add_(amount * which.double())
            return True
        self._raised = torch.tensor([-1, 0])
        return False

    def _validate(self) -> Evaluation:
        return evaluate(self.network, self._validation, self._config)

    def _tensors(self) -> dict[str, Tensor]:
        kept = checkpoints.tensors_of(self.network, self._optimizer)
        return {**kept, "network.raised": self._raised.clone()}

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        rest = dict(tensors)
        self._raised = rest.pop("network.raised")
        checkpoints.restore(rest, self.network, self._optimizer)


def _times(data: Samples, which: Tensor | slice, rule: FirstSpike) -> tuple[Tensor, Tensor]:
    values, labels = data.batch(which, Generator())
    return input_times(values[0], rule.input), labels


@torch.inference_mode()
def evaluate(network: FirstSpikeNetwork, data: Samples, config: TrainingTrial) -> Evaluation:
    """Measure a network on a split.

    Args:
        network: The network.
        data: The samples.
        config: The trial section: when a sample counts as silent.
    """
    rule, n = network.config, len(data)
    min_spikes = 1 if config.silence is None else config.silence.min_spikes
    loss = silent = 0.0
    predictions: list[Tensor] = []
    counts: list[list[Tensor]] = []
    for times, labels in _batches(data, rule):
        layers = network(times)
        loss += float(time_losses(layers[-1], labels, rule.loss).sum())
        predictions.append(classes(layers[-1], rule.loss))
        silent += int((layers[-1].isfinite().sum(dim=1) < min_spikes).sum())
        counts.append([values.isfinite().sum(dim=0) for values in (times, *layers)])
    told = torch.cat(predictions)
    reaching, *emitted = [torch.stack(column).sum(dim=0) for column in zip(*counts, strict=True)]
    n_spikes = {
        name: int(spikes.sum()) for name, spikes in zip(network.names, emitted, strict=True)
    }
    n_neurons = {name: len(spikes) for name, spikes in zip(network.names, emitted, strict=True)}
    acs = sum(
        effective_operations(spikes, layer.weight.t())
        for spikes, layer in zip([reaching, *emitted[:-1]], network.layers, strict=True)
    )
    all_spikes = sum(n_spikes.values())
    metrics: dict[str, Any] = {
        "accuracy": float((told == data.labels).double().mean()),
        "loss": loss / n,
        "spikes_per_sample": all_spikes / n,
        "silent_share": silent / n,
        "effective_acs_per_sample": acs / n,
        "effective_macs_per_sample": 0.0,
        "activation_sparsity": activation_sparsity(all_spikes, sum(n_neurons.values()) * n),
    }
    rates = {name: n_spikes[name] / (n_neurons[name] * n) for name in network.names}
    return Evaluation(metrics, rates, told.numpy())


def _batches(data: Samples, rule: FirstSpike) -> Iterator[tuple[Tensor, Tensor]]:
    for first in range(0, len(data), BATCH_SIZE):
        yield _times(data, slice(first, first + BATCH_SIZE), rule)
