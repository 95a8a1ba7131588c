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
from spiketune.snn.first_spike import FirstSpikeNetwork, input_times, noisy_input
from spiketune.training import checkpoint as checkpoints
from spiketune.training.batches import Samples, on_device
from spiketune.training.epochs import EpochTraining, TrainedEpoch
from spiketune.training.evaluation import Evaluation
from spiketune.training.first_spike_gradients import PlainGradients, is_plain
from spiketune.training.first_spike_losses import (
    classes,
    delay_penalty,
    losses_and_gradients,
    time_losses,
)
from spiketune.training.optimizers import build_optimizer, learning_rate, set_learning_rate
from spiketune.training.progress import EpochTally
from spiketune.training.stopping import SilenceCount

CPU: Final = torch.device("cpu")
BATCH_SIZE: Final = 256
# Spike times of a whole split are kept up to here, else made batch by batch.
KEPT_BYTES: Final = 1 << 26

# What a step was, beside the index of the layer whose weights it raised.
TRAINED, RAISED_OUTPUT = -2, -1


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
        self._train = TimedSamples(on_device(splits.train, CPU, config.dataset), self._rule)
        self._validation = on_device(splits.validation, CPU, config.dataset)
        self.network = FirstSpikeNetwork(
            self._rule, self._train.n_inputs, splits.n_classes, self._seed
        )
        self._optimizer = build_optimizer(config.training.optimizer, self.network)
        self._scale_rates(config.training.optimizer.learning_rate)
        self._plain: PlainGradients | None = None
        if is_plain(self.network):
            self._plain = PlainGradients(self.network, self._rule.loss)
        self.paths = {"gradients": "autograd" if self._plain is None else "plain"}
        # Which layer was raised last, from the input on, and how often in a row; -1 for none.
        self._raised = torch.tensor([-1, 0])
        self._step_log: list[int] = []

    @property
    def step_log(self) -> tuple[int, ...]:
        """What every step did: -2 trained, -1 raised the output's weights, else which layer's."""
        return tuple(self._step_log)

    def _scale_rates(self, base: float) -> None:
        """Give weights and delays with a learning rate of their own a group of their own."""
        group = self._optimizer.param_groups[0]
        for layer in self.network.layers:
            rates = [(layer.weight, layer.config.learning_rate)]
            if layer.delay is not None:
                rates.append((layer.delay.parameter, layer.delay.config.learning_rate))
            for parameter, own in rates:
                if own is None:
                    continue
                group["params"] = [kept for kept in group["params"] if kept is not parameter]
                rest = {key: value for key, value in group.items() if key != "params"}
                self._optimizer.add_param_group(
                    {**rest, "params": [parameter], "share": own / base}
                )

    def _train_epoch(self, epoch: int) -> TrainedEpoch | None:
        set_learning_rate(self._optimizer, learning_rate(self._config.training, epoch))
        for group in self._optimizer.param_groups:
            group["lr"] *= group.get("share", 1.0)
        order = torch.randperm(
            len(self._train),
            generator=Generator().manual_seed(child_seed(self._seed, "order", epoch)),
        )
        noise = self._generator("noise", epoch)
        n_steps = len(self._step_log)
        tally = EpochTally(SilenceCount(len(self._train)), self._progress.patience)
        for which in torch.split(order, self._config.training.batch_size):
            if self._should_stop():
                del self._step_log[n_steps:]
                return None
            loss, correct, silent = self._train_batch(which, noise)
            if not math.isfinite(loss):
                raise TrialError("nan", f"the loss became {loss} in epoch {epoch + 1}")
            tally = tally.after(
                self._config, epoch, len(which), loss=loss, correct=correct, silent=silent
            )
            if tally.stopped_by is not None:
                break
        steps = self._step_log[n_steps:]
        raised_share = sum(step != TRAINED for step in steps) / len(steps)
        metrics = {**tally.metrics, "raised_share": raised_share}
        return TrainedEpoch(metrics, tally.silence, tally.stopped_by, tally.patience)

    def _train_batch(self, which: Tensor, noise: Generator) -> tuple[float, int, int]:
        """One step; mean loss, correct and silent samples."""
        times, labels = self._train.batch(which)
        if self._rule.input_noise is not None:
            times = noisy_input(times, self._rule.input_noise, noise)
        if self._plain is None:
            layers, loss = self._step(times, labels, noise)
        else:
            layers, loss = self._plain_step(self._plain, times, labels)
        output = layers[-1]
        correct = int((classes(output, self._rule.loss) == labels).sum())
        silent = int((output.isfinite().sum(dim=1) < self._min_spikes).sum())
        return loss, correct, silent

    def _step(
        self, times: Tensor, labels: Tensor, noise: Generator
    ) -> tuple[tuple[Tensor, ...], float]:
        """Spike times of the layers, and the mean loss, after a step for any network."""
        layers = self.network(times, noise)
        loss = time_losses(layers[-1], labels, self._rule.loss).mean()
        told = float(loss.detach())
        if not self._raise_weights(layers):
            self._optimizer.zero_grad(set_to_none=True)
            if self._rule.loss.delay_l2 > 0.0:
                loss = loss + delay_penalty(self.network)
            if loss.requires_grad:  # not so where no layer is trained
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimizer.step()
            self.network.settle()
        return tuple(times.detach() for times in layers), told

    @torch.no_grad()
    def _plain_step(
        self, plain: PlainGradients, times: Tensor, labels: Tensor
    ) -> tuple[tuple[Tensor, ...], float]:
        """The same for a plain network."""
        layers = plain.forward(times)
        losses, gradients = losses_and_gradients(layers[-1], labels, self._rule.loss)
        if not self._raise_weights(layers):
            plain.backward(gradients / len(labels))
            self._optimizer.step()
            self.network.settle()
        return layers, float(losses.mean())

    def _raise_weights(self, layers: tuple[Tensor, ...]) -> bool:
        """Raise the weights to the first layer that misses too many spikes, if one does."""
        rule, n_layers = self._rule.bumping, len(layers)
        for index, (layer, times) in enumerate(zip(self.network.layers, layers, strict=True)):
            missing = times.detach().isinf()
            if int(missing.sum()) <= layer.max_missing * missing.numel():
                continue
            again = int(self._raised[1]) + 1 if int(self._raised[0]) == index else 0
            self._raised = torch.tensor([index, again])
            amount = rule.value * (2.0 ** min(again, 60) if rule.doubling else 1.0)
            which = missing.any(dim=0) if rule.targeted else torch.ones_like(missing[0])
            with torch.no_grad():
                layer.weight.add_(amount * which.double())
            layer.settle()
            self._step_log.append(RAISED_OUTPUT if index == n_layers - 1 else index)
            return True
        self._raised = torch.tensor([-1, 0])
        self._step_log.append(TRAINED)
        return False

    def _validate(self) -> Evaluation:
        return evaluate(self.network, self._validation, self._config, noise_seed=self._study_seed)

    def _tensors(self) -> dict[str, Tensor]:
        kept = checkpoints.tensors_of(self.network, self._optimizer)
        log = torch.tensor(self._step_log, dtype=torch.int16)
        return {**kept, "network.raised": self._raised.clone(), "network.step_log": log}

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        rest = dict(tensors)
        self._raised = rest.pop("network.raised")
        self._step_log = rest.pop("network.step_log").tolist()
        checkpoints.restore(rest, self.network, self._optimizer)


@final
class TimedSamples:
    """The samples of a split as spike times.

    Args:
        data: The samples.
        rule: How values become times.
    """

    def __init__(self, data: Samples, rule: FirstSpike) -> None:
        self._data, self._rule = data, rule
        self.labels, self.n_inputs = data.labels, data.n_inputs
        self._kept: Tensor | None = None
        if 8 * len(data) * data.n_inputs <= KEPT_BYTES:
            self._kept = self._make(slice(None))

    def __len__(self) -> int:
        return len(self._data)

    def batch(self, which: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Spike times, (B, n), and labels, (B,), of some samples."""
        if self._kept is None:
            return self._make(which), self.labels[which]
        return self._kept[which], self.labels[which]

    def _make(self, which: Tensor | slice) -> Tensor:
        values, _ = self._data.batch(which, Generator())
        return input_times(values[0], self._rule.input)


@torch.inference_mode()
def evaluate(
    network: FirstSpikeNetwork, data: Samples, config: TrainingTrial, *, noise_seed: int = 0
) -> Evaluation:
    """Measure a network on a split.

    Args:
        network: The network.
        data: The samples.
        config: The trial section: when a sample counts as silent.
        noise_seed: Draws thresholds and jitter, where the network has such noise.
    """
    noise = None
    if network.is_noisy:
        noise = Generator().manual_seed(child_seed(noise_seed, "noise", "evaluation"))
    rule, n = network.config, len(data)
    min_spikes = 1 if config.silence is None else config.silence.min_spikes
    loss = silent = 0.0
    predictions: list[Tensor] = []
    counts: list[list[Tensor]] = []
    for times, labels in _batches(data, rule):
        layers = network(times, noise)
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
        effective_operations(layer.arriving(spikes, n), layer.weight.t())
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
    timed = TimedSamples(data, rule)
    for first in range(0, len(data), BATCH_SIZE):
        yield timed.batch(slice(first, first + BATCH_SIZE))
