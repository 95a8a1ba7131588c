"""The compiled loops against the plain reference."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spiketune.snn.kernels import cpu, reference
from spiketune.snn.kernels.reference import Reset
from spiketune.snn.neurons import lif
from spiketune.snn.spike_gradients import ATan

RESETS: tuple[Reset, ...] = ("subtract", "zero", "none")
Draw = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def draw(shape: tuple[int, int, int, int], given: int, dtype: torch.dtype, seed: int) -> Draw:
    """Currents, decays, thresholds and the gradients of spikes and membrane."""
    generator = torch.Generator().manual_seed(seed)
    G, _, B, N = shape

    def normal(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator, dtype=torch.float64).to(dtype)

    beta, threshold = normal(G, N).sigmoid(), normal(G, N).abs() + 0.1
    return normal(G, given, B, N), beta, threshold, normal(*shape), normal(*shape)


def run(
    kernels: Any, drawn: Draw, reset: Reset, steps: int, **options: Any
) -> tuple[Tensor | None, ...]:
    currents, beta, threshold, *grads = drawn
    spikes, membrane = kernels.lif.forward(currents, beta, threshold, reset, steps)
    with_membrane = options.pop("with_membrane", True)
    grad, beta_grad = kernels.lif.backward(
        grads[0],
        grads[1] if with_membrane else None,
        membrane,
        beta,
        threshold,
        reset=reset,
        gradient=options.pop("gradient", ATan()),
        summed=currents.shape[1] != steps,
        beta_needed=True,
    )
    return spikes, membrane, grad, beta_grad


def assert_same(found: tuple[Tensor | None, ...], expected: tuple[Tensor | None, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one is not None
        assert other is not None
        tolerance = 1e-12 if one.dtype == torch.float64 else 1e-5
        scale = max(1.0, float(other.abs().max()) if other.numel() else 1.0)
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*(st.integers(1, high) for high in (3, 9, 40, 60))),
    st.sampled_from(RESETS),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
def test_values_and_gradients_equal_the_reference_on_random_shapes(
    shape: tuple[int, int, int, int], reset: Reset, constant: bool, with_membrane: bool, seed: int
) -> None:
    T = shape[1]
    drawn = draw(shape, 1 if constant else T, torch.float64, seed)
    found, expected = (
        run(kernels, drawn, reset, T, with_membrane=with_membrane) for kernels in (cpu, reference)
    )
    assert_same(found, expected)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 25, 7, 10), (2, 5, 3, 1500), (1, 4, 129, 33)])
def test_single_precision_agrees_with_the_reference(shape: tuple[int, int, int, int]) -> None:
    drawn = draw(shape, shape[1], torch.float32, seed=3)
    found, expected = (run(kernels, drawn, "subtract", shape[1]) for kernels in (cpu, reference))
    assert found[0] is not None
    assert found[0].sum() > 0 or shape[3] == 1
    assert_same(found, expected)


def test_a_batch_of_none_gives_nothing() -> None:
    spikes, membrane = lif(torch.zeros(5, 0, 3), torch.tensor(0.9), 1.0, ATan())
    assert spikes.shape == membrane.shape == (5, 0, 3)


@pytest.mark.parametrize("summed", [False, True])
def test_a_gradient_that_is_the_same_at_every_step_need_not_be_written_out(summed: bool) -> None:
    drawn = draw((2, 6, 5, 4), 1 if summed else 6, torch.float64, seed=1)
    same = (*drawn[:3], *(grad[:, :1].expand(-1, 6, -1, -1) for grad in drawn[3:]))
    found, expected = run(cpu, same, "subtract", 6), run(reference, same, "subtract", 6)
    assert_same(found, expected)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_packed_networks_equal_solo_ones_bit_for_bit(reset: Reset, dtype: torch.dtype) -> None:
    drawn = draw((5, 12, 9, 31), 12, dtype, seed=2)
    packed = run(cpu, drawn, reset, 12)
    for g in range(5):
        solo = run(cpu, tuple(part[g : g + 1] for part in drawn), reset, 12)
        for one, other in zip(solo, packed, strict=True):
            assert one is not None
            assert other is not None
            assert torch.equal(one[0], other[g])


def test_a_pack_has_a_decay_and_a_threshold_for_each_network() -> None:
    currents = draw((3, 8, 4, 6), 8, torch.float64, seed=4)[0]
    beta = torch.tensor([[0.1], [0.5], [0.9]], dtype=torch.float64, requires_grad=True)
    threshold = torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64)
    spikes, membrane = lif(currents, beta, threshold, ATan())
    membrane.sum().backward()
    for g in range(3):
        alone = beta.detach()[g].requires_grad_()
        solo = lif(currents[g], alone, float(threshold[g]), ATan())
        solo[1].sum().backward()
        assert torch.equal(solo[0], spikes[g])
        assert torch.equal(solo[1], membrane[g])
        assert alone.grad is not None
        assert beta.grad is not None
        torch.testing.assert_close(alone.grad, beta.grad[g], rtol=0, atol=1e-12)


def test_a_process_that_never_runs_a_neuron_never_imports_the_compiler() -> None:
    code = "import sys, spiketune.snn.networks; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_forked_child_finds_the_loops_compiled() -> None:
    # As the fork server does it: imported before the fork, run in the child only.
    code = """
import os, sys, time, torch
from spiketune.snn.kernels import cpu
from spiketune.snn.neurons import lif
from spiketune.snn.spike_gradients import ATan
compiled = [len(loop.signatures) for loop in (cpu.lif._forward, cpu.lif._backward)]
pid = os.fork()
if pid == 0:
    currents = torch.ones(5, 3, 4, requires_grad=True)
    lif(currents, torch.tensor(0.9), 1.0, ATan())[0].sum().backward()
    same = compiled == [len(loop.signatures) for loop in (cpu.lif._forward, cpu.lif._backward)]
    os._exit(0 if same and compiled == [2, 2] and currents.grad is not None else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
