"""What stands in for the derivative of the spike, which is zero almost everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from torch import Tensor

from spiketune.config.network import SpikeGradient as SpikeGradientConfig


class SimpleForm(NamedTuple):
    """A derivative that kernels work out on the way.

    At the distance x it is gain / (1 + (scale * x)^2) if `squared`,
    gain / (1 + scale * |x|)^2 if `absolute`, gain * max(0, 1 - scale * |x|) if `hat`,
    gain * exp(-scale * |x|) if `exponential` and, with e = exp(-scale * |x|),
    gain * e / (1 + e)^2 if `logistic`.
    """

    kind: Literal["squared", "absolute", "hat", "exponential", "logistic", "given"]
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
        """The same derivative as a form that kernels know; None if it is none of them."""
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


@dataclass(frozen=True, slots=True)
class FastSigmoid:
    """Derivative 1 / (1 + slope * |x|)^2.

    Source: Zenke and Ganguli (2018), "SuperSpike: Supervised Learning in Multilayer Spiking
    Neural Networks", arXiv:1705.11146.
    """

    slope: float = 25.0

    def derivative_(self, distance: Tensor) -> Tensor:
        """See `SpikeGradient.derivative_`."""
        return distance.abs_().mul_(self.slope).add_(1.0).square_().reciprocal_()

    def simple_form(self) -> SimpleForm:
        """See `SpikeGradient.simple_form`."""
        return SimpleForm("absolute", self.slope, 1.0)


@dataclass(frozen=True, slots=True)
class Triangular:
    """Derivative height * max(0, 1 - |x| / width).

    Source: Bellec et al. (2018), "Long short-term memory and learning-to-learn in networks of
    spiking neurons", arXiv:1803.09574.
    """

    width: float = 1.0
    height: float = 1.0

    def derivative_(self, distance: Tensor) -> Tensor:
        """See `SpikeGradient.derivative_`."""
        falling = distance.abs_().mul_(-1.0 / self.width).add_(1.0)
        return falling.clamp_(min=0.0).mul_(self.height)

    def simple_form(self) -> SimpleForm:
        """See `SpikeGradient.simple_form`."""
        return SimpleForm("hat", 1.0 / self.width, self.height)


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """Derivative of the logistic function of slope * x."""

    slope: float = 25.0

    def derivative_(self, distance: Tensor) -> Tensor:
        """See `SpikeGradient.derivative_`."""
        share = distance.mul_(self.slope).sigmoid_()
        return share.addcmul_(share, share, value=-1.0).mul_(self.slope)

    def simple_form(self) -> SimpleForm:
        """See `SpikeGradient.simple_form`."""
        return SimpleForm("logistic", self.slope, self.slope)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Derivative scale / (2 * tau) * exp(-|x| / tau).

    SLAYER gives both relative to other values: tau is 100 * tau_grad * threshold, and scale is
    0.1 * scale_grad.

    Source: Shrestha and Orchard (2018), "SLAYER: Spike Layer Error Reassignment in Time",
    arXiv:1810.08646.
    """

    tau: float = 1.0
    scale: float = 1.0

    def derivative_(self, distance: Tensor) -> Tensor:
        """See `SpikeGradient.derivative_`."""
        falling = distance.abs_().mul_(-1.0 / self.tau).exp_()
        return falling.mul_(self.scale / (2.0 * self.tau))

    def simple_form(self) -> SimpleForm:
        """See `SpikeGradient.simple_form`."""
        return SimpleForm("exponential", 1.0 / self.tau, self.scale / (2.0 * self.tau))


@dataclass(frozen=True, slots=True)
class StraightThrough:
    """Derivative 1 everywhere.

    Source: Bengio et al. (2013), "Estimating or Propagating Gradients Through Stochastic
    Neurons for Conditional Computation", arXiv:1308.3432.
    """

    def derivative_(self, distance: Tensor) -> Tensor:
        """See `SpikeGradient.derivative_`."""
        return distance.fill_(1.0)

    def simple_form(self) -> SimpleForm:
        """See `SpikeGradient.simple_form`."""
        return SimpleForm("hat", 0.0, 1.0)


_BY_NAME: Final[Mapping[str, Callable[..., SpikeGradient]]] = {
    "atan": ATan,
    "fast_sigmoid": FastSigmoid,
    "triangular": Triangular,
    "sigmoid": Sigmoid,
    "exponential": Exponential,
    "straight_through": StraightThrough,
}


def build_spike_gradient(config: SpikeGradientConfig) -> SpikeGradient:
    """The spike gradient that a configuration names."""
    return _BY_NAME[config.name](**config.scales)
