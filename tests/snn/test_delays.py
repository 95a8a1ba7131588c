"""Delays by whole and fractional steps, of neurons and of single synapses."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from spiketune.config.architecture import plan_layers
from spiketune.config.network import Network
from spiketune.snn.delays import AxonalDelay, DelayedDense, shifted
from spiketune.snn.kernels import delays as kernels
from spiketune.snn.layers import later


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_whole_delays_shift_and_fractional_ones_lie_between() -> None:
    spikes = torch.zeros(6, 1, 4)
    spikes[1] = 1.0
    found = shifted(spikes, torch.tensor([0.0, 2.0, 1.25, 9.0]))[:, 0]
    assert found[:, 0].tolist() == [0, 1, 0, 0, 0, 0]
    assert found[:, 1].tolist() == [0, 0, 0, 1, 0, 0]
    assert found[:, 2].tolist() == [0, 0, 0.75, 0.25, 0, 0]
    assert found[:, 3].tolist() == [0] * 6


def test_the_compiled_shift_equals_plain_pytorch() -> None:
    for shape in ((1, 1, 1), (7, 3, 5), (20, 2, 33)):
        spikes = torch.rand(shape, generator=generator(), dtype=torch.float64)
        grad = torch.rand(shape, generator=generator(1), dtype=torch.float64)
        delay = torch.rand(shape[2], generator=generator(2), dtype=torch.float64) * 9
        whole, part = delay.floor().long(), delay - delay.floor()
        plain = (1 - part) * kernels._gathered(spikes, -whole)
        plain += part * kernels._gathered(spikes, -whole - 1)
        torch.testing.assert_close(kernels.shift(spikes, delay), plain)
        spikes_grad, delay_grad = kernels.shift_backward(grad, spikes, delay)
        first, second = kernels._gathered(grad, whole), kernels._gathered(grad, whole + 1)
        torch.testing.assert_close(spikes_grad, (1 - part) * first + part * second)
        torch.testing.assert_close(delay_grad, ((second - first) * spikes).sum(dim=(0, 1)))


def test_gradients_of_a_shift_are_those_of_finite_differences() -> None:
    spikes = torch.rand(9, 2, 4, generator=generator(), dtype=torch.float64).requires_grad_()
    delay = torch.tensor([0.3, 1.6, 4.5, 7.9], dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(shifted, (spikes, delay))


def test_axonal_delays_stay_between_zero_and_the_longest() -> None:
    layer = AxonalDelay(3, 4, generator())
    assert bool(((layer.delay >= 0) & (layer.delay < 1)).all())
    with torch.no_grad():
        layer.delay.copy_(torch.tensor([-1.0, 2.0, 7.0]))
    layer(torch.ones(5, 2, 3))
    assert layer.delay.tolist() == [0.0, 2.0, 4.0]


def test_a_delay_of_maps_is_one_per_channel() -> None:
    layer = AxonalDelay(2, 9, generator())
    with torch.no_grad():
        layer.delay.copy_(torch.tensor([1.0, 0.5]))
    maps = (torch.rand(6, 3, 2, 4, 5, generator=generator()) < 0.4).float()
    found = layer(maps)
    torch.testing.assert_close(found[1:, :, 0], maps[:-1, :, 0])
    torch.testing.assert_close(found[1:, :, 1], 0.5 * (maps[1:, :, 1] + maps[:-1, :, 1]))


def test_transmission_takes_whole_steps_and_loses_what_comes_too_late() -> None:
    spikes = torch.arange(4.0).view(4, 1, 1) + 1
    assert later(spikes, 1).flatten().tolist() == [0, 1, 2, 3]
    assert later(spikes, 9).flatten().tolist() == [0, 0, 0, 0]


def delayed(longest: int = 5, **layer: Any) -> DelayedDense:
    section = {"dense": 4, "delay": {"kind": "synaptic", "max_steps": longest}, **layer}
    config = Network.model_validate({"layers": [section, {"dense": "classes"}]})
    return DelayedDense(plan_layers(config, (3,), 2)[0], generator())


def by_hand(synapses: DelayedDense, inputs: Tensor, delay: Tensor) -> Tensor:
    currents = torch.zeros(inputs.shape[0], inputs.shape[1], 4)
    for n in range(4):
        for i in range(3):
            late = later(inputs[:, :, i : i + 1], int(delay[n, i]))[:, :, 0]
            currents[:, :, n] += synapses.weight[n, i] * late
    return currents + synapses.bias


def test_outside_training_every_synapse_has_its_own_whole_delay() -> None:
    synapses = delayed()
    inputs = (torch.rand(9, 2, 3, generator=generator()) < 0.4).float()
    found = synapses(inputs, training=False)
    torch.testing.assert_close(found, by_hand(synapses, inputs, synapses.delay.round()))


def test_kernels_narrow_from_half_the_longest_delay_to_about_one_step() -> None:
    synapses = delayed(8)
    with torch.no_grad():
        synapses.delay.fill_(3.0)
    widths = []
    for progress in (0.0, 0.125, 0.25, 1.0):
        synapses.anneal(progress)
        shape = synapses.kernel(training=True)[0, 0].detach()
        kernel = functional.normalize(shape, p=1, dim=0).abs()
        mean = (kernel * torch.arange(9)).sum()
        widths.append(float((kernel * (torch.arange(9) - mean).square()).sum().sqrt()))
        torch.testing.assert_close(
            synapses.kernel(training=True).sum(dim=-1), synapses.weight, rtol=1e-4, atol=1e-6
        )
    assert widths[0] > widths[1] > widths[2] == pytest.approx(widths[3])
    assert widths[3] == pytest.approx(0.5, abs=0.05)


def test_a_synapse_finds_the_delay_that_its_target_has() -> None:
    synapses = delayed(6, bias=False)
    inputs = (torch.rand(40, 8, 3, generator=generator(3)) < 0.15).float()
    wanted = delayed(6, bias=False)
    with torch.no_grad():
        wanted.delay.copy_(torch.randint(0, 7, (4, 3), generator=generator(4)).float())
        synapses.weight.copy_(wanted.weight)
    target = wanted(inputs, training=False).detach()
    optimizer = torch.optim.Adam([synapses.delay], lr=0.1)
    for step in range(300):
        synapses.anneal(step / 300)
        optimizer.zero_grad()
        functional.mse_loss(synapses(inputs, training=True), target).backward()
        optimizer.step()
    clear = wanted.weight.abs() > 0.15
    assert bool(clear.any())
    torch.testing.assert_close(synapses.delay.round()[clear], wanted.delay[clear])
