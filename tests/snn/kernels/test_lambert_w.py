"""Lambert's W of single numbers beside that of SciPy."""

import math

import numpy as np
import pytest
import scipy.special

from spiketune.snn.kernels.lambert_w import lambert_w


def test_lambert_w_is_that_of_scipy_to_machine_precision() -> None:
    z = np.concatenate(
        [np.linspace(-0.367, 3.0, 4001), np.logspace(0.5, 250, 500), -np.logspace(-300, -2, 200)]
    )
    found = np.array([lambert_w(value) for value in z])
    np.testing.assert_allclose(found, scipy.special.lambertw(z).real, rtol=3e-15, atol=1e-15)


def test_lambert_w_ends_at_its_branch_point() -> None:
    assert lambert_w(-math.exp(-1.0)) == pytest.approx(-1.0, abs=1e-7)
    assert math.isnan(lambert_w(-0.37))
    assert lambert_w(0.0) == 0.0
    assert lambert_w(math.inf) == math.inf
