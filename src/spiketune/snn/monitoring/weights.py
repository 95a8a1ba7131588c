"""Operations of the weights that a model applies, counted on the device as NeuroBench does.

Source: Yik et al. (2025), "The neurobench framework for benchmarking neuromorphic computing
algorithms and systems", arXiv:2304.04640.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

import torch
from torch import Tensor, nn

from spiketune.metrics.energy import fan_out
from spiketune.snn.monitoring.counting import any_analogue, ones_where_not_zero, sum_of_ones
from spiketune.snn.monitoring.libraries import class_names, tensors_in

_WRAPPERS: Final = "spikingjelly.activation_based.layer.stateless_wrapper"
_NORSE: Final = "norse.torch.module.snn"
_CONVOLUTIONS: Final = ((nn.Conv1d, 2), (nn.Conv2d, 3), (nn.Conv3d, 4))
_NORMALISATIONS: Final = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)

# What went in, from the arguments and the output of a call; None where nothing did.
Source: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any], Any], Tensor | None]


@dataclass(frozen=True, slots=True)
class Operations:
    """Operations of one weight.

    Attributes:
        n: Inputs that were not zero times the weights that are not zero they met, scalar.
        analogue: Whether an input was another number than 0, 1 or -1, scalar.
    """

    n: Tensor
    analogue: Tensor

    def __add__(self, other: Operations) -> Operations:
        place = other.n.device
        return Operations(
            self.n.to(place) + other.n, torch.logical_or(self.analogue.to(place), other.analogue)
        )


@final
class WatchedWeight:
    """The weight of a module and what goes into it.

    Args:
        module: Owner of the weight.
        weight: Name of the weight.
        n_axes: Axes of one input: 1 of a dense layer, 3 of a two-dimensional convolution.
        source: Finds the inputs of a call.
        connect: The linear map, for anything but a dense layer.
    """

    def __init__(
        self,
        module: nn.Module,
        weight: str,
        n_axes: int,
        source: Source,
        connect: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        self._module, self._weight, self._n_axes = module, weight, n_axes
        self._source, self._connect = source, connect
        self._fan_out: tuple[object, Tensor, Tensor] | None = None
        self._last: tuple[object, tuple[Tensor, Tensor], Tensor] | None = None

    def operations(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> Operations | None:
        """Operations of one call; None where nothing went in. Waits for no device."""
        inputs = self._source(args, kwargs, output)
        if inputs is None:
            return None
        inputs = inputs.detach()
        if inputs.layout != torch.strided:
            inputs = inputs.to_dense()
        met_by = self._met_by(inputs.shape[inputs.dim() - self._n_axes :])
        counts, analogue = self._counted(inputs)
        return Operations((counts * met_by).sum(), analogue)

    def _counted(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """How often each input was not zero, and whether any was no spike."""
        version = None if inputs.is_inference() else inputs._version
        key = (inputs.data_ptr(), version, inputs.shape, inputs.stride(), inputs.dtype)
        if version is None or self._last is None or self._last[0] != key:
            shape = inputs.shape[inputs.dim() - self._n_axes :]
            counts = sum_of_ones(ones_where_not_zero(inputs).reshape(-1, *shape), 0)
            # A constant input is the same at every step. It is kept, as the weight is.
            self._last = (key, (counts, any_analogue(inputs)), inputs)
        return self._last[1]

    def _met_by(self, shape: torch.Size) -> Tensor:
        weight: Tensor = getattr(self._module, self._weight).detach()
        version = None if weight.is_inference() else weight._version
        key = (weight.data_ptr(), version, weight.dtype, shape)
        if version is None or self._fan_out is None or self._fan_out[0] != key:
            if self._connect is None:
                found = weight.count_nonzero(dim=0)
            else:
                found = fan_out(self._connect, weight, shape)
            # The weight is kept, lest another takes its place in memory and looks the same.
            self._fan_out = (key, found, weight)
        return self._fan_out[1]


def weights_of(module: nn.Module) -> list[WatchedWeight]:
    """The weights of a module whose use can be counted; those of its children aside."""
    if _unchanged(module, nn.Linear):
        return [WatchedWeight(module, "weight", 1, _first_input)]
    for convolution, n_axes in _CONVOLUTIONS:
        if _unchanged(module, convolution):
            return [WatchedWeight(module, "weight", n_axes, _first_input, _Convolution(module))]
    norse = class_names(module, _NORSE)
    if "SNNRecurrentCell" in norse:
        return _recurrent(module, _spikes_before)
    if "SNNRecurrent" in norse:
        return _recurrent(module, _spikes_one_step_late)
    return []


def uncounted(model: nn.Module, known: set[nn.Module]) -> Iterator[str]:
    """Names of modules with weights of their own that cannot be counted.

    Args:
        model: The whole model.
        known: Modules that are counted, or whose own parameters are no connections.
    """
    for name, module in model.named_modules():
        if module in known or isinstance(module, _NORMALISATIONS) or "parametrizations" in name:
            continue
        own = [value for value in module.parameters(recurse=False) if not _is_lazy(value)]
        if any(value.dim() >= 2 for value in own):
            yield f"{name or 'the model itself'} ({type(module).__name__})"


def _is_lazy(value: Tensor) -> bool:
    return isinstance(value, nn.parameter.UninitializedParameter)


def _unchanged(module: nn.Module, base: type[nn.Module]) -> bool:
    """Whether a module connects as its base does: an own `forward` may do anything."""
    if not isinstance(module, base):
        return False
    own = type(module).forward
    return own is base.forward or getattr(own, "__module__", "") == _WRAPPERS


@final
class _Convolution:
    def __init__(self, module: Any) -> None:
        self._module = module
        self._apply = next(kind for kind, _ in _CONVOLUTIONS if isinstance(module, kind))

    def __call__(self, inputs: Tensor, weight: Tensor) -> Tensor:
        # As `forward` does it, borders included, but without the hooks of the module.
        output: Tensor = self._apply._conv_forward(self._module, inputs, weight, None)
        return output


def _first_input(args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> Tensor | None:
    return next(tensors_in([args, kwargs]), None)


def _recurrent(module: nn.Module, spikes: Source) -> list[WatchedWeight]:
    return [
        WatchedWeight(module, "input_weights", 1, _first_input),
        WatchedWeight(module, "recurrent_weights", 1, spikes),
    ]


def _spikes_before(args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> Tensor | None:
    """Spikes in the state that a Norse cell was given."""
    return _spikes_in(kwargs.get("state", args[1] if len(args) > 1 else None))


def _spikes_one_step_late(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
) -> Tensor | None:
    """Spikes that a Norse layer fed back to itself while it ran over a sequence."""
    spikes: Tensor = output[0]
    before = _spikes_before(args, kwargs, output)
    first = torch.zeros_like(spikes[:1]) if before is None else before.unsqueeze(0)
    return torch.cat([first, spikes[:-1]])


def _spikes_in(state: Any) -> Tensor | None:
    """Field `z` of a Norse state, or of the states inside it."""
    if isinstance(getattr(state, "z", None), Tensor):
        return state.z  # type: ignore[no-any-return]
    inner = state if isinstance(state, tuple) else ()
    return next((found for part in inner if (found := _spikes_in(part)) is not None), None)
