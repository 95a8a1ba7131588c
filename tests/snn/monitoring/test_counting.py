"""Counts by arithmetic, against counts by comparison."""

import pytest
import torch

from spiketune.snn.monitoring.counting import any_analogue, ones_where_not_zero, sum_of_ones

TYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.bool]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", [(7,), (300, 400), (3, 2, 5, 4), (0, 4), (2, 0, 3)])
def test_counts_are_exact_for_every_type_and_shape(
    dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(-2, 3, shape, generator=generator).to(dtype)
    ones = ones_where_not_zero(values)
    assert torch.equal(ones != 0, values != 0)
    assert int(sum_of_ones(ones)) == int((values != 0).sum())
    assert torch.equal(sum_of_ones(ones, 0), (values != 0).sum(dim=0))


@pytest.mark.parametrize("dtype", TYPES[:4], ids=str)
def test_one_value_that_is_no_spike_is_found(dtype: torch.dtype) -> None:
    spikes = torch.tensor([[0.0, 1.0, -1.0]] * 1000, dtype=dtype)
    assert not any_analogue(spikes)
    for other in (0.5, 2.0, -3.0, 1.5e-5, float("nan"), float("inf")):
        with_other = spikes.clone()
        with_other[500, 1] = other
        assert any_analogue(with_other)
    assert not any_analogue(spikes[:0])
    assert not any_analogue(spikes != 0)
