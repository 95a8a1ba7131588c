"""Operations of weights, counted by hand and by brute force."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from spiketune.snn.monitoring.weights import Operations, uncounted, weights_of

from .models import dense


def operations(module: nn.Module, *args: Any, output: Any = None) -> Operations:
    (weight,) = weights_of(module)
    found = weight.operations(args, {}, output)
    assert found is not None
    return found


def test_a_dense_layer_uses_the_weights_behind_inputs_that_are_not_zero() -> None:
    layer = dense([[0.5, 0.0, -1.0], [0.0, 0.0, 2.0]])
    found = operations(layer, torch.tensor([[[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]]))
    assert (int(found.n), bool(found.analogue)) == (1 + 0 + 1 + 2, False)


def test_one_input_that_is_no_spike_makes_the_weight_analogue() -> None:
    layer = dense([[1.0, 1.0]])
    assert not operations(layer, torch.tensor([[1.0, -1.0]])).analogue
    assert operations(layer, torch.tensor([[1.0, 0.5]])).analogue


def test_weights_that_change_are_counted_anew() -> None:
    layer = dense([[1.0, 1.0]])
    (weight,) = weights_of(layer)
    ones = (torch.ones(1, 2),)
    assert int(weight.operations(ones, {}, None).n) == 2  # type: ignore[union-attr]
    with torch.no_grad():
        layer.weight[0, 0] = 0.0
    assert int(weight.operations(ones, {}, None).n) == 1  # type: ignore[union-attr]
    layer.double()
    layer.weight.data = torch.zeros(1, 2)
    assert int(weight.operations(ones, {}, None).n) == 0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(2, 4, 3, padding=1),
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2),
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
        nn.Conv3d(2, 3, 3),
    ],
    ids=str,
)
def test_operations_of_convolutions_are_pairs_of_input_and_weight(layer: Any) -> None:
    n_axes = layer.weight.dim() - 1
    generator = torch.Generator().manual_seed(1)
    spikes = (torch.rand(3, 2, *([6] * (n_axes - 1)), generator=generator) < 0.4).float()
    expected = layer._conv_forward(spikes, (layer.weight != 0).float(), None).sum()
    assert int(operations(layer, spikes).n) == int(expected)


def test_step_modes_of_spikingjelly_layers_count_alike(spikingjelly: ModuleType) -> None:
    from spikingjelly.activation_based import layer

    spikes = (torch.rand(4, 3, 1, 5, 5, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    steps, whole = layer.Conv2d(1, 2, 3), layer.Conv2d(1, 2, 3, step_mode="m")
    per_step = sum(int(operations(steps, step).n) for step in spikes)
    assert int(operations(whole, spikes).n) == per_step > 0


def test_recurrent_weights_of_norse_are_used_by_the_spikes_before(norse: ModuleType) -> None:
    weights = {
        "input_weights": torch.full((3, 2), 40.0),
        "recurrent_weights": torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    }
    inputs = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]], [[0.0, 0.0]]] * 4)  # (T, B, N_in)
    cell, layer = norse.LIFRecurrentCell(2, 3, **weights), norse.LIFRecurrent(2, 3, **weights)
    first, recurrent = weights_of(cell)
    state, fed_back, by_step, previous = None, 0, [0, 0], torch.zeros(3)
    for step in inputs:
        spikes, new = cell(step, state)
        fed_back += int(previous @ torch.tensor([1.0, 1.0, 1.0]))  # each neuron feeds one other
        for index, weight in enumerate((first, recurrent)):
            found = weight.operations((step, state), {}, (spikes, new))
            by_step[index] += 0 if found is None else int(found.n)
        state, previous = new, spikes[0].detach()
    assert by_step == [int(inputs.sum()) * 3, fed_back]
    assert fed_back > 0
    output = layer(inputs)
    whole = [s.operations((inputs,), {}, output) for s in weights_of(layer)]
    assert [int(found.n) for found in whole if found is not None] == by_step


def test_weights_applied_in_unknown_ways_are_named() -> None:
    class Own(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs @ self.weight.T**2

    model = nn.Sequential(nn.Linear(2, 2), Own(2, 2), nn.LayerNorm([2, 2]), nn.BatchNorm1d(2))
    model.register_parameter("extra", nn.Parameter(torch.zeros(2, 2)))
    assert weights_of(model[1]) == []
    assert list(uncounted(model, {model[0]})) == ["the model itself (Sequential)", "1 (Own)"]
    parametrized = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    assert list(uncounted(parametrized, {parametrized})) == []


def test_weights_that_are_made_anew_for_every_call_are_counted_anew() -> None:
    layer = dense([[1.0, 1.0, 1.0]])
    (weight,) = weights_of(layer)
    prune.custom_from_mask(layer, "weight", torch.ones(1, 3))
    for mask, expected in (([1.0, 1.0, 1.0], 3), ([1.0, 0.0, 0.0], 1), ([1.0, 1.0, 0.0], 2)):
        layer.weight_mask = torch.tensor([mask])
        layer(torch.ones(1, 3))
        found = weight.operations((torch.ones(1, 3),), {}, None)
        assert found is not None
        assert int(found.n) == expected
