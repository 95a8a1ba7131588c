"""What every neuron accepts: a pack or one network, and parameters per neuron or for all."""

from __future__ import annotations

import torch
from torch import Tensor


def as_pack(currents: Tensor, steps: int | None) -> tuple[Tensor, int]:
    """Currents of a pack, and the number of time steps.

    Args:
        currents: (T, B, N), or (G, T, B, N) for G networks at once; T may be 1 where they are
            the same at every step.
        steps: Number of time steps T; that of the currents if None.

    Returns:
        Currents, (G, T, B, N) or (G, 1, B, N), and the number of time steps.

    Raises:
        ValueError: If the currents have another shape, or neither 1 nor `steps` steps.
    """
    if currents.dim() not in (3, 4):
        shape = tuple(currents.shape)
        raise ValueError(f"currents must be (T, B, N) or (G, T, B, N), got shape {shape}")
    packed = currents if currents.dim() == 4 else currents.unsqueeze(0)
    steps = packed.shape[1] if steps is None else steps
    if packed.shape[1] not in (1, steps):
        raise ValueError(f"currents must have 1 or {steps} steps, got {packed.shape[1]}")
    return packed, steps


def per_neuron(value: float | Tensor, packed: Tensor) -> Tensor:
    """A parameter, () or (N,), in a pack also (G, 1) or (G, N), as (G, N)."""
    tensor = torch.as_tensor(value, dtype=packed.dtype, device=packed.device)
    return tensor.expand(packed.shape[0], packed.shape[3])


def decay_per_neuron(value: float | Tensor, packed: Tensor) -> Tensor:
    """A decay as `per_neuron`, clamped to [0, 1], outside of which its gradient is 0."""
    tensor = torch.as_tensor(value, dtype=packed.dtype, device=packed.device)
    return per_neuron(tensor.clamp(0.0, 1.0), packed)


def as_given(result: Tensor, currents: Tensor) -> Tensor:
    """A result of a pack, (G, T, B, N), without the pack axis if the currents had none."""
    return result if currents.dim() == 4 else result.squeeze(0)
