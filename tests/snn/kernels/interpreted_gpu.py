"""Triton kernels against the plain reference, through Triton's interpreter on the CPU.

Run as a program with TRITON_INTERPRET=1: Triton reads it when it is imported.
"""

import itertools
import sys

import torch
from torch import Tensor

from spiketune.snn.kernels import gpu, reference
from spiketune.snn.kernels.reference import Reset
from spiketune.snn.neurons import AlifParameters, alif, cuba_lif, leaky_integrator, lif
from spiketune.snn.spike_gradients import (
    ATan,
    Exponential,
    FastSigmoid,
    Sigmoid,
    SpikeGradient,
    StraightThrough,
    Triangular,
)


class Given(Exponential):
    """A spike gradient that no kernel knows."""

    def simple_form(self) -> None:  # type: ignore[override]
        """See `SpikeGradient.simple_form`."""


GRADIENTS: tuple[SpikeGradient, ...] = (
    ATan(2.0),
    FastSigmoid(5.0),
    Triangular(0.9, 0.3),
    Sigmoid(4.0),
    Exponential(0.7, 0.3),
    StraightThrough(),
    Given(0.7, 0.3),
)
# Pack, steps, batch, neurons: one of each, no multiple of a block, a block, more than one.
SHAPES = ((1, 1, 1, 1), (2, 5, 3, 7), (1, 4, 2, 64), (3, 3, 9, 37), (1, 2, 1, 1))
RESETS: tuple[Reset, ...] = ("subtract", "zero", "none")


def draw(*shape: int, seed: int, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def compare(what: str, results: list[list[Tensor | None]], dtype: torch.dtype) -> None:
    for place, (found, expected) in enumerate(zip(*results, strict=True)):
        assert found is not None, (what, place)
        assert expected is not None, (what, place)
        tolerance = 1e-11 if dtype == torch.float64 else 3e-5
        scale = max(1.0, float(expected.detach().abs().max()))
        close = torch.allclose(found, expected, rtol=0, atol=tolerance * scale)
        assert close, (what, place, float((found - expected).detach().abs().max()))


def loss(outputs: tuple[Tensor, ...], parts: str, seed: int) -> Tensor:
    """Of spikes, membrane, or both; `mean` has a gradient that is the same at every step."""
    spikes, membrane = outputs
    if parts == "mean":
        return spikes.sum(dim=-3).square().sum() + membrane.sum(dim=-3).sum()
    mix = draw(2, *spikes.shape, seed=seed, dtype=spikes.dtype)
    total = spikes.new_zeros(())
    if parts in ("spikes", "both"):
        total = total + (spikes * mix[0]).sum()
    if parts in ("membrane", "both"):
        total = total + (membrane * mix[1]).sum()
    return total


def check_lif(seed: int, dtype: torch.dtype, constant: bool, parts: str, cuba: bool) -> None:
    G, T, B, N = SHAPES[seed % len(SHAPES)]
    gradient, reset = GRADIENTS[seed % len(GRADIENTS)], RESETS[seed % len(RESETS)]
    results = []
    for kernels in (gpu, reference):
        currents = draw(G, 1 if constant else T, B, N, seed=seed, dtype=dtype).requires_grad_()
        alpha, beta = (
            d.clone().requires_grad_() for d in draw(2, G, N, seed=seed, dtype=dtype).sigmoid()
        )
        threshold = draw(G, N, seed=seed + 1, dtype=dtype).abs() + 0.1
        if cuba:
            outputs = cuba_lif(
                currents, alpha, beta, threshold, gradient, reset=reset, steps=T, kernels=kernels
            )
        else:
            outputs = lif(
                currents, beta, threshold, gradient, reset=reset, steps=T, kernels=kernels
            )
        loss(outputs, parts, seed).backward()
        grads = [currents.grad, beta.grad, *([alpha.grad] if cuba else [])]
        results.append([*outputs, *grads])
    compare(f"lif {seed} {dtype} {constant} {parts} {cuba}", results, dtype)


def check_alif(seed: int, dtype: torch.dtype, constant: bool, parts: str, learn: bool) -> None:
    G, T, B, N = SHAPES[seed % len(SHAPES)]
    results = []
    for kernels in (gpu, reference):
        currents = draw(G, 1 if constant else T, B, N, seed=seed, dtype=dtype).add_(0.4)
        currents.requires_grad_()
        values = [v.clone() for v in draw(6, G, N, seed=seed, dtype=dtype).sigmoid()]
        for decay in values[:4] if learn else []:
            decay.requires_grad_()
        outputs = alif(
            currents,
            AlifParameters(*values),
            GRADIENTS[seed % len(GRADIENTS)],
            steps=T,
            kernels=kernels,
        )
        loss(outputs, parts, seed).backward()
        results.append([*outputs, currents.grad, *(v.grad for v in values[:4] if learn)])
    compare(f"alif {seed} {dtype} {constant} {parts} {learn}", results, dtype)


def check_integrator() -> None:
    results = []
    for kernels in (gpu, reference):
        currents = draw(2, 5, 3, 50, seed=0, dtype=torch.float64).requires_grad_()
        beta = torch.full((2, 1), 0.9, dtype=torch.float64, requires_grad=True)
        membrane = leaky_integrator(currents, beta, kernels=kernels)
        membrane.square().sum().backward()
        results.append([membrane, currents.grad, beta.grad])
    compare("integrator", results, torch.float64)


def check_nothing() -> None:
    currents = torch.zeros(5, 0, 3, requires_grad=True)
    spikes, membrane = lif(currents, torch.tensor(0.9), 1.0, ATan(), kernels=gpu)
    (spikes.sum() + membrane.sum()).backward()
    assert spikes.shape == (5, 0, 3)
    parameters = AlifParameters(0.1, 0.1, 0.1, 0.1, 1.0, 0.1)
    spikes, membrane = alif(currents, parameters, ATan(), kernels=gpu)
    (spikes.sum() + membrane.sum()).backward()
    assert membrane.shape == (5, 0, 3)


def main() -> int:
    parts = itertools.cycle(("both", "spikes", "membrane", "mean"))
    n_checks = 0
    for seed in range(21):  # every gradient with every reset
        dtype = torch.float32 if seed % 4 == 3 else torch.float64
        check_lif(seed, dtype, seed % 3 == 1, next(parts), seed % 5 == 2)
        check_alif(seed, dtype, seed % 3 == 2, next(parts), seed % 5 != 1)
        n_checks += 2
    check_integrator()
    check_nothing()
    print(f"{n_checks + 2} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
