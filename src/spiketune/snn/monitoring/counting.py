"""Counting what is not zero: by arithmetic, several times faster on a CPU than by comparison."""

from __future__ import annotations

import torch
from torch import Tensor


def ones_where_not_zero(values: Tensor) -> Tensor:
    """1 where a value is not zero, else 0, as floating point; of any shape."""
    return _numbers(values).sign().abs_()


def any_analogue(values: Tensor) -> Tensor:
    """Whether any value is another number than 0, 1 or -1, scalar."""
    numbers = _numbers(values)
    return numbers.sub(numbers.sign()).abs_().sum() != 0


def sum_of_ones(ones: Tensor, axes: int | tuple[int, ...] | None = None) -> Tensor:
    """Sum of zeros and ones over some axes, or all of them, as whole numbers.

    Exact where fewer than 2**24 of them meet: along the axes given, or in the last axes from the
    third on where none are given.
    """
    if axes is None:
        rows = ones.flatten(2) if ones.dim() > 2 else ones
        return rows.sum(dim=-1, dtype=torch.float32).long().sum()
    return ones.sum(dim=axes, dtype=torch.float32).long()


def _numbers(values: Tensor) -> Tensor:
    return values if values.is_floating_point() else values.float()
