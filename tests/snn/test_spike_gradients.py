"""Spike gradients: their formulas, snnTorch's, and both ways through a neuron."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from snntorch import surrogate

from spiketune.config.network import SpikeGradient as Config
from spiketune.snn.kernels import cpu, reference
from spiketune.snn.neurons import lif
from spiketune.snn.spike_gradients import build_spike_gradient

FORMULAS: list[tuple[dict[str, Any], Callable[[float], float]]] = [
    ({"name": "atan", "alpha": 3.0}, lambda x: 1.5 / (1 + (math.pi / 2 * 3.0 * x) ** 2)),
    ({"name": "fast_sigmoid", "slope": 7.0}, lambda x: 1 / (1 + 7.0 * abs(x)) ** 2),
    (
        {"name": "triangular", "width": 0.6, "height": 0.3},
        lambda x: 0.3 * max(0.0, 1 - abs(x) / 0.6),
    ),
    (
        {"name": "sigmoid", "slope": 5.0},
        lambda x: 5 * math.exp(-5 * x) / (1 + math.exp(-5 * x)) ** 2,
    ),
    (
        {"name": "exponential", "tau": 0.7, "scale": 0.2},
        lambda x: 0.2 / (2 * 0.7) * math.exp(-abs(x) / 0.7),
    ),
    ({"name": "straight_through"}, lambda x: 1.0),
]
EACH = pytest.mark.parametrize(("section", "formula"), FORMULAS, ids=lambda v: str(v)[:24])


@EACH
def test_a_spike_gradient_follows_its_formula(
    section: dict[str, Any], formula: Callable[[float], float]
) -> None:
    x = torch.linspace(-2.0, 2.0, 41, dtype=torch.float64)
    expected = torch.tensor([formula(float(value)) for value in x], dtype=torch.float64)
    found = build_spike_gradient(Config.model_validate(section)).derivative_(x.clone())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@EACH
def test_a_spike_gradient_is_the_same_in_compiled_loops(
    section: dict[str, Any], formula: Callable[[float], float]
) -> None:
    gradient = build_spike_gradient(Config.model_validate(section))
    generator = torch.Generator().manual_seed(0)
    currents = torch.randn(9, 4, 13, generator=generator, dtype=torch.float64)
    grads = []
    for kernels in (cpu, reference):
        own = currents.clone().requires_grad_()
        spikes, _ = lif(own, torch.tensor(0.8), 0.5, gradient, kernels=kernels)
        spikes.square().sum().backward()
        grads.append(own.grad)
    torch.testing.assert_close(grads[0], grads[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("section", "theirs"),
    [
        ({"name": "atan", "alpha": 3.0}, surrogate.atan(alpha=3.0)),
        ({"name": "fast_sigmoid", "slope": 7.0}, surrogate.fast_sigmoid(slope=7.0)),
        ({"name": "sigmoid", "slope": 5.0}, surrogate.sigmoid(slope=5.0)),
        ({"name": "straight_through"}, surrogate.straight_through_estimator()),
    ],
)
def test_a_spike_gradient_equals_that_of_snntorch(section: dict[str, Any], theirs: Any) -> None:
    x = torch.linspace(-2.0, 2.0, 41, dtype=torch.float64, requires_grad=True)
    theirs(x).sum().backward()
    found = build_spike_gradient(Config.model_validate(section)).derivative_(x.detach().clone())
    assert x.grad is not None
    torch.testing.assert_close(found, x.grad, rtol=1e-6, atol=1e-9)


def test_the_gradients_that_are_derivatives_have_unit_area_or_their_scale() -> None:
    x = torch.linspace(-60.0, 60.0, 600_001, dtype=torch.float64)
    for section, area in (
        ({"name": "sigmoid", "slope": 5.0}, 1.0),
        ({"name": "exponential", "tau": 0.7, "scale": 0.2}, 0.2),
        ({"name": "triangular", "width": 2.0, "height": 0.5}, 1.0),
    ):
        gradient = build_spike_gradient(Config.model_validate(section))
        found = torch.trapezoid(gradient.derivative_(x.clone()), x)
        assert found.item() == pytest.approx(area, rel=1e-6)


def test_a_scale_of_another_spike_gradient_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"`slope` does not go with `name: atan`.* `alpha`"):
        Config.model_validate({"name": "atan", "slope": 3.0})
    with pytest.raises(ValidationError, match="which has no scale"):
        Config.model_validate({"name": "straight_through", "alpha": 3.0})
