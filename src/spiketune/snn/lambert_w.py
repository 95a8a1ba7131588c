"""Lambert's W on tensors, on any device, with its derivative."""

from __future__ import annotations

import math
from typing import Any, Final, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Halley's iteration triples the digits; from these starts six steps reach float64.
_STEPS: Final = 12
_NEAR_BRANCH: Final = 1e-5


def _principal(z: Tensor) -> Tensor:
    p = (2.0 * (math.e * z + 1.0)).clamp(min=0.0).sqrt()
    near_branch = -1.0 + p * (1.0 + p * (-1.0 / 3.0 + p * 11.0 / 72.0))
    log = z.clamp(min=1.0).log()
    large = log - torch.where(z > math.e, log.clamp(min=1e-3).log(), torch.zeros_like(z))
    w = torch.where(z < -0.25, near_branch, torch.where(z < 0.0, z * (1.0 - z), z.log1p()))
    w = torch.where(z >= 1.0, large, w)
    w = torch.where(z.isinf(), z, w)
    # Too near to the branch point Halley's denominators vanish; there the series is exact.
    settled = (p < _NEAR_BRANCH) | z.isinf()
    for _ in range(_STEPS):
        e = w.exp()
        f = w * e - z
        step = f / (e * (w + 1.0) - (w + 2.0) * f / (2.0 * w + 2.0))
        w = torch.where(settled | ~step.isfinite(), w, w - step)
    return torch.where(z >= -math.exp(-1.0), w, torch.full_like(w, math.nan))


class _LambertW(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        w = _principal(z)
        ctx.save_for_backward(w)
        return w

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (w,) = ctx.saved_tensors
        found: Tensor = grad * torch.exp(-w) / (1.0 + w)
        return found


def lambert_w(z: Tensor) -> Tensor:
    """The principal branch of W(z) e^W(z) = z, to machine precision; NaN below -1/e.

    Args:
        z: Any shape, float64 for all digits.

    Source: Corless et al. (1996), "On the Lambert W function", Halley's iteration.
    """
    return cast(Tensor, _LambertW.apply(z))  # type: ignore[no-untyped-call]
