"""Operation counts, against examples written by hand."""

from functools import partial
from typing import Any

import pytest
import torch
from torch.nn.functional import conv2d

from spiketune.metrics.energy import (
    activation_sparsity,
    conv2d_operations,
    effective_operations,
    fan_out,
)


def test_operations_count_nonzero_inputs_times_nonzero_weights() -> None:
    weight = torch.tensor([[0.5, 0.0, -1.0], [0.0, 0.0, 2.0]])
    assert effective_operations(torch.tensor([3, 7, 2]), weight) == 3 * 1 + 7 * 0 + 2 * 2


def test_a_silent_input_costs_nothing() -> None:
    assert effective_operations(torch.zeros(3), torch.ones(2, 3)) == 0


def test_sparsity_is_the_share_of_outputs_that_are_zero() -> None:
    assert activation_sparsity(25, 100) == 0.75


def test_an_input_at_the_border_of_a_convolution_meets_fewer_weights() -> None:
    weight = torch.ones(1, 1, 3, 3)
    weight[0, 0, 0, 0] = 0.0
    met = fan_out(partial(conv2d, padding=1), weight, (1, 3, 3))
    # The weight at the upper left is met by inputs that lie up and left of an output.
    assert met.tolist() == [[[3, 5, 4], [5, 8, 6], [4, 6, 4]]]


@pytest.mark.parametrize(
    "how",
    [{}, {"stride": 2}, {"padding": "same"}, {"padding": (2, 0), "dilation": 2}, {"groups": 2}],
)
def test_operations_of_a_convolution_are_its_pairs_of_input_and_weight(how: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(5, 4, 9, 8, generator=generator) < 0.3).double()
    weight = torch.randn(6, 4 // how.get("groups", 1), 3, 3, generator=generator)
    weight = weight * (torch.rand(weight.shape, generator=generator) < 0.7)
    pairs = conv2d(spikes, (weight != 0).double(), **how).sum()
    met = fan_out(partial(conv2d, **how), weight, (4, 9, 8))
    assert (spikes.sum(dim=0) * met).sum() == pairs


def test_both_counts_of_a_convolution_agree() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 9, (2, 6, 7), generator=generator)
    weight = torch.randn(3, 2, 3, 3, generator=generator).relu()
    met = fan_out(partial(conv2d, stride=2, padding=1), weight, (2, 6, 7))
    assert (counts * met).sum() == conv2d_operations(counts, weight, (2, 2), (1, 1))


def test_counting_weights_works_in_inference_mode_and_half_precision() -> None:
    weight = torch.ones(2, 1, 3, 3, dtype=torch.float16)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        met = fan_out(partial(conv2d, padding=1), weight, (1, 5, 5))
    assert met[0, 2, 2] == 18
