"""Exponentials and logarithms of rows beside those of NumPy."""

import numba
import numpy as np

from spiketune.snn.kernels.first_spike.elementary import exp_row, log_row

# Compiled as part of those that call them.
exponentials = numba.njit(lambda x, y, spare: exp_row(x, y, spare))
logarithms = numba.njit(lambda x, y, spare: log_row(x, y, spare))


def test_exponentials_are_those_of_numpy_to_two_units_in_the_last_place() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-700, 700, 9_999), rng.uniform(-1, 1, 10_000), [0.0, -0.0]])
    y = np.empty_like(x)
    exponentials(x, y, np.empty_like(x))
    np.testing.assert_array_max_ulp(y, np.exp(x), maxulp=2)


def test_exponentials_of_infinities_are_zero_and_infinite() -> None:
    x = np.array([np.inf, -np.inf, 710.0, -710.0, 0.0])
    y = np.empty_like(x)
    exponentials(x, y, np.empty_like(x))
    assert y.tolist() == [np.inf, 0.0, np.inf, 0.0, 1.0]


def test_logarithms_are_those_of_numpy_to_three_units_in_the_last_place() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.exp(rng.uniform(-600, 600, 9_999)), rng.uniform(0.5, 2, 10_000), [1.0]])
    y = np.empty_like(x)
    logarithms(x, y, np.empty_like(x))
    np.testing.assert_allclose(y, np.log(x), rtol=6e-16)
    assert y[-1] == 0.0
