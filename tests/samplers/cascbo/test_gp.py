"""The processes: equations against GPyTorch, growth against a fresh factor, samples."""

import itertools
import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime

from spiketune.samplers.cascbo.fitting import JITTER, fit, negative_log_posterior
from spiketune.samplers.cascbo.gp import FIRST_FIT, GaussianProcess, last_fit, next_fit
from spiketune.samplers.cascbo.kernel import Hyperparameters, frequencies, matern
from spiketune.samplers.cascbo.packed import PackedCholesky

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it still scripts a function with torch.jit
    import gpytorch

D = 5
GROUP = np.arange(D)
GIVEN = Hyperparameters(np.array([0.3, 0.8, 1.5, 0.5, 3.0]), 1.7, 0.02)


def data(n, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.random((n, D))
    targets = np.sin(5 * features[:, 0]) + features[:, 1] ** 2 + 0.05 * rng.standard_normal(n)
    return features, (targets - targets.mean()) / targets.std()


class Exact(gpytorch.models.ExactGP):
    def __init__(self, features, targets, likelihood, given):
        super().__init__(features, targets, likelihood)
        self.mean_module = gpytorch.means.ZeroMean()
        inner = gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=features.shape[1])
        self.covar_module = gpytorch.kernels.ScaleKernel(inner)
        inner.lengthscale = torch.as_tensor(given.lengthscales)
        self.covar_module.outputscale = given.variance
        likelihood.noise = given.noise + JITTER

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def reference(features, targets, given):
    features, targets = torch.as_tensor(features), torch.as_tensor(targets)
    likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
    model = Exact(features, targets, likelihood, given).double()
    model.covar_module.base_kernel.lengthscale = torch.as_tensor(given.lengthscales)
    model.covar_module.outputscale = torch.tensor(given.variance, dtype=torch.double)
    likelihood.noise = torch.tensor(given.noise + JITTER, dtype=torch.double)
    return model, likelihood


def test_the_posterior_is_gpytorch_s_exact_one():
    features, targets = data(60)
    at = np.random.default_rng(1).random((40, D))
    process = GaussianProcess(GROUP)
    process.condition(features, GIVEN)
    mean, variance = process.posterior(at, targets)
    model, _ = reference(features, targets, GIVEN)
    model.eval()
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        exact = model(torch.as_tensor(at))
        np.testing.assert_allclose(mean, exact.mean.numpy(), atol=1e-6)
        np.testing.assert_allclose(variance, exact.variance.numpy(), atol=1e-6)
    np.testing.assert_allclose(process.mean(at, process.weights(targets)), mean, atol=1e-10)


def test_the_marginal_likelihood_is_gpytorch_s():
    features, targets = data(50)
    logs = np.log([*GIVEN.lengthscales, GIVEN.variance, GIVEN.noise])
    ours, _ = negative_log_posterior(logs, features, targets, GROUP)
    location = np.sqrt(2) + np.log(D) / 2
    prior = 0.5 * (((logs[:D] - location) ** 2 / 3).sum() + logs[-2] ** 2 + (logs[-1] + 4) ** 2)
    model, likelihood = reference(features, targets, GIVEN)
    model.train()
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        marginal = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
        exact = -marginal(model(torch.as_tensor(features)), torch.as_tensor(targets))
    constant = 0.5 * np.log(2 * np.pi)
    assert ours - prior / 50 + constant == pytest.approx(float(exact), abs=1e-6)


@pytest.mark.parametrize("group", [[0, 1, 2, 3, 4], [0, 1, 1, 1, 2]])
def test_the_gradient_is_that_of_finite_differences(group):
    features, targets = data(30)
    group = np.array(group)
    at = np.random.default_rng(3).normal(0.0, 0.5, group.max() + 3)
    _, gradient = negative_log_posterior(at, features, targets, group)
    numeric = approx_fprime(
        at, lambda p: negative_log_posterior(p, features, targets, group)[0], 1e-7
    )
    np.testing.assert_allclose(gradient, numeric, atol=2e-6)


def test_a_fit_finds_which_parameters_matter():
    features, targets = data(150)
    found = fit(features, targets, GROUP)
    assert max(found.lengthscales[:2]) < min(found.lengthscales[2:])
    assert found.noise < 0.1


def test_appending_row_by_row_gives_the_factor_of_the_whole():
    features, targets = data(90)
    grown, fresh = GaussianProcess(GROUP), GaussianProcess(GROUP)
    grown.condition(features[:7], GIVEN)
    for point in features[7:]:
        grown.append(point)
    fresh.condition(features, GIVEN)
    assert grown.n == fresh.n == 90
    at = np.random.default_rng(2).random((20, D))
    for ours, exact in zip(grown.posterior(at, targets), fresh.posterior(at, targets), strict=True):
        np.testing.assert_allclose(ours, exact, atol=1e-9)


def test_a_packed_factor_is_numpy_s():
    rng = np.random.default_rng(0)
    for n in (1, 2, 17, 64, 65, 130):
        root = rng.standard_normal((n, n))
        matrix = root @ root.T + n * np.eye(n)
        packed, grown = PackedCholesky(), PackedCholesky()
        packed.set_from(matrix)
        for i in range(n):
            grown.append(matrix[i, :i], matrix[i, i])
        right = rng.standard_normal(n)
        for one in (packed, grown):
            np.testing.assert_allclose(one.dense(), np.linalg.cholesky(matrix), atol=1e-10)
            np.testing.assert_allclose(one.solve(right), np.linalg.solve(matrix, right), atol=1e-10)


def test_truncating_takes_fantasies_back():
    features, targets = data(40)
    process = GaussianProcess(GROUP)
    process.condition(features[:30], GIVEN)
    before = process.weights(targets[:30])
    for point in features[30:]:
        process.append(point)
    process.truncate(30)
    np.testing.assert_array_equal(process.weights(targets[:30]), before)


def test_a_point_twice_and_a_space_of_one_point_are_no_trouble():
    features = np.full((30, D), 0.5)
    process = GaussianProcess(GROUP)
    process.condition(features[:20], Hyperparameters(GIVEN.lengthscales, 1.0, 1e-5))
    for point in features[20:]:
        process.append(point)
    assert np.isfinite(process.path(features, np.zeros(30), np.random.default_rng(0))).all()


def test_paths_have_the_posterior_s_mean_and_spread():
    features, targets = data(120)
    at = np.random.default_rng(4).random((60, D))
    process = GaussianProcess(GROUP)
    process.condition(features, Hyperparameters(np.full(D, 0.6), 1.0, 0.05))
    mean, variance = process.posterior(at, targets)
    rng = np.random.default_rng(5)
    paths = np.array([process.path(at, targets, rng) for _ in range(1000)])
    spread = np.sqrt(variance)
    assert np.abs((paths.mean(axis=0) - mean) / spread).mean() < 0.05
    assert (paths.std(axis=0) / spread).mean() == pytest.approx(1.0, abs=0.03)


def test_random_features_have_the_kernel_s_covariance():
    rng = np.random.default_rng(0)
    points = rng.random((6, D)) * 2
    waves = frequencies(D, 200_000, rng)
    differences = points[:, None] - points[None]
    estimated = np.cos(differences @ waves.T).mean(axis=-1)
    np.testing.assert_allclose(estimated, matern(points, points), atol=0.01)


def test_the_number_of_the_last_fit_depends_on_the_number_of_observations_alone():
    fits = [last_fit(n) for n in range(500)]
    assert fits[: FIRST_FIT + 1] == [0] * FIRST_FIT + [FIRST_FIT]
    assert all(at <= n for n, at in enumerate(fits))
    assert fits == sorted(fits)
    distinct = sorted(set(fits) - {0})
    assert all(next_fit(a) == b for a, b in itertools.pairwise(distinct))
    assert len(distinct) < 40
