"""How neurons are laid out for Triton kernels: batch and neurons are one axis, cut into blocks."""

from __future__ import annotations

from typing import Final

import triton
from torch import Tensor

# Few enough that a small layer still fills the multiprocessors.
BLOCK: Final = 128


def grid(values: Tensor) -> tuple[int, int]:
    """Programs for values (G, T, B, N): blocks of neurons, and networks."""
    G, _, B, N = values.shape
    return triton.cdiv(B * N, BLOCK), G


def over_time(grad: Tensor | None) -> tuple[Tensor | None, int, int]:
    """A gradient (G, T, B, N), the distance between its networks, and between its steps.

    A sum over time's is the same at every step and need not be written out.
    """
    if grad is None:
        return None, 0, 0
    if grad.stride(1) == 0:
        once = grad[:, :1].contiguous()
        return once, once[0].numel(), 0
    return grad.contiguous(), grad[0].numel(), grad[0, 0].numel()
