"""How fast a train step is, beside the same step in snnTorch and in SpikingJelly.

Forward, backward and Adam. All sides start from the same weights and see the same batches;
that their losses agree over the first steps is checked before anything is timed (SpikingJelly
resets within the step, so only its first loss is, roughly). Each runs in a process of its own,
and they are timed turn about, one thread each, in processor time, which other programs disturb
less. A ratio is the other's time over ours in the same round; the median over the rounds
counts. Two more cases are `start-up`, of a training trial in a child of the fork server, and
`mnist-97`, whole trainings to 97 %. Prints a line of JSON for each case, then a table.

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
NMNIST_DENSITY = 0.03  # about that of its frames at this T
ROUGHLY = 0.2
LOSS_TOLERANCE = 1e-3  # a spike flipped by rounding moves the loss by about 1 / (T * B * K)


@dataclass(frozen=True, slots=True)
class Case:
    """A network and its input; the target is the ratio to snnTorch to reach."""

    sizes: tuple[int, int, int]
    density: float | None  # share of input spikes; None is a constant current
    target: float
    recorded: bool = False  # N-MNIST where its files are, else spikes of the same density
    maps: tuple[int, int] | None = None  # channels of two convolutions before the output
    batch: int = B
    compared: int = N_COMPARED  # steps until spikes flipped by rounding have moved the weights


CASES = {
    "784-256-10": Case((784, 256, 10), 0.15, 1.9),
    "784-1000-10": Case((784, 1000, 10), 0.15, 1.6),
    "784-256-10-static": Case((784, 256, 10), None, 6.0),
    "4-120-3": Case((4, 120, 3), 0.15, 15.0),
    "nmnist-2312-512-10": Case((2312, 512, 10), NMNIST_DENSITY, 4.0, recorded=True),
    "12C5-32C5": Case((784, 0, 10), 0.15, 1.3, maps=(12, 32), batch=64, compared=3),
}


def batches(case: Case) -> list[tuple[Any, Any]]:
    """Inputs, (T, B, N) or (1, B, N), and labels, the same for every side."""
    import torch

    generator = torch.Generator().manual_seed(0)
    if case.recorded and (recorded := recordings()):
        return recorded
    n_inputs, _, n_classes = case.sizes
    made = []
    for _ in range(N_BATCHES):
        steps = 1 if case.density is None else T
        values = torch.rand(steps, case.batch, n_inputs, generator=generator)
        inputs = values if case.density is None else (values < case.density).float()
        labels = torch.randint(0, n_classes, (case.batch,), generator=generator)
        made.append((inputs, labels))
    return made


def recordings() -> list[tuple[Any, Any]]:
    """Batches of N-MNIST; none where its files are missing."""
    import torch

    from spiketune.config.training import Dataset
    from spiketune.data.registry import load
    from spiketune.errors import DatasetError
    from spiketune.training.batches import on_device

    config = Dataset(name="nmnist", steps=T)
    try:
        data = load(config).train
    except DatasetError:
        return []
    samples, generator = on_device(data, torch.device("cpu"), config), torch.Generator()
    order = torch.randperm(len(samples), generator=generator.manual_seed(0))
    chosen = order[: N_BATCHES * B].split(B)
    return [
        (inputs.flatten(2), labels)
        for inputs, labels in (samples.batch(which, generator) for which in chosen)
    ]


def network(case: Case) -> Any:
    """Our network; its weights are those of both sides."""
    from spiketune.config.architecture import plan_layers
    from spiketune.config.network import Network
    from spiketune.snn.networks import SpikingNetwork

    n_inputs, n_hidden, n_classes = case.sizes
    layers: list[dict[str, Any]] = [{"dense": n_hidden}, {"dense": "classes"}]
    shape: tuple[int, ...] = (n_inputs,)
    if case.maps is not None:
        convolutions = [
            (
                {"conv": channels, "kernel": 5, "neuron": {"kind": "none"}},
                {"pool": "max", "kernel": 2},
            )
            for channels in case.maps
        ]
        layers = [*(part for pair in convolutions for part in pair), {"dense": "classes"}]
        shape = (1, 28, 28)
    section = Network.model_validate({"neuron": {"beta": BETA}, "layers": layers})
    return SpikingNetwork(plan_layers(section, shape, n_classes), seed=0)


def stages(case: Case) -> list[Any]:
    """What comes before each layer of neurons, as PyTorch's modules with our weights."""
    from torch import nn

    made: list[Any] = []
    for layer in network(case).layers:
        if layer.plan.config.kind == "pool":
            made[-1] = nn.Sequential(made[-1], nn.MaxPool2d(2))
            continue
        weight, bias = layer.weight.data, layer.synapses.bias.data
        if weight.dim() == 4:
            module: Any = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2])
        else:
            module = nn.Linear(weight.shape[1], weight.shape[0])
        module.weight.data, module.bias.data = weight, bias
        if weight.dim() == 4 and not made:
            made.append(nn.Sequential(nn.Unflatten(1, (1, 28, 28)), module))
        elif weight.dim() == 2 and case.maps is not None:
            made.append(nn.Sequential(nn.Flatten(), module))
        else:
            made.append(module)
    return made


def ours(case: Case) -> Callable[[], float]:
    """A train step as the trainer makes it, by the paths that it would choose."""
    from spiketune.config.training import Optimizer, Training
    from spiketune.snn.sparse import SparseFrames, input_path
    from spiketune.training.fused import FusedGradients, can_fuse
    from spiketune.training.losses import build_loss
    from spiketune.training.memory import keep_freed_memory
    from spiketune.training.optimizers import build_optimizer

    keep_freed_memory()
    built, config, data = network(case), Training(), Batches(case)
    optimizer = build_optimizer(Optimizer(learning_rate=LEARNING_RATE), built)
    loss, sparse = build_loss(config), input_path(data.all[0][0]) == "events"
    fused = FusedGradients(built, config, T) if can_fuse(built, config) else None

    def step() -> float:
        inputs, labels = data.next()
        if fused is not None:
            value = fused(inputs, labels).loss
            optimizer.step()
            return value
        activity = built(SparseFrames.of(inputs) if sparse else inputs, T)
        of = loss(activity, labels)
        optimizer.zero_grad(set_to_none=True)
        of.minimised.backward()
        optimizer.step()
        return float(of.mean.detach())

    return step


def snntorch(case: Case) -> Callable[[], float]:
    """The loop of snnTorch's tutorials: a step at a time, losses by its own function."""
    import snntorch.functional
    import torch
    from snntorch import surrogate

    before = stages(case)
    neurons = [snntorch.Leaky(beta=BETA, spike_grad=surrogate.atan(alpha=2.0)) for _ in before]
    optimizer = torch.optim.Adam(
        [parameter for module in before for parameter in module.parameters()], lr=LEARNING_RATE
    )
    cross_entropy = snntorch.functional.ce_rate_loss()

    def loss(inputs: Any, labels: Any) -> Any:
        membranes, steps = [neuron.reset_mem() for neuron in neurons], []
        for t in range(T):
            spikes = inputs[min(t, len(inputs) - 1)]
            for index, (module, neuron) in enumerate(zip(before, neurons, strict=True)):
                spikes, membranes[index] = neuron(module(spikes), membranes[index])
            steps.append(spikes)
        return cross_entropy(torch.stack(steps), labels)

    return _step(case, loss, optimizer)


def spikingjelly(case: Case) -> Callable[[], float]:
    """Its multi-step mode with the torch backend, the faster one on a CPU."""
    import torch
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    modules: list[torch.nn.Module] = []
    for module in stages(case):
        modules += [
            layer.SeqToANNContainer(module),
            neuron.LIFNode(
                tau=1.0 / (1.0 - BETA),
                decay_input=False,
                v_reset=None,
                surrogate_function=surrogate.ATan(alpha=2.0),
                detach_reset=True,
            ),
        ]
    built = torch.nn.Sequential(*modules)
    functional.set_step_mode(built, "m")
    optimizer = torch.optim.Adam(built.parameters(), lr=LEARNING_RATE)

    def loss(inputs: Any, labels: Any) -> Any:
        functional.reset_net(built)
        output = built(inputs.expand(T, *inputs.shape[1:]))
        return torch.nn.functional.cross_entropy(output.flatten(0, 1), labels.repeat(T))

    return _step(case, loss, optimizer)


SIDES = {"ours": ours, "snntorch": snntorch, "spikingjelly": spikingjelly}


class Batches:
    """A few batches, again and again."""

    def __init__(self, case: Case) -> None:
        self.all, self._done = batches(case), 0

    def next(self) -> tuple[Any, Any]:
        """The next one."""
        self._done += 1
        return self.all[(self._done - 1) % N_BATCHES]


def _step(case: Case, loss: Callable[[Any, Any], Any], optimizer: Any) -> Callable[[], float]:
    data = Batches(case)

    def step() -> float:
        inputs, labels = data.next()
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
    print(json.dumps([step() for _ in range(CASES[case].compared)]), flush=True)
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
    """Times, ratios and memory of one case."""
    with contextlib.ExitStack() as stack:
        made = {side: stack.enter_context(worker(side, name)) for side in SIDES}
        losses = {side: first for side, (first, _) in made.items()}
        pairs = zip(losses["ours"], losses["snntorch"], strict=True)
        off = max(abs(one - other) for one, other in pairs)
        if off > LOSS_TOLERANCE or abs(losses["ours"][0] - losses["spikingjelly"][0]) > ROUGHLY:
            raise SystemExit(f"{name}: not the same work, losses {losses}")
        times = [{side: timed(seconds) for side, (_, timed) in made.items()} for _ in range(rounds)]
    told: dict[str, Any] = {"case": name, "target": CASES[name].target}
    for side in SIDES:
        told[f"{side}_ms"] = round(1e3 * statistics.median(one[side][0] for one in times), 3)
        told[f"{side}_peak_mb"] = round(times[-1][side][1] / 1024)
        if side != "ours":
            ratios = [one[side][0] / one["ours"][0] for one in times]
            told[f"{side}_ratio"] = round(statistics.median(ratios), 2)
            told[f"{side}_ratios"] = [round(min(ratios), 2), round(max(ratios), 2)]
    return {**told, "losses_differ_by": off}


def _start_up(rounds: int) -> dict[str, Any]:
    from start_up import measure as started  # beside this file

    return started(rounds)


def _to_97(rounds: int) -> dict[str, Any]:
    from mnist_97 import measure as trained  # beside this file

    return trained(max(1, rounds // 2))


OTHERS: dict[str, Callable[[int], dict[str, Any]]] = {"start-up": _start_up, "mnist-97": _to_97}


def table(measured: list[dict[str, Any]]) -> str:
    """The cases as rows of a table."""
    peers = [side for side in SIDES if side != "ours"]
    rows = [
        ["network", *(f"{peer} / ours" for peer in peers), "target", "ours [ms]"]
        + [f"{peer} [ms]" for peer in peers]
        + ["peak memory, ours / " + " / ".join(peers) + " [MB]"]
    ]
    rows.append(["---"] * len(rows[0]))
    for told in measured:
        ratios = [
            "{} [{}, {}]".format(told[f"{peer}_ratio"], *told[f"{peer}_ratios"]) for peer in peers
        ]
        memory = " / ".join(str(told[f"{side}_peak_mb"]) for side in SIDES)
        times = [str(told[f"{side}_ms"]) for side in SIDES]
        rows.append([told["case"], *ratios, str(told["target"]), *times, memory])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measure the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", choices=[*CASES, *OTHERS], action="append", help="all if not given"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one timing")
    parser.add_argument("--work", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.case[0])
        return
    from importlib.metadata import version

    packages = ("numba", "numpy", "snntorch", "spikingjelly", "spiketune", "torch")
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
    measured = []
    for name in arguments.case or (*CASES, *OTHERS):
        if name in OTHERS:
            print(json.dumps(OTHERS[name](arguments.rounds)), flush=True)
            continue
        measured.append(measure(name, arguments.rounds, arguments.seconds))
        print(json.dumps(measured[-1]), flush=True)
    if measured:
        print(table(measured))


if __name__ == "__main__":
    main()
