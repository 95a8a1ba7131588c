"""Which modules of snnTorch, SpikingJelly and Norse spike, and how they deal with time.

Modules are told by the names of their classes: no library is imported here, and a subclass of
a library's neuron is recognised like the neuron itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor, nn

_SNNTORCH: Final = "snntorch._neurons."
_SNNTORCH_SEQUENCES: Final = frozenset(
    {"LeakyParallel", "LeakyKernel", "StateLeaky", "LinearLeaky", "AssociativeLeaky"}
)
_SPIKINGJELLY: Final = "spikingjelly.activation_based.neuron."
_SPIKINGJELLY_ANALOGUE: Final = frozenset(
    {"NonSpikingBaseNode", "NoisyNonSpikingBaseNode", "LIAFNode"}
)
_NORSE: Final = "norse.torch.module."
_NORSE_STEPS: Final = frozenset({"SNNCell", "SNNRecurrentCell", "CobaLIFCell"})
_NORSE_SEQUENCES: Final = frozenset({"SNN", "SNNRecurrent"})
_NORSE_ANALOGUE: Final = frozenset({"LI", "LICell", "LIBoxCell"})


@dataclass(frozen=True, slots=True)
class Kind:
    """How spiking modules of one sort are called.

    Attributes:
        library: Its name, for messages.
        takes_sequence: Whether a module is given all time steps in one call, time first.
        state: Attributes in which modules keep their state between calls.
    """

    library: str
    takes_sequence: Callable[[nn.Module], bool]
    state: tuple[str, ...] = ()


def _multi_step(module: nn.Module) -> bool:
    return getattr(module, "step_mode", "s") == "m"


SNNTORCH_STEP: Final = Kind("snnTorch", lambda module: False, ("mem",))
SNNTORCH_SEQUENCE: Final = Kind("snnTorch", lambda module: True)
SPIKINGJELLY: Final = Kind("SpikingJelly", _multi_step, ("v",))
NORSE_STEP: Final = Kind("Norse", lambda module: False)
NORSE_SEQUENCE: Final = Kind("Norse", lambda module: True)


def recognise(module: nn.Module) -> Kind | None:
    """How a spiking module is called; None for everything else, readouts without spikes too."""
    snntorch = class_names(module, _SNNTORCH)
    if snntorch & _SNNTORCH_SEQUENCES:
        # StateLeaky and its kin return spikes only where `output=True`.
        return SNNTORCH_SEQUENCE if getattr(module, "output", True) else None
    if "SpikingNeuron" in snntorch:
        return SNNTORCH_STEP
    spikingjelly = class_names(module, _SPIKINGJELLY)
    if spikingjelly:
        return None if spikingjelly & _SPIKINGJELLY_ANALOGUE else SPIKINGJELLY
    norse = class_names(module, _NORSE)
    if norse & _NORSE_ANALOGUE:
        return None
    if norse & _NORSE_STEPS:
        return NORSE_STEP
    return NORSE_SEQUENCE if norse & _NORSE_SEQUENCES else None


def class_names(module: nn.Module, package: str) -> frozenset[str]:
    """Names of the classes of a module, bases too, that live in a package."""
    return frozenset(
        kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith(package)
    )


def tensors_in(values: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and mappings."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from tensors_in(value)
    elif isinstance(values, tuple | list):
        for value in values:
            yield from tensors_in(value)
