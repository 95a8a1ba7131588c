"""Spike gradients within Triton kernels, and how they get their numbers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import triton
import triton.language as tl
from torch import Tensor

from spiketune.snn.kernels.forms import KINDS
from spiketune.snn.spike_gradients import SimpleForm, SpikeGradient


class Form(NamedTuple):
    """A spike gradient as kernels take it; `derivative` holds it where no kernel knows it.

    Numbers reach a kernel in single precision: what each lacks is passed as well.
    """

    kind: int
    scale: float
    scale_rest: float
    gain: float
    gain_rest: float
    derivative: Tensor | None


def form_of(gradient: SpikeGradient, distances: Callable[[], Tensor]) -> Form:
    """The form of a spike gradient; distances are worked out if kernels do not know it."""
    form = gradient.simple_form()
    if form is None:
        derivative = gradient.derivative_(distances())
        return Form(KINDS["given"], *_halves(SimpleForm("given", 0.0, 0.0)), derivative)
    return Form(KINDS[form.kind], *_halves(form), None)


def _halves(form: SimpleForm) -> tuple[float, float, float, float]:
    scale, gain = (struct.unpack("f", struct.pack("f", x))[0] for x in (form.scale, form.gain))
    return scale, form.scale - scale, gain, form.gain - gain


@triton.jit
def number(value, rest, kind: tl.constexpr):
    """A number in the type of the kernel."""
    return tl.cast(value, kind) + tl.cast(rest, kind)


@triton.jit
def derivative_at(x, kind: tl.constexpr, scale, gain):
    """See `SimpleForm`."""
    z = scale * tl.abs(x)
    if kind == 1:
        slope = gain / (1.0 + z * z)
    elif kind == 2:
        slope = gain / ((1.0 + z) * (1.0 + z))
    elif kind == 3:
        slope = gain * tl.maximum(1.0 - z, 0.0)
    elif kind == 4:
        slope = gain * tl.exp(-z)
    else:
        e = tl.exp(-z)
        slope = gain * e / ((1.0 + e) * (1.0 + e))
    return slope
