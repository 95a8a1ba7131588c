"""Operation counts, against examples written by hand."""

import torch

from spiketune.metrics.energy import activation_sparsity, effective_operations


def test_operations_count_nonzero_inputs_times_nonzero_weights() -> None:
    weight = torch.tensor([[0.5, 0.0, -1.0], [0.0, 0.0, 2.0]])
    assert effective_operations(torch.tensor([3, 7, 2]), weight) == 3 * 1 + 7 * 0 + 2 * 2


def test_a_silent_input_costs_nothing() -> None:
    assert effective_operations(torch.zeros(3), torch.ones(2, 3)) == 0


def test_sparsity_is_the_share_of_outputs_that_are_zero() -> None:
    assert activation_sparsity(25, 100) == 0.75
