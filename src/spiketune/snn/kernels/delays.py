"""Shifts over time by whole and fractional steps: compiled on a CPU, plain PyTorch elsewhere.

Letters: `T` time steps, `B` batch, `N` neurons.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from spiketune.snn.kernels.cpu import compiled

_SHIFT: Final = [
    f"void({t}[:,:,::1], int64[::1], {t}[::1], {t}[:,:,::1])" for t in ("float32", "float64")
]
_BACKWARD: Final = [
    f"void({t}[:,:,::1], {t}[:,:,::1], int64[::1], {t}[::1], {t}[:,:,::1], float64[::1])"
    for t in ("float32", "float64")
]


@compiled(_SHIFT)
def _shift(spikes: Any, whole: Any, part: Any, output: Any) -> None:
    n_steps, n_samples, n = spikes.shape
    for t in range(n_steps):
        for b in range(n_samples):
            for i in range(n):
                before = t - whole[i]
                value = spikes.dtype.type(0)
                if before >= 0:
                    value = (1 - part[i]) * spikes[before, b, i]
                if before >= 1:
                    value += part[i] * spikes[before - 1, b, i]
                output[t, b, i] = value


@compiled(_BACKWARD)
def _backward(
    grad: Any, spikes: Any, whole: Any, part: Any, spikes_grad: Any, delay_grad: Any
) -> None:
    n_steps, n_samples, n = spikes.shape
    for t in range(n_steps):
        for b in range(n_samples):
            for i in range(n):
                later = t + whole[i]
                value = spikes.dtype.type(0)
                if later < n_steps:
                    value = (1 - part[i]) * grad[later, b, i]
                    delay_grad[i] -= grad[later, b, i] * spikes[t, b, i]
                if later + 1 < n_steps:
                    value += part[i] * grad[later + 1, b, i]
                    delay_grad[i] += grad[later + 1, b, i] * spikes[t, b, i]
                spikes_grad[t, b, i] = value


def shift(spikes: Tensor, delay: Tensor) -> Tensor:
    """Spikes moved along time by straight lines between steps.

    Args:
        spikes: (T, B, N).
        delay: Time steps, not negative, (N,).

    Returns:
        (T, B, N).
    """
    spikes = spikes.contiguous()
    whole, part = _split(delay, spikes.dtype)
    if spikes.device.type == "cpu":
        output = torch.empty_like(spikes)
        _shift(spikes.numpy(), whole.numpy(), part.numpy(), output.numpy())
        return output
    return (1.0 - part) * _gathered(spikes, -whole) + part * _gathered(spikes, -whole - 1)


def shift_backward(grad: Tensor, spikes: Tensor, delay: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients with respect to spikes and delays.

    Args:
        grad: Of the shifted spikes, (T, B, N).
        spikes: As `shift` took them.
        delay: As `shift` took it.

    Returns:
        (T, B, N) and (N,).
    """
    grad, spikes = grad.contiguous(), spikes.contiguous()
    whole, part = _split(delay, spikes.dtype)
    if spikes.device.type == "cpu":
        spikes_grad = torch.empty_like(spikes)
        delay_grad = torch.zeros(delay.shape, dtype=torch.float64)
        _backward(
            grad.numpy(),
            spikes.numpy(),
            whole.numpy(),
            part.numpy(),
            spikes_grad.numpy(),
            delay_grad.numpy(),
        )
        return spikes_grad, delay_grad.to(delay.dtype)
    first, second = _gathered(grad, whole), _gathered(grad, whole + 1)
    return (1.0 - part) * first + part * second, ((second - first) * spikes).sum(dim=(0, 1))


def _split(delay: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    delay = delay.detach()
    whole = delay.floor()
    return whole.long().contiguous(), (delay - whole).to(dtype).contiguous()


def _gathered(values: Tensor, offset: Tensor) -> Tensor:
    """values[t + offset[n], b, n], zero outside."""
    T = values.shape[0]
    when = torch.arange(T, device=values.device).unsqueeze(1) + offset
    inside = ((when >= 0) & (when < T)).unsqueeze(1)
    index = when.clamp(0, T - 1).unsqueeze(1).expand_as(values)
    return values.gather(0, index) * inside
