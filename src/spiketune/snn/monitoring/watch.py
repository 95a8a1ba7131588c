"""Hooks on a model and its layers, and what they count of its calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, final

from torch import nn

from spiketune.errors import InputError
from spiketune.snn.monitoring.activity import Measurement, empty
from spiketune.snn.monitoring.batches import EpochCount, SampleCount
from spiketune.snn.monitoring.counting import ones_where_not_zero, sum_of_ones
from spiketune.snn.monitoring.hooks import Hook
from spiketune.snn.monitoring.layers import WatchedLayer
from spiketune.snn.monitoring.output import OutputSearch
from spiketune.snn.monitoring.weights import WatchedWeight, uncounted, weights_of


@final
class Watch:
    """Counts what the layers of a model do, until it is closed.

    Calls in evaluation mode are measured; calls in training mode only count silent samples.

    Args:
        model: The network.
        layers: Its spiking layers.
        outputs: Names of the output layers; none if they are to be found in the first call.
        epoch: Counts silent training samples; None if nobody asks for them.
        min_spikes: Spikes below which a sample counts as silent.
        steps: Time steps of a batch, where the state of the layers does not tell.

    Attributes:
        measurement: What was measured in evaluation mode.
        epoch: The training samples so far.
        outputs: Names of the output layers; empty until they are found.
        uncounted: Names of weights whose operations cannot be counted.
        trained: Whether a training sample was counted.
        stopped: Set it, and training samples are counted no more.
        forced: Set it, and every call is measured, whatever the mode of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[WatchedLayer],
        outputs: frozenset[str],
        epoch: EpochCount | None,
        min_spikes: int,
        steps: int | None,
    ) -> None:
        self._model, self._layers, self._steps = model, layers, steps
        self.outputs = frozenset({layers[0].name}) if len(layers) == 1 else outputs
        self._search = None if self.outputs else OutputSearch()
        self.epoch = epoch
        self.measurement, self._min_spikes = empty(min_spikes), min_spikes
        self._over = False  # the next call in evaluation mode opens another measurement
        self.trained = self.stopped = self.forced = self._running = False
        self._n_calls = self._call = 0
        self._before = (self.epoch, self.measurement, self._over)
        self.uncounted: tuple[str, ...] = ()
        self._handles = list(self._set_hooks())

    def end_measurement(self) -> Measurement:
        """What was measured; the next call in evaluation mode opens another measurement."""
        self._settle_output()
        self._over = True
        return self.measurement

    def close(self) -> None:
        """Remove the hooks."""
        while self._handles:
            self._handles.pop().remove()

    def _set_hooks(self) -> Iterator[Any]:
        """Set the hooks; those of the model enclose those of its layers."""
        yield self._model.register_forward_pre_hook(Hook(self._model_starts))
        for layer in self._layers:
            start, end = partial(self._layer_starts, layer), partial(self._layer_ends, layer)
            yield layer.module.register_forward_pre_hook(Hook(start), with_kwargs=True)
            yield layer.module.register_forward_hook(Hook(end), with_kwargs=True)
        known = {layer.module for layer in self._layers}
        n_weights = 0
        for module in self._model.modules():
            for weight in weights_of(module):
                known.add(module)
                use = partial(self._weight_used, n_weights, weight)
                yield module.register_forward_hook(Hook(use), with_kwargs=True)
                n_weights += 1
        self.uncounted = tuple(uncounted(self._model, known))
        yield self._model.register_forward_hook(Hook(self._model_ends))

    def _model_starts(self, module: nn.Module, args: Any) -> None:
        if self._running:  # the call before raised: it never was
            self.epoch, self.measurement, self._over = self._before
        self._before = (self.epoch, self.measurement, self._over)
        self._running = True
        self._n_calls += 1
        self._call = self._n_calls

    def _model_ends(self, module: nn.Module, args: Any, output: Any) -> None:
        self._running, self._call = False, 0
        self._settle_output()

    def _layer_starts(
        self, layer: WatchedLayer, module: nn.Module, args: Any, kwargs: Mapping[str, Any]
    ) -> None:
        if self._counts_samples(layer):
            layer.before_call(args, kwargs)

    def _layer_ends(
        self,
        layer: WatchedLayer,
        module: nn.Module,
        args: Any,
        kwargs: Mapping[str, Any],
        output: Any,
    ) -> None:
        if self._search is not None:
            self._search.saw(layer.name, args, kwargs, output)
        validates = self._validates()
        counts_samples = self._counts_samples(layer)
        if not (validates or counts_samples):
            return
        spikes = layer.spikes(output)
        if not counts_samples:
            self._measure(layer.name, sum_of_ones(ones_where_not_zero(spikes)), spikes.numel())
            return
        counts, n_steps = layer.count(spikes)
        starts = self._starts(layer, output)
        if validates:
            self._measure(layer.name, counts.sum(), spikes.numel())
            self.measurement = self.measurement.with_samples(
                layer.name, counts, n_steps, starts=starts
            )
        elif self.epoch is not None and not self.stopped:
            self.trained = True
            self.epoch = self.epoch.adding(layer.name, counts, n_steps, starts=starts)

    def _weight_used(
        self,
        number: int,
        weight: WatchedWeight,
        module: nn.Module,
        args: Any,
        kwargs: Mapping[str, Any],
        output: Any,
    ) -> None:
        if self._validates():
            used = weight.operations(args, kwargs, output)
            if used is not None:
                self.measurement = self.measurement.with_operations(number, used)

    def _validates(self) -> bool:
        """Whether the call that runs is to be measured; opens a new measurement if it is due."""
        if self._model.training and not self.forced:
            self._over = True
            return False
        if self._over:
            self._over, self.measurement = False, empty(self._min_spikes)
        return True

    def _counts_samples(self, layer: WatchedLayer) -> bool:
        if self._search is None and layer.name not in self.outputs:
            return False
        return self.epoch is not None or self._validates()

    def _measure(self, layer: str, n_spikes: Any, n_outputs: int) -> None:
        self.measurement = self.measurement.with_spikes(layer, n_spikes, n_outputs)

    def _starts(self, layer: WatchedLayer, output: Any) -> bool:
        """Whether a call of an output layer is the first of a batch."""
        samples = self._samples
        starts = layer.after_call(output, self._call)
        if self._steps is not None:
            starts = samples.steps_of(layer.name) >= self._steps
        first = samples.steps_of(layer.name) == 0
        if starts is None and not first:
            raise InputError(
                f"monitor: layer '{layer.name}' ({type(layer.module).__name__}) is called once "
                "in a call of the model, and its state cannot be seen: say steps=T if the model "
                "is called T times for a batch, steps=1 if it is called once, or time_axis=0 if "
                "the layer returns all steps at once, time first"
            )
        starts = starts is not False
        if starts and not first and self._search is not None:
            self._settle_output()
        return starts

    @property
    def _samples(self) -> SampleCount:
        if self.epoch is None or self._validates():
            return self.measurement.samples
        return self.epoch.samples

    def _settle_output(self) -> None:
        """Take the output layer from what the search saw, if it goes on."""
        if self._search is None or not self._search.seen:
            return
        self.outputs, self._search = frozenset({self._search.found()}), None
        self.measurement = self.measurement.keeping(self.outputs)
        if self.epoch is not None:
            self.epoch = self.epoch.keeping(self.outputs)
