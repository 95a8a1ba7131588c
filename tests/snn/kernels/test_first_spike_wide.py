"""Wide layers of first spike times beside one neuron after the other, without delays."""

import math

import numpy as np
import pytest

from spiketune.snn.kernels.first_spike import DOUBLE, EQUAL, backward, forward
from spiketune.snn.kernels.first_spike.backward import backward_one_by_one
from spiketune.snn.kernels.first_spike.entry import _way
from spiketune.snn.kernels.first_spike.one_pass import forward_one_pass

from .first_spike_cases import C

M = 40


@pytest.mark.parametrize("rho", [EQUAL, DOUBLE])
@pytest.mark.parametrize("n", [1, 65, 300])
@pytest.mark.parametrize("limit", [math.inf, 0.3])
def test_wide_layers_do_what_single_neurons_do(rho: float, n: int, limit: float) -> None:
    if rho == EQUAL or n > 64:
        assert _way(n, M, rho, np.empty((1, 0, M, n))) == "wide"
    rng = np.random.default_rng(n)
    times = rng.uniform(0.0, 2.0, (9, n))
    times[rng.random(times.shape) < 0.4] = math.inf
    times[3] = math.inf
    times[:, n // 2] = times[:, 0]
    weights = rng.normal(1.2 / n**0.5, 2.0 / n**0.5, (M, n))
    weights[:3] *= 0.1
    levels = rng.uniform(0.3, 0.7, (9, M))
    none = np.empty((0, M, n))
    for c in (np.full((1, M), C), levels):
        spikes = forward(times, weights, None, rho, c)
        expected, kept = np.empty((9, M)), np.empty((9, M, 2))
        forward_one_pass(times, weights, none, c, rho, 0.0, expected, kept)
        np.testing.assert_allclose(spikes.times, expected, rtol=1e-12)
        np.testing.assert_allclose(spikes.kept, kept, rtol=1e-9, atol=1e-12)
        assert spikes.silent.any()
        assert not spikes.silent.all()

        grad = np.where(spikes.silent, 0.0, rng.normal(size=expected.shape))
        found = backward(grad, times, weights, None, rho, spikes, limit)
        by_weight, by_time = np.zeros((M, n)), np.zeros((9, n))
        n_capped, delays_grad = np.zeros(1, np.int64), np.zeros((0, M, n))
        backward_one_by_one(
            times, weights, none, rho, expected, kept, grad, limit, by_weight, by_time,
            delays_grad, n_capped,
        )  # fmt: skip
        np.testing.assert_allclose(found.weights, by_weight, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.times, by_time, rtol=1e-9, atol=1e-12)
        assert found.n_capped == n_capped[0]
        assert (found.n_capped > 0) == (limit < math.inf)
