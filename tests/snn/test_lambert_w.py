"""Lambert's W on tensors, held against SciPy's."""

import math

import numpy as np
import scipy.special
import torch

from spiketune.snn.lambert_w import lambert_w


def test_values_are_those_of_scipy_to_machine_precision() -> None:
    z = np.concatenate(
        [np.linspace(-0.367, 3.0, 4001), np.logspace(0.5, 250, 500), -np.logspace(-300, -2, 200)]
    )
    found = lambert_w(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(found, scipy.special.lambertw(z).real, rtol=3e-15, atol=1e-15)


def test_it_ends_at_its_branch_point() -> None:
    z = torch.tensor([-math.exp(-1.0), -0.37, 0.0, math.inf], dtype=torch.float64)
    end, beyond, zero, infinite = lambert_w(z).tolist()
    assert abs(end + 1.0) < 1e-7
    assert math.isnan(beyond)
    assert zero == 0.0
    assert infinite == math.inf


def test_its_derivative_is_that_of_finite_differences() -> None:
    z = torch.tensor([-0.3, -0.1, 0.0, 0.5, 20.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambert_w, z)
