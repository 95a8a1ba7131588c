"""Lambert's W, compiled, one number at a time; for tensors see `snn.lambert_w`."""

from __future__ import annotations

import math
from typing import Final

from spiketune.snn.kernels.cpu import compiled

_HALLEY_STEPS: Final = 40
_BRANCH_POINT: Final = -math.exp(-1.0)


@compiled(["float64(float64)"])
def lambert_w(z: float) -> float:
    """The principal branch of W(z) e^W(z) = z, to machine precision; NaN below -1/e.

    Source: Corless et al. (1996), "On the Lambert W function", Halley's iteration.
    """
    if not z >= _BRANCH_POINT:
        return math.nan
    if z == 0.0:
        return 0.0
    if math.isinf(z):
        return z
    # Near the branch point the series in p is what Halley's iteration would need to start from.
    p = math.sqrt(max(2.0 * (math.e * z + 1.0), 0.0))
    if p < 1e-5:
        return -1.0 + p - p * p / 3.0
    if z < 1.0:
        w = -1.0 + p * (1.0 + p * (-1.0 / 3.0 + p * 11.0 / 72.0)) if z < -0.25 else z * (1.0 - z)
        if z > 0.0:
            w = math.log1p(z)
    else:
        w = math.log(z)
        w -= math.log(w) if z > math.e else 0.0
    for _ in range(_HALLEY_STEPS):
        e = math.exp(w)
        f = w * e - z
        step = f / (e * (w + 1.0) - (w + 2.0) * f / (2.0 * w + 2.0))
        w -= step
        if abs(step) <= 1e-16 * (1.0 + abs(w)):
            break
    return w
