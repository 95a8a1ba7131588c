"""Processor time of one ask of CASCBO, and how good its fast processes are.

    python benchmarks/search.py asks

22 parameters, one objective, one constraint, one cost model, 2,000 candidates, one thread. An ask
is told one result beforehand, so it appends to all three models; refits fall where they fall.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from search_problems import Outcome, Problem
from search_runs import Searcher
from spiketune.samplers.cascbo.gp import GaussianProcess
from spiketune.space import Float, Space
from spiketune.space.distributions import stored_distribution

D = 22
SIZES = (200, 500, 1000, 2000)
N_ASKS = 12


def measured(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Objective, constraint and log cost with noise, (n, 3)."""
    z = points[:, :8] * 2 - 1
    objective = -(z**2).sum(1) / 4 + 0.3 * np.cos(6 * z).mean(1)
    constraint = points[:, 8:14].sum(1) - 3.2 + 0.3 * np.sin(5 * points[:, 0])
    cost = 1.5 * points[:, 14] + points[:, 15] * points[:, 1] + 0.2 * points[:, 16:].sum(1)
    outputs = np.column_stack([objective, constraint, cost])
    return np.asarray(outputs + 0.05 * rng.standard_normal(outputs.shape))


def ask_times(n: int) -> tuple[float, float, float]:
    """Median, mean and largest processor time of an ask with n observations, in seconds."""
    space = Space({f"x{i}": Float(0.0, 1.0) for i in range(D)})
    rng = np.random.default_rng(n)

    def evaluate(values: Mapping[str, Any]) -> Outcome:
        y, c, t = measured(np.array([[values[f"x{i}"] for i in range(D)]]), rng)[0]
        return Outcome((-y,), {"c": c}, float(np.exp(t)))

    searcher = Searcher(Problem("asks", space, evaluate), "cascbo", {"n_trials": 2 * n}, 0)
    distributions = {name: stored_distribution(p) for name, p in space.items()}
    storage: InMemoryStorage = searcher._storage
    points = rng.random((n, D))
    for point, (y, c, t) in zip(points, measured(points, rng), strict=True):
        trial = create_trial(
            state=TrialState.COMPLETE,
            values=[-y],
            params={f"x{i}": float(v) for i, v in enumerate(point)},
            distributions=distributions,
            user_attrs={"cost_s": float(np.exp(t))},
            constraints={"c": float(c)},
        )
        storage.create_new_trial(searcher._id, trial)
    searcher.ask(0.3)  # the first ask builds the models
    spent = []
    for _ in range(N_ASKS):
        before = time.process_time()
        trial, values = searcher.ask(0.3)
        spent.append(time.process_time() - before)
        searcher.tell(trial, evaluate(values))
    return float(np.median(spent)), float(np.mean(spent)), max(spent)


def quality(n: int = 500, n_held_out: int = 300) -> list[dict[str, float]]:
    """Held-out errors beside GPyTorch's fully refitted posterior, for each of the outputs."""
    rng = np.random.default_rng(1)
    points = rng.random((n + n_held_out, D))
    outputs = measured(points, rng)
    outputs = (outputs - outputs[:n].mean(0)) / outputs[:n].std(0)
    rows = []
    for k in range(outputs.shape[1]):
        targets, truth = outputs[:n, k], outputs[n:, k]
        process = GaussianProcess(np.arange(D))
        process.refit(points[:n], targets)
        mean, variance = process.posterior(points[n:], targets)
        noise = process.hyperparameters.noise
        paths = np.array([process.path(points[n:], targets, rng) for _ in range(500)])
        exact_mean, exact_variance, exact_noise = _gpytorch(points[:n], targets, points[n:])
        rows.append(
            {
                "rmse": _rmse(mean, truth),
                "rmse_exact": _rmse(exact_mean, truth),
                "nll": _nll(mean, variance + noise, truth),
                "nll_exact": _nll(exact_mean, exact_variance + exact_noise, truth),
                "sd_ratio": float((paths.std(axis=0) / np.sqrt(variance)).mean()),
                "sd_ratio_exact": float((paths.std(axis=0) / np.sqrt(exact_variance)).mean()),
            }
        )
    return rows


def _rmse(mean: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((mean - truth) ** 2).mean()))


def _nll(mean: np.ndarray, variance: np.ndarray, truth: np.ndarray) -> float:
    return float((0.5 * np.log(2 * np.pi * variance) + 0.5 * (truth - mean) ** 2 / variance).mean())


def _gpytorch(points: np.ndarray, targets: np.ndarray, at: np.ndarray) -> tuple[Any, Any, float]:
    """Exact posterior after a fit to all points with the same kernel and priors."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gpytorch
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.priors import LogNormalPrior

        torch.set_num_threads(1)
        # Our priors are normal densities over logarithms; these are densities over the values,
        # whose extra factor 1 / value is compensated by a shift of location by the variance.
        prior = LogNormalPrior(2**0.5 + np.log(D) / 2 + 3.0, 3**0.5)
        kernel = gpytorch.kernels.ScaleKernel(
            gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=D, lengthscale_prior=prior),
            outputscale_prior=LogNormalPrior(1.0, 1.0),
        )
        noise = gpytorch.likelihoods.GaussianLikelihood(
            noise_prior=LogNormalPrior(-3.0, 1.0),
            noise_constraint=gpytorch.constraints.GreaterThan(1e-5),
        )
        x, y = torch.as_tensor(points), torch.as_tensor(targets)[:, None]
        model = SingleTaskGP(
            x,
            y,
            covar_module=kernel,
            likelihood=noise,
            mean_module=gpytorch.means.ZeroMean(),
            outcome_transform=None,
        )
        with gpytorch.settings.fast_computations(False, False, False):
            fit_gpytorch_mll(gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model))
            with torch.no_grad():
                posterior = model.posterior(torch.as_tensor(at))
                mean, variance = posterior.mean[:, 0].numpy(), posterior.variance[:, 0].numpy()
    return mean, variance, model.likelihood.noise.item()


def report() -> None:
    """Print both tables."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print("| observations | median ask [s] | mean | largest |")
    print("|---:|---:|---:|---:|")
    for n in SIZES:
        middle, mean, most = ask_times(n)
        print(f"| {n} | {middle:.3f} | {mean:.3f} | {most:.3f} |", flush=True)
    print("\n| output | RMSE | GPyTorch | NLL | GPyTorch | sample sd / sd | / GPyTorch's sd |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, row in zip(("objective", "constraint", "log cost"), quality(), strict=True):
        print(f"| {name} | " + " | ".join(f"{value:.4f}" for value in row.values()) + " |")


if __name__ == "__main__":
    report()
