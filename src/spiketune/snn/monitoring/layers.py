"""One spiking layer under watch: its spikes, its axes, and whether a call goes on or starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, final

from torch import Tensor, nn

from spiketune.errors import InputError
from spiketune.snn.monitoring.counting import ones_where_not_zero, sum_of_ones
from spiketune.snn.monitoring.libraries import Kind, tensors_in

# Where the state of a call comes from: the layer starts without one, goes on with the one it
# left, got one of somebody else's, or keeps it where it cannot be seen.
Origin: TypeAlias = Literal["none", "own", "other", "hidden"]

_STEP_BY_STEP: Final = None


@final
class WatchedLayer:
    """A spiking layer.

    Args:
        name: Its name in the model.
        module: The layer.
        kind: How its library calls it; None for a layer that was named by hand.
        time_axis: Axis of time in the output of a layer named by hand; None if it is called
            step by step.
    """

    def __init__(
        self, name: str, module: nn.Module, kind: Kind | None, time_axis: int | None
    ) -> None:
        self.name, self.module, self._kind, self._time_axis = name, module, kind, time_axis
        self._left: list[tuple[Tensor, int | None]] = []
        self._returns_state = False
        self._origin: Origin = "none"
        self._model_call = 0
        self._n_calls = 0

    @property
    def time_axis(self) -> int | None:
        """Axis of time in the output; None where a call is one time step."""
        if self._kind is None:
            return self._time_axis
        return 0 if self._kind.takes_sequence(self.module) else _STEP_BY_STEP

    def before_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Look at the state that a call starts from."""
        given = list(tensors_in([args[1:], list(kwargs.values()) if args else []]))
        self._origin = self._origin_of(given or self._kept())

    def after_call(self, output: Any, model_call: int) -> bool | None:
        """Note the state that a call left.

        Args:
            output: What the layer returned.
            model_call: Number of the call of the whole model; 0 outside of one.

        Returns:
            Whether the call started a batch; None if that cannot be told.
        """
        inside = model_call > 0 and model_call == self._model_call
        # A layer that the model called in a loop of its own, or never, starts anew.
        looped = self._n_calls != 1
        self._n_calls = self._n_calls + 1 if inside else 1
        self._model_call = model_call
        state = list(tensors_in(output[1:])) if isinstance(output, tuple | list) else []
        self._returns_state = bool(state)
        self._left = [(value.detach(), _version(value)) for value in (*state, *self._kept())]
        if self._origin == "none":
            return True
        if inside or self._origin == "own":
            return False
        return True if self._origin == "other" or looped else None

    def spikes(self, output: Any) -> Tensor:
        """The spikes that a call returned, alone or before its state.

        Raises:
            InputError: If it returned something else.
        """
        spikes = output[0] if isinstance(output, tuple | list) and output else output
        if not isinstance(spikes, Tensor) or spikes.dim() == 0:
            raise InputError(
                f"monitor: layer '{self.name}' ({type(self.module).__name__}) returned "
                f"{type(spikes).__name__} where spikes (B, ...) were expected; name the layers "
                "that return spikes, or tuples that begin with them, as layers="
            )
        return spikes.detach()

    def count(self, spikes: Tensor) -> tuple[Tensor, int]:
        """Spikes of each sample, and time steps, of one call.

        Args:
            spikes: (B, ...) of one step, (T, B, ...) or (B, T, ...) of a sequence; a single
                sample may lack B.

        Returns:
            Outputs that are not zero, (B,), and the number of steps.

        Raises:
            InputError: If a sequence lacks axes.
        """
        fired = ones_where_not_zero(spikes)
        axis = self.time_axis
        if axis is None:
            samples = fired.unsqueeze(0) if fired.dim() == 1 else fired
            return sum_of_ones(samples.flatten(1), 1), 1
        if fired.dim() < 2:
            raise InputError(
                f"monitor: layer '{self.name}' returned shape {tuple(spikes.shape)} where time, "
                "samples and neurons were expected; say time_axis=None if it is called once for "
                "every step"
            )
        n_steps = fired.shape[axis]
        if fired.dim() == 2:
            return sum_of_ones(fired).reshape(1), n_steps
        if axis == 1:
            return sum_of_ones(fired.flatten(1), 1), n_steps
        return sum_of_ones(fired.flatten(2), (0, 2)), n_steps

    def _kept(self) -> list[Tensor]:
        if self._kind is None:
            return []
        values = [getattr(self.module, name, None) for name in self._kind.state]
        return list(tensors_in(values))

    def _origin_of(self, state: list[Tensor]) -> Origin:
        if not state:
            known = self._kind is not None or self._returns_state or self.time_axis is not None
            return "none" if known else "hidden"
        return "own" if any(map(self._is_left, state)) else "other"

    def _is_left(self, value: Tensor) -> bool:
        # The layer's own state is the same memory, not written since; a detached one is, too.
        place, version = value.data_ptr(), _version(value)
        return place != 0 and any(
            left.data_ptr() == place and then == version for left, then in self._left
        )


def _version(value: Tensor) -> int | None:
    return None if value.is_inference() else value._version
