"""Sparse input: frames as lists of events, and the first layer's currents from them.

Letters: `T` time steps, `B` batch, `N` neurons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    pass

# Share of inputs that are not zero up to which their sum is faster than a matrix product: 3 to 5
# times as fast at 2 %, 2.5 at 5 %, 1.5 at 10 %, no faster at 15 % (784-256 to 2312-512).
MAX_DENSITY: Final = 0.1

InputPath = Literal["dense", "events"]


@dataclass(frozen=True, slots=True)
class SparseFrames:
    """Frames of a batch, of which only what is not zero is kept.

    Attributes:
        starts: Index of each frame's first entry, frames (t, b) in the order t * B + b, and
            the end of the last, (T * B + 1,).
        inputs: Which input neuron, (n_entries,), ascending within a frame.
        values: (n_entries,).
        shape: (T, B, N_in); T is 1 where the input is the same at every step.
    """

    starts: NDArray[np.int64]
    inputs: NDArray[np.int32]
    values: NDArray[Any]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, frames: Tensor) -> SparseFrames:
        """The entries of dense frames, (T, B, ...), on the CPU."""
        from spiketune.snn.kernels.events import entries

        T, B = frames.shape[:2]
        rows = frames.detach().reshape(T * B, -1).contiguous()
        return cls(*entries(rows.numpy()), (T, B, rows.shape[1]))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def matrix(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]:
        """The frames as a sparse matrix, (T * B, N_in)."""
        return self.starts, self.inputs, self.values

    @property
    def density(self) -> float:
        """Share of the inputs that are not zero."""
        T, B, N = self.shape
        return len(self.inputs) / max(T * B * N, 1)

    def dense(self) -> Tensor:
        """All values, (T, B, N_in)."""
        T, B, N = self.shape
        rows = np.zeros((T * B, N), self.values.dtype)
        rows[np.repeat(np.arange(T * B), np.diff(self.starts)), self.inputs] = self.values
        return torch.from_numpy(rows).view(T, B, N)

    def count_nonzero(self, dim: tuple[int, int] = (0, 1)) -> Tensor:
        """How often each input was not zero, (N_in,); only over time and batch."""
        if dim != (0, 1):
            raise ValueError(f"only counts over time and batch are kept, got dim={dim}")
        return torch.from_numpy(np.bincount(self.inputs, minlength=self.shape[2]))


Input = Tensor | SparseFrames
"""Frames of a batch, (T, B, ...), dense or sparse."""


def input_path(inputs: Tensor) -> InputPath:
    """How input as sparse or dense as this is best handed to a dense layer.

    Args:
        inputs: A batch of the training data, (T, B, ...).
    """
    if inputs.device.type != "cpu" or inputs.dtype != torch.float32 or not inputs.numel():
        return "dense"
    return "events" if int(inputs.count_nonzero()) <= MAX_DENSITY * inputs.numel() else "dense"


class _EventLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, frames: SparseFrames) -> Tensor:
        # Here and not above: a process that never meets sparse input never loads the compiler.
        from spiketune.snn.kernels.events import multiply

        T, B, N_in = frames.shape
        starts, inputs, values = frames.matrix
        ctx.matrix = starts, inputs, values.astype(weight.numpy().dtype, copy=False)
        ctx.n_inputs = N_in
        currents = weight.new_empty((T * B, len(weight)))
        first = weight.new_zeros(len(weight)) if bias is None else bias
        multiply(ctx.matrix, _columns_first(weight), first.numpy(), currents.numpy())
        return currents.view(T, B, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        from spiketune.snn.kernels.events import multiply, transposed

        rows = grad.flatten(0, 1).contiguous()
        weight_grad = bias_grad = None
        if ctx.needs_input_grad[0]:
            by_input = transposed(ctx.matrix, ctx.n_inputs)
            turned = rows.new_empty((ctx.n_inputs, rows.shape[1]))
            multiply(by_input, rows.numpy(), np.zeros_like(turned[0].numpy()), turned.numpy())
            weight_grad = turned.t().contiguous()
        if ctx.needs_input_grad[1]:
            bias_grad = rows.sum(dim=0)
        return weight_grad, bias_grad, None


def _columns_first(weight: Tensor) -> NDArray[Any]:
    """(N, N_in) as (N_in, N), so that an input's weights lie side by side."""
    return weight.t().contiguous().numpy()


def event_linear(frames: SparseFrames, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Currents of a dense layer: the weights of all inputs that are not zero, summed.

    The same as `torch.nn.functional.linear` up to rounding; the input gets no gradient.

    Args:
        frames: The input.
        weight: (N, N_in), on the CPU.
        bias: (N,), or None.

    Returns:
        (T, B, N).
    """
    return cast(Tensor, _EventLinear.apply(weight, bias, frames))  # type: ignore[no-untyped-call]
