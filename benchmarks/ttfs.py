"""First spike times: our layers beside ones with an n x n mask, turn about in one run.

The other side is what the equations suggest: inputs are sorted, a triangular mask makes all
prefixes of all inputs, and the first valid spike time is taken; autograd does the rest. Forward
and backward of one layer with delays per input, in processor time of one thread; peak memory in
processes of their own. Then an epoch of `yin-yang-h30-ws`, a pack of 16 seeds of it beside one
seed, and a step of 784-350-10 at batch 80.

    python benchmarks/ttfs.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path

import torch
import yaml
from torch import Tensor

from spiketune.config.training import TrainingTrial
from spiketune.data.registry import load
from spiketune.snn.first_spike import first_spikes
from spiketune.training.first_spike import FirstSpikeTrainer
from spiketune.training.first_spike_pack import FirstSpikePack

# Inputs, neurons, batch: the mask takes B n n M numbers, so large layers must be thin.
CASES = ((4, 30, 150), (64, 30, 50), (784, 10, 2))


def masked(times: Tensor, weight: Tensor, c: float = 0.5) -> Tensor:
    """First spike times by all prefixes at once, for a membrane twice as slow; (B, M)."""
    when, order = times.sort(dim=1)
    weights = weight[order]  # (B, n, M)
    n = when.shape[1]
    mask = torch.tril(torch.ones(n, n, dtype=times.dtype))
    causal = mask[None, :, :, None] * weights[:, None]  # (B, prefix, n, M)
    e = (causal * when.exp()[:, None, :, None]).sum(dim=2)
    a = (causal * (0.5 * when).exp()[:, None, :, None]).sum(dim=2)
    root = a * a - 4.0 * e * c
    there = (root > 0.0) & (e > 0.0)
    inside = 2.0 * e / (a + torch.where(there, root, torch.ones_like(root)).sqrt())
    there = there & (inside > 0.0)
    at = 2.0 * torch.where(there, inside, torch.ones_like(inside)).log()
    following = torch.cat([when[:, 1:], torch.full_like(when[:, :1], torch.inf)], dim=1)
    there = there & (at >= when.unsqueeze(2)) & (at <= following.unsqueeze(2))
    return torch.where(there, at, torch.full_like(at, torch.inf)).min(dim=1).values


def ours(times: Tensor, weight: Tensor) -> Tensor:
    """The same by this package; (B, M)."""
    return first_spikes(times, weight)


def step(side: Callable[[Tensor, Tensor], Tensor], case: tuple[int, int, int]) -> Tensor:
    """Forward and backward of one batch; the gradient of the weights."""
    n, n_neurons, n_samples = case
    generator = torch.Generator().manual_seed(0)
    times = torch.rand(n_samples, n, generator=generator, dtype=torch.float64) * 2.0
    weight = torch.randn(n, n_neurons, generator=generator, dtype=torch.float64)
    weight = ((1.5 + weight) * 4.0 / n).requires_grad_()
    delays = torch.zeros(n, dtype=torch.float64, requires_grad=True)
    found = side(times + delays, weight)
    found[found.isfinite()].sum().backward()
    return weight.grad


def seconds(work: Callable[[], object], at_least_s: float = 0.3) -> float:
    """Processor time of one call."""
    n, started_s = 0, time.process_time()
    while time.process_time() - started_s < at_least_s:
        work()
        n += 1
    return (time.process_time() - started_s) / n


def trainer(name: str, train_share: float = 1.0) -> FirstSpikeTrainer:
    """Of a recipe, with one epoch."""
    text = files("spiketune.recipes").joinpath(f"{name}.yaml").read_text()
    section = yaml.safe_load(text)["trial"]
    section["training"]["epochs"] = 1
    section["dataset"]["train_share"] = train_share
    config = TrainingTrial.model_validate(section)
    return FirstSpikeTrainer(config, load(config.dataset), seed=0, study_seed=0)


def section(name: str) -> TrainingTrial:
    """The trial section of a recipe, with a few epochs."""
    text = files("spiketune.recipes").joinpath(f"{name}.yaml").read_text()
    trial = yaml.safe_load(text)["trial"]
    trial["training"]["epochs"] = 3
    return TrainingTrial.model_validate(trial)


def both_times(work: Callable[[], object]) -> tuple[float, float]:
    """Processor and wall time of one call."""
    started_s = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - started_s[0], time.perf_counter() - started_s[1]


def pack(rounds: int, n: int = 16) -> str:
    """Whole epochs, with validation, of a pack of seeds beside one seed, turn about."""
    config = section("yin-yang-h30-ws")
    splits, epochs = load(config.dataset), config.training.epochs
    ratios, alone, together = [], [], []
    for _ in range(rounds + 1):
        one = FirstSpikeTrainer(config, splits, seed=0, study_seed=0)
        many = FirstSpikePack(config, splits, range(n), study_seed=0)
        own, all_of_them = both_times(one.run), both_times(many.run)
        ratios.append([theirs / ours for theirs, ours in zip(all_of_them, own, strict=True)])
        alone.append(own[0] / epochs)
        together.append(all_of_them[0] / epochs)
    cpu, wall = (statistics.median(side) for side in zip(*ratios[1:], strict=True))
    return (
        f"a pack of {n}: {cpu:.1f} times the processor time and {wall:.1f} times the wall time of "
        f"one ({statistics.median(together[1:]):.3f} and {statistics.median(alone[1:]):.3f} s "
        "per epoch with validation)"
    )


def peak_mb() -> int:
    """Of this process alone; what `resource` tells has the parent's peak in it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def apart(what: str) -> int:
    """Peak memory of a piece of work in a process of its own."""
    command = [sys.executable, __file__, "--alone", what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def alone(what: str) -> None:
    """Do a piece of work once, and print the peak memory."""
    torch.set_num_threads(1)
    kind, _, case = what.partition(":")
    step(ours, (2, 2, 2))  # loads the compiled code, which is not what is compared
    if kind in {"ours", "masked"}:
        step({"ours": ours, "masked": masked}[kind], CASES[int(case)])
    elif kind == "mnist":
        wide = trainer("mnist-ttfs", train_share=0.02)
        wide._train_batch(torch.arange(80), torch.Generator())
    print(peak_mb())


def main() -> None:
    """Print medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone")
    arguments = parser.parse_args()
    if arguments.alone is not None:
        alone(arguments.alone)
        return
    torch.set_num_threads(1)
    base = apart("nothing")
    print("| inputs | neurons | batch | mask / ours | ours [ms] | mask [ms] | memory [MB] |")
    for index, case in enumerate(CASES):
        torch.testing.assert_close(step(ours, case), step(masked, case), rtol=1e-6, atol=1e-9)
        rounds = [
            (seconds(partial(step, ours, case)), seconds(partial(step, masked, case)))
            for _ in range(arguments.rounds)
        ]
        ratio = statistics.median(other / own for own, other in rounds)
        own, other = (1e3 * statistics.median(side) for side in zip(*rounds, strict=True))
        memory = [apart(f"{side}:{index}") - base for side in ("ours", "masked")]
        n, n_neurons, n_samples = case
        print(
            f"| {n} | {n_neurons} | {n_samples} | {ratio:.1f} | {own:.2f} | {other:.1f} "
            f"| {memory[0]} / {memory[1]} |"
        )
    small = trainer("yin-yang-h30-ws")
    epochs = [seconds(lambda: (small._train_epoch(0), small._validate())) for _ in range(5)]
    print(f"yin-yang-h30-ws: {statistics.median(epochs):.3f} s per epoch ({min(epochs):.3f} best)")
    print(pack(arguments.rounds))
    wide = trainer("mnist-ttfs", train_share=0.02)
    steps = [seconds(lambda: wide._train_batch(torch.arange(80), torch.Generator()))]
    print(f"784-350-10 at batch 80: {1e3 * steps[0]:.0f} ms per step, {apart('mnist')} MB in all")


if __name__ == "__main__":
    main()
