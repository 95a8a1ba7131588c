"""Event lists against dense frames, and the currents summed from them against a product."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from spiketune.snn.sparse import SparseFrames, event_linear, input_path


def frames(shape: tuple[int, ...], density: float, seed: int = 0) -> Tensor:
    """Counts, most of them zero, float64."""
    generator = torch.Generator().manual_seed(seed)
    there = torch.rand(shape, generator=generator) < density
    return there.double() * torch.randint(1, 4, shape, generator=generator)


def assert_equals_the_dense_product(inputs: Tensor, n: int, seed: int, *, bias: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(n, inputs.shape[2], generator=generator, dtype=torch.float64)
    parameters = [weight, torch.randn(n, generator=generator, dtype=torch.float64)]
    for parameter in parameters[: 2 if bias else 1]:
        parameter.requires_grad_()
    shift = parameters[1] if bias else None
    found = event_linear(SparseFrames.of(inputs), weight, shift)
    expected = functional.linear(inputs, weight, shift)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    given = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    learned = parameters[: 2 if bias else 1]
    for one, other in zip(
        torch.autograd.grad(found, learned, given),
        torch.autograd.grad(expected, learned, given),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 50)),
    st.integers(1, 70),
    st.floats(0.0, 1.0),
    st.booleans(),
    st.integers(0, 1000),
)
def test_currents_and_gradients_equal_those_of_the_dense_product(
    shape: tuple[int, int, int], n: int, density: float, bias: bool, seed: int
) -> None:
    assert_equals_the_dense_product(frames(shape, density, seed), n, seed, bias=bias)


@pytest.mark.parametrize("density", [0.0, 1.0])
def test_an_empty_and_a_full_input_are_summed_too(density: float) -> None:
    assert_equals_the_dense_product((frames((3, 4, 9), density) > 0).double(), 1, 0, bias=True)


def test_float32_agrees_up_to_its_rounding() -> None:
    inputs = frames((5, 6, 300), 0.04).float()
    weight, bias = torch.randn(33, 300), torch.randn(33)
    found = event_linear(SparseFrames.of(inputs), weight, bias)
    torch.testing.assert_close(found, functional.linear(inputs, weight, bias), rtol=0, atol=1e-5)


def test_event_lists_hold_what_the_frames_held() -> None:
    inputs = frames((4, 3, 11), 0.2)
    kept = SparseFrames.of(inputs)
    assert torch.equal(kept.dense(), inputs)
    assert torch.equal(kept.count_nonzero(), inputs.count_nonzero(dim=(0, 1)))
    assert kept.density == pytest.approx(float((inputs != 0).double().mean()))
    assert len(kept) == 4


def test_pictures_are_flattened() -> None:
    inputs = frames((4, 3, 2, 5, 5), 0.2)
    assert torch.equal(SparseFrames.of(inputs).dense(), inputs.flatten(2))


def test_other_dimensions_are_not_counted() -> None:
    with pytest.raises(ValueError, match="only counts over time and batch"):
        SparseFrames.of(frames((2, 2, 2), 0.5)).count_nonzero((0, 2))


def test_sparse_input_takes_the_path_of_events() -> None:
    assert input_path(frames((5, 8, 200), 0.01).float()) == "events"
    assert input_path(frames((5, 8, 200), 0.2).float()) == "dense"
    assert input_path(torch.zeros(5, 0, 200)) == "dense"
