"""The leaky integrator against its closed form and finite differences."""

import pytest
import torch
from torch import Tensor

from spiketune.snn.kernels import cpu, reference
from spiketune.snn.neurons import leaky_integrator

BOTH = pytest.mark.parametrize("kernels", [cpu, reference], ids=["cpu", "reference"])


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@BOTH
def test_an_impulse_decays_by_beta_at_each_step(kernels: object) -> None:
    currents = torch.zeros(40, 1, 1, dtype=torch.float64)
    currents[3] = 80.0
    membrane = leaky_integrator(currents, 0.9, kernels=kernels)  # type: ignore[arg-type]
    expected = [0.0] * 3 + [80.0 * 0.9**t for t in range(37)]
    assert membrane.flatten().tolist() == pytest.approx(expected, abs=1e-12)


@BOTH
@pytest.mark.parametrize("given", [1, 5])
def test_gradients_pass_a_finite_difference_check(kernels: object, given: int) -> None:
    def membrane(currents: Tensor, beta: Tensor) -> Tensor:
        return leaky_integrator(currents, beta, steps=5, kernels=kernels)  # type: ignore[arg-type]

    inputs = (draw(given, 2, 3).requires_grad_(), draw(3, seed=1).sigmoid().requires_grad_())
    assert torch.autograd.gradcheck(membrane, inputs)


def test_a_pack_has_a_decay_for_each_network() -> None:
    currents, beta = draw(3, 8, 4, 6), torch.tensor([[0.1], [0.5], [0.9]]).double()
    membrane = leaky_integrator(currents, beta)
    for g in range(3):
        assert torch.equal(leaky_integrator(currents[g], beta[g]), membrane[g])


def test_a_batch_of_none_and_a_single_step_are_fine() -> None:
    assert leaky_integrator(torch.zeros(5, 0, 3), 0.9).shape == (5, 0, 3)
    currents = draw(1, 2, 1)
    assert torch.equal(leaky_integrator(currents, 0.9), currents)
