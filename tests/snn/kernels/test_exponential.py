"""The exponential of compiled loops against NumPy's."""

import numba
import numpy as np
import pytest

from spiketune.snn.kernels.cpu.exponential import exp_negative


@numba.njit
def _each(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(x)):
        out[i] = exp_negative(x[i])


@pytest.mark.parametrize(
    ("kind", "lowest", "ulps"), [(np.float32, -87.0, 2.0), (np.float64, -708.0, 2.0)]
)
def test_it_is_right_to_two_units_in_the_last_place(
    kind: type[np.floating], lowest: float, ulps: float
) -> None:
    x = np.concatenate([np.linspace(lowest, 0.0, 200_001), -np.logspace(-12, 0, 1000)])
    x = np.append(x.astype(kind), kind(0.0))
    out = np.empty_like(x)
    _each(x, out)
    exact = np.exp(x.astype(np.longdouble))
    errors = np.abs(out - exact) / exact / np.finfo(kind).eps
    assert errors.max() < ulps
    assert out[-1] == 1.0


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_far_below_it_stays_next_to_nothing(kind: type[np.floating]) -> None:
    x = np.array([-1e4, -1e30, -np.inf], dtype=kind)
    out = np.empty_like(x)
    _each(x, out)
    assert (out >= 0).all()
    assert (out < 1e-37).all()
