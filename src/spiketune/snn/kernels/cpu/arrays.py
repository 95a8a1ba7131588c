"""Tensors as the arrays that compiled loops take: batch and neurons are one axis."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from torch import Tensor

# A block's rows of current, membrane, spikes and parameters together fit 32 KiB in float32.
BLOCK: Final = 1024


def rows(values: Tensor, steps: int) -> Any:
    """Batch and neurons as one axis: (G, T, B * N)."""
    return values.contiguous().view(len(values), steps, -1 if values.numel() else 0).numpy()


def over_time(grad: Tensor | None, nothing: Tensor) -> tuple[Any, int]:
    """A gradient as rows, and whether it changes with time; the sum over time's does not."""
    if grad is None:
        return rows(nothing, 0), 0
    if grad.stride(1) == 0:
        return rows(grad[:, :1], 1), 0
    return rows(grad, grad.shape[1]), 1


def repeated(parameter: Tensor, n_samples: int) -> Any:
    """Parameters (G, N) repeated to as many whole samples as fit a block, (G, n * N)."""
    G, N = parameter.shape
    times = max(1, min(n_samples, BLOCK // max(N, 1)))
    # Copied by NumPy: torch's `repeat` takes a hundred times as long as this small array needs.
    once = parameter.contiguous().numpy()[:, None, :]
    return np.array(np.broadcast_to(once, (G, times, N)), order="C").reshape(G, times * N)
