"""How fast a train step is: forward, backward and Adam, beside the same step in snnTorch.

Both sides start from the same weights and see the same batches; that their losses agree over
the first steps is checked before anything is timed. Each runs in a process of its own, and
they are timed turn about, one thread each, in processor time, which other programs disturb
less. A ratio is snnTorch's time over ours in the same round; the median over the rounds
counts. Prints a line of JSON for each case.

    python benchmarks/training.py [--case 784-256-10 ...] [--rounds 7] [--seconds 1]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

T, B, BETA, LEARNING_RATE = 25, 128, 0.9, 1e-3
N_BATCHES, N_COMPARED = 4, 5
LOSS_TOLERANCE = 1e-3  # a spike flipped by rounding moves the loss by about 1 / (T * B * K)


@dataclass(frozen=True, slots=True)
class Case:
    """A network and its input; the target is the ratio to reach."""

    sizes: tuple[int, int, int]
    density: float | None  # share of input spikes; None is a constant current
    target: float


CASES = {
    "784-256-10": Case((784, 256, 10), 0.15, 1.9),
    "784-1000-10": Case((784, 1000, 10), 0.15, 1.6),
    "784-256-10-static": Case((784, 256, 10), None, 6.0),
    "4-120-3": Case((4, 120, 3), 0.15, 15.0),
}


def batches(case: Case) -> list[tuple[Any, Any]]:
    """Inputs, (T, B, N) or (1, B, N), and labels, the same for every side."""
    import torch

    generator = torch.Generator().manual_seed(0)
    n_inputs, _, n_classes = case.sizes
    made = []
    for _ in range(N_BATCHES):
        steps = 1 if case.density is None else T
        values = torch.rand(steps, B, n_inputs, generator=generator)
        inputs = values if case.density is None else (values < case.density).float()
        made.append((inputs, torch.randint(0, n_classes, (B,), generator=generator)))
    return made


def network(case: Case) -> Any:
    """Our network; its weights are those of both sides."""
    from spiketune.config.architecture import plan_layers
    from spiketune.config.network import Network
    from spiketune.snn.networks import SpikingNetwork

    n_inputs, n_hidden, n_classes = case.sizes
    layers = [{"dense": n_hidden}, {"dense": "classes"}]
    section = Network.model_validate({"neuron": {"beta": BETA}, "layers": layers})
    return SpikingNetwork(plan_layers(section, (n_inputs,), n_classes), seed=0)


def ours(case: Case) -> Callable[[], float]:
    """A train step as the trainer makes it."""
    from spiketune.config.training import Optimizer, Training
    from spiketune.training.losses import build_loss
    from spiketune.training.optimizers import build_optimizer

    built = network(case)
    optimizer = build_optimizer(Optimizer(learning_rate=LEARNING_RATE), built)
    cross_entropy = build_loss(Training())

    def loss(inputs: Any, labels: Any) -> Any:
        return cross_entropy(built(inputs, T), labels)

    return _step(case, loss, optimizer)


def snntorch(case: Case) -> Callable[[], float]:
    """The loop of snnTorch's tutorials: a step at a time, losses by its own function."""
    import snntorch.functional
    import torch
    from snntorch import surrogate

    weights = [layer.synapses for layer in network(case).layers]
    linear = [torch.nn.Linear(*reversed(layer.weight.shape)) for layer in weights]
    for to, layer in zip(linear, weights, strict=True):
        to.weight.data, to.bias.data = layer.weight.data, layer.bias.data
    hidden, output = (
        snntorch.Leaky(beta=BETA, spike_grad=surrogate.atan(alpha=2.0)) for _ in range(2)
    )
    optimizer = torch.optim.Adam(
        [parameter for module in linear for parameter in module.parameters()], lr=LEARNING_RATE
    )
    cross_entropy = snntorch.functional.ce_rate_loss()

    def loss(inputs: Any, labels: Any) -> Any:
        membranes, steps = [hidden.reset_mem(), output.reset_mem()], []
        for t in range(T):
            spikes, membranes[0] = hidden(linear[0](inputs[min(t, len(inputs) - 1)]), membranes[0])
            spikes, membranes[1] = output(linear[1](spikes), membranes[1])
            steps.append(spikes)
        return cross_entropy(torch.stack(steps), labels)

    return _step(case, loss, optimizer)


SIDES = {"ours": ours, "snntorch": snntorch}


def _step(case: Case, loss: Callable[[Any, Any], Any], optimizer: Any) -> Callable[[], float]:
    data, done = batches(case), 0

    def step() -> float:
        nonlocal done
        inputs, labels = data[done % N_BATCHES]
        done += 1
        optimizer.zero_grad(set_to_none=True)
        value = loss(inputs, labels)
        value.backward()
        optimizer.step()
        return float(value.detach())

    return step


def work(side: str, case: str) -> None:
    """A side's process: say the first losses, then run for as long as each line asks for."""
    import torch

    torch.set_num_threads(1)
    step = SIDES[side](CASES[case])
    print(json.dumps([step() for _ in range(N_COMPARED)]), flush=True)
    for line in sys.stdin:
        n, started_s, until_s = 0, time.process_time(), time.perf_counter() + float(line)
        while time.perf_counter() < until_s or n < 2:
            step()
            n += 1
        each_s = (time.process_time() - started_s) / n
        print(json.dumps([each_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]), flush=True)


@contextlib.contextmanager
def worker(side: str, case: str) -> Iterator[tuple[list[float], Callable[[float], list[float]]]]:
    """The first losses of a side, and what times it for so many seconds."""
    command = [sys.executable, str(Path(__file__).resolve()), "--work", side, "--case", case]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, said = process.stdin, process.stdout

        def timed(seconds: float) -> list[float]:
            asked.write(f"{seconds}\n")
            asked.flush()
            return list(json.loads(said.readline()))

        yield json.loads(said.readline()), timed
        asked.close()


def measure(name: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Times, ratio and memory of one case."""
    case = CASES[name]
    with worker("snntorch", name) as (their_losses, them), worker("ours", name) as (losses, us):
        off = max(abs(a - b) for a, b in zip(losses, their_losses, strict=True))
        if off > LOSS_TOLERANCE:
            raise SystemExit(f"{name}: not the same work, losses {losses} and {their_losses}")
        times = [(them(seconds), us(seconds)) for _ in range(rounds)]
    ratios = [theirs[0] / mine[0] for theirs, mine in times]
    return {
        "case": name,
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(min(ratios), 2), round(max(ratios), 2)],
        "target": case.target,
        "ours_ms": round(1e3 * statistics.median(mine[0] for _, mine in times), 3),
        "snntorch_ms": round(1e3 * statistics.median(theirs[0] for theirs, _ in times), 3),
        "ours_peak_mb": round(times[-1][1][1] / 1024),
        "snntorch_peak_mb": round(times[-1][0][1] / 1024),
        "losses_differ_by": off,
    }


def main() -> None:
    """Measure the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append", help="all if not given")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one timing")
    parser.add_argument("--work", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.case[0])
        return
    from importlib.metadata import version

    packages = ("numba", "numpy", "snntorch", "spiketune", "torch")
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "machine": platform.machine(),
                "load": os.getloadavg()[0],
                **{package: version(package) for package in packages},
            }
        )
    )
    for name in arguments.case or CASES:
        print(json.dumps(measure(name, arguments.rounds, arguments.seconds)), flush=True)


if __name__ == "__main__":
    main()
