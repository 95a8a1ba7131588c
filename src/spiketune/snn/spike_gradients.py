"""What stands in for the derivative of the spike, which is zero almost everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from torch import Tensor

from spiketune.config.training import SpikeGradient as SpikeGradientConfig


class SimpleForm(NamedTuple):
    """A derivative without an exponential, which compiled loops work out on the way.

    At the distance x it is gain / (1 + (scale * x)^2) if `squared`,
    gain / (1 + scale * |x|)^2 if `absolute` and gain * max(0, 1 - scale * |x|) if `hat`.
    """

    kind: Literal["squared", "absolute", "hat", "given"]
    scale: float
    gain: float


class SpikeGradient(Protocol):
    """Derivative used in place of that of `spike = distance > 0`."""

    def derivative_(self, distance: Tensor) -> Tensor:
        """Overwrite `distance`, the membrane minus the threshold, with the derivative there.

        In place, because fresh memory costs more than the arithmetic.
        """
        ...

    def simple_form(self) -> SimpleForm | None:
        """The same derivative as a form that compiled loops know; None if it is none of them."""
        ...


@dataclass(frozen=True, slots=True)
class ATan:
    """Derivative alpha/2 / (1 + (pi/2 * alpha * x)^2), that of a scaled arctangent.

    Source: Fang et al. (2021), "Incorporating Learnable Membrane Time Constant to Enhance
    Learning of Spiking Neural Networks", arXiv:2007.05785.
    """

    alpha: float = 2.0

    def derivative_(self, distance: Tensor) -> Tensor:
        """See `SpikeGradient.derivative_`."""
        # The same as 1 / (2/alpha + x^2 * pi^2 * alpha/2).
        squares = distance.square_().mul_(math.pi**2 * self.alpha / 2.0)
        return squares.add_(2.0 / self.alpha).reciprocal_()

    def simple_form(self) -> SimpleForm:
        """See `SpikeGradient.simple_form`."""
        return SimpleForm("squared", math.pi / 2.0 * self.alpha, self.alpha / 2.0)


def build_spike_gradient(config: SpikeGradientConfig) -> SpikeGradient:
    """The spike gradient that a configuration names."""
    return ATan(config.alpha)
