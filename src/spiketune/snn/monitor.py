"""Watch any PyTorch spiking network: spikes, silence and operations, by forward hooks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, Protocol, TypeVar, final

from torch import nn

from spiketune.errors import InputError
from spiketune.snn.monitoring.batches import EpochCount, SampleCount
from spiketune.snn.monitoring.selection import LayerReferences, select_layers, unwrapped
from spiketune.snn.monitoring.watch import Watch

Batch = TypeVar("Batch")

_log = logging.getLogger(__name__)


class Record(Protocol):
    """The part of a `spiketune.Trial` that a monitor writes to."""

    def set_constraint(self, name: str, value: float) -> None:
        """Set a constraint, met when `value <= 0`."""

    def end(self, ended: Literal["silent"]) -> None:
        """Say that the trial was stopped for its silence."""

    def note(self, **details: Any) -> None:
        """Keep facts in the record."""


def monitor(
    model: nn.Module,
    trial: Record | None = None,
    *,
    output: LayerReferences | None = None,
    layers: LayerReferences | None = None,
    min_spikes: int = 1,
    share: float | None = None,
    n_train: int | None = None,
    steps: int | None = None,
    time_axis: int | None = None,
) -> Monitor:
    """Watch a spiking network through its training and validation.

    Spiking layers of snnTorch, SpikingJelly and Norse are recognised. Calls of a model in
    evaluation mode (`model.eval()`) are measured, and `metrics()` tells what came of them.
    Calls in training mode (`model.train()`) only count silent samples, where a `share` is given.

    Args:
        model: The network; may already be on its device, or be moved later.
        trial: Gets the constraint `silence`, the firing rates, and the end as `silent`, when
            `metrics()` is called.
        output: The output layers: names, modules or classes. If None, the layer whose spikes
            reach no other spiking layer, found in the first call.
        layers: All spiking layers, likewise; if None, those that are recognised, or all of the
            classes of `output`.
        min_spikes: Spikes of the output layer, over all its neurons and steps, below which a
            sample is silent.
        share: Share of the samples of a training epoch that may be silent before `silent` is
            true; no rule if None.
        n_train: Samples that go through the model in a training epoch; needed for `share`.
        steps: Time steps of a batch, for models called once for every step whose state cannot
            be seen; otherwise a batch lasts while the output layer goes on with its own state.
        time_axis: Axis of time in the output of layers named by hand; None where they are called
            once for every step.

    Raises:
        InputError: If no spiking layer is found, or an argument is wrong.
        UnknownNameError: If a layer is not one of the model's.
    """
    return Monitor(
        model,
        trial,
        output=output,
        layers=layers,
        min_spikes=min_spikes,
        share=share,
        n_train=n_train,
        steps=steps,
        time_axis=time_axis,
    )


@final
class Monitor:
    """A spiking network under watch, until `close()` or the end of a `with` block.

    Nothing waits for the device before `silent`, `silence` or `metrics()` is read.

    Args:
        model: See `monitor`, as for all others.
        trial: See `monitor`.
        output: See `monitor`.
        layers: See `monitor`.
        min_spikes: See `monitor`.
        share: See `monitor`.
        n_train: See `monitor`.
        steps: See `monitor`.
        time_axis: See `monitor`.
    """

    def __init__(
        self,
        model: nn.Module,
        trial: Record | None = None,
        *,
        output: LayerReferences | None,
        layers: LayerReferences | None,
        min_spikes: int,
        share: float | None,
        n_train: int | None,
        steps: int | None,
        time_axis: int | None,
    ) -> None:
        _check_numbers(min_spikes, share, n_train, steps, time_axis)
        self._model, self._trial = unwrapped(model), trial
        self._layers, outputs = select_layers(self._model, layers, output, time_axis)
        epoch: EpochCount | None = None
        if share is not None and n_train is not None:
            epoch = EpochCount(n_train, share, SampleCount(min_spikes))
        self._watch = Watch(self._model, self._layers, outputs, epoch, min_spikes, steps)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output layers; empty until they are found in the first call."""
        return tuple(layer.name for layer in self._layers if layer.name in self._watch.outputs)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the spiking layers."""
        return tuple(layer.name for layer in self._layers)

    @property
    def silent(self) -> bool:
        """Whether more than `share` of an epoch's training samples were silent: stop.

        Stays true once it is, and later training samples are counted no more. Waits for the
        device.

        Raises:
            InputError: If there is no rule.
        """
        self._watch.stopped = self._watch.stopped or self._rule("silent").stops()
        return self._watch.stopped

    def until_silent(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches of an epoch, until `silent` is true: none from then on.

        Args:
            batches: A data loader, or any other batches.

        Raises:
            InputError: If there is no rule.
        """
        if self.silent:
            return
        for batch in batches:
            yield batch
            if self.silent:
                return

    @property
    def silence(self) -> float | None:
        """Constraint on the last training epoch, met when <= 0; None before any training.

        1 - (samples with at least `min_spikes` spikes) / n_train - share: samples that were not
        processed count as silent, so that an earlier stop is worse.

        Raises:
            InputError: If there is no rule.
        """
        rule = self._rule("silence")
        return rule.constraint() if self._watch.trained else None

    def metrics(self) -> dict[str, float]:
        """What was measured in evaluation mode, since it was entered or since the last reading.

        Returns:
            `spikes_per_sample` (all spiking layers), `silent_share`, `activation_sparsity`,
            `n_parameters`, and `effective_acs_per_sample` and `effective_macs_per_sample`, left
            out where the model has weights that cannot be counted.

        Raises:
            InputError: If no sample was seen in evaluation mode.
        """
        found = self._watch.end_measurement()
        if found.samples.n == 0:
            raise InputError(
                "monitor: no sample was seen in evaluation mode; call model.eval() before the "
                "validation, or run it in `with watch.validation():`"
            )
        metrics = found.metrics()
        metrics["n_parameters"] = sum(value.numel() for value in self._model.parameters())
        if self._watch.uncounted:
            del metrics["effective_acs_per_sample"], metrics["effective_macs_per_sample"]
            _log.warning(
                "operations are not counted, for the weights of %s are applied in ways unknown "
                "to the monitor",
                ", ".join(self._watch.uncounted),
            )
        self._tell_trial()
        return metrics

    def firing_rates(self) -> dict[str, float]:
        """Spikes per neuron and step by layer, of the samples that `metrics()` tells about."""
        return self._watch.measurement.firing_rates()

    @contextmanager
    def validation(self) -> Iterator[Monitor]:
        """Measure the calls in the block, whatever the mode of the model."""
        before, self._watch.forced = self._watch.forced, True
        try:
            yield self
        finally:
            self._watch.forced = before

    def close(self) -> None:
        """Remove the hooks; what was measured can still be read."""
        self._watch.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _rule(self, wanted: str) -> EpochCount:
        if self._watch.epoch is None:
            raise InputError(
                f"monitor: `{wanted}` needs the rule: give share=, the share of training samples "
                "that may be silent, and n_train=, the samples of an epoch"
            )
        return self._watch.epoch

    def _tell_trial(self) -> None:
        if self._trial is None:
            return
        self._trial.note(firing_rates=self.firing_rates())
        if self._watch.epoch is not None and self._watch.trained:
            self._trial.set_constraint("silence", self._watch.epoch.constraint())
            if self.silent:
                self._trial.end("silent")


def _check_numbers(
    min_spikes: int,
    share: float | None,
    n_train: int | None,
    steps: int | None,
    time_axis: int | None,
) -> None:
    if min_spikes < 1:
        raise InputError(f"monitor: min_spikes must be >= 1, got {min_spikes}")
    if share is not None and not 0.0 <= share < 1.0:
        raise InputError(f"monitor: share must be in [0, 1), got {share}")
    if share is not None and n_train is None:
        raise InputError(
            "monitor: share needs n_train, the samples of a training epoch, "
            "e.g. n_train=len(train_set)"
        )
    for name, value in (("n_train", n_train), ("steps", steps)):
        if value is not None and value < 1:
            raise InputError(f"monitor: {name} must be >= 1, got {value}")
    if time_axis not in (None, 0, 1):
        raise InputError(f"monitor: time_axis must be 0, 1 or None, got {time_axis}")
