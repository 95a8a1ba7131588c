"""Compare search algorithms at equal simulated time.

    python benchmarks/search.py run --problem hartmann6 --sampler cascbo tpe --seeds 100-109
    python benchmarks/search.py table
    python benchmarks/search.py logs --data PATH --sampler cascbo --seeds 100-104
    python benchmarks/search.py logs --data PATH --sampler tpe --fidelity asha
    python benchmarks/search.py logs --paired nsga2+asha propulate+asha
    python benchmarks/search.py plot --out docs/images/search-logs.png
    python benchmarks/search.py asks

Every run is kept under `--cache` by problem, algorithm and seed, so that a comparison can be
interrupted and extended. `run` and `logs` print the table of what is there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import optuna

from search_problems import PROBLEMS, Problem
from search_rungs import FIDELITIES
from search_runs import Run, quartiles, search
from spiketune.samplers.auto import Facts, choose

optuna.logging.set_verbosity(optuna.logging.WARNING)
CACHE = Path("benchmarks/.cache/search")
ALGORITHMS: dict[str, tuple[str, dict[str, object]]] = {
    # name in the tables: registered sampler and its options
    "cascbo": ("cascbo", {}),
    "scbo": ("scbo", {}),
    "turbo": ("turbo", {}),
    "islands": ("islands", {}),
    "random": ("random", {}),
    "tpe": ("tpe", {}),
    "gp": ("gp", {}),
    "nsga2": ("nsga2", {}),
    "cmaes": ("cmaes", {}),
    "propulate": ("propulate", {}),  # on the logs only
}
SHARES = (0.25, 0.5, 1.0)


def cached(folder: Path, problem: str, algorithm: str, seed: int, make: Callable[[], Run]) -> Run:
    """The run of that name, made if it is not there yet."""
    file = folder / problem / algorithm / f"{seed}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(make().asdict()))
        partial.replace(file)
    return Run(**json.loads(file.read_text()))


def kept(folder: Path, problem: str) -> dict[str, dict[int, Run]]:
    """The runs on disk of one problem, by algorithm and seed."""
    runs: dict[str, dict[int, Run]] = {}
    for file in sorted((folder / problem).glob("*/*.json")):
        runs.setdefault(file.parent.name, {})[int(file.stem)] = Run(**json.loads(file.read_text()))
    return runs


def table(folder: Path, problem: Problem, seeds: Sequence[int], shares: Sequence[float]) -> None:
    """Print medians [quartiles] over seeds; smaller is better but for hypervolumes."""
    kind = "hypervolume" if problem.reference else f"best feasible (optimum {problem.optimum})"
    heads = " | ".join(f"{share:.0%}" for share in shares)
    print(
        f"\n{problem.name}: {kind} at shares of {problem.budget_s:g} s, {problem.workers} workers"
    )
    print(f"| algorithm | seeds | trials | {heads} | CPU per ask [ms] |")
    print("|---|---:|---:|" + "---:|" * (len(shares) + 1))
    for algorithm, runs in kept(folder, problem.name).items():
        chosen = [run for seed, run in runs.items() if seed in seeds]
        if not chosen:
            continue
        cells = []
        for share in shares:
            middle, low, high = quartiles([run.best(share, problem) for run in chosen])
            cells.append(f"{middle:.4g} [{low:.4g}, {high:.4g}]".replace("inf", "none"))
        n = quartiles([len(run.values) for run in chosen])[0]
        ask = quartiles([1e3 * run.ask_cpu_s / max(1, len(run.values)) for run in chosen])[0]
        print(f"| {algorithm} | {len(chosen)} | {n:.0f} | {' | '.join(cells)} | {ask:.0f} |")


def seeds_of(text: str) -> list[int]:
    """`100-104` or `1,2,7`."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(s) for s in text.split(",")]


def named(
    algorithm: str, n_parameters: int, n_objectives: int, time_s: float, *, has_rungs: bool = False
) -> str:
    """The algorithm, with what it takes in place of `auto`."""
    if algorithm != "auto":
        return algorithm
    facts = Facts(n_parameters, n_parameters, math.inf, n_objectives, math.inf, time_s, has_rungs)
    taken, why = choose(facts)
    print(f"auto takes {taken}: {why}")
    return taken


def main(arguments: Sequence[str]) -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["run", "table", "logs", "plot", "asks"])
    parser.add_argument("--problem", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--sampler", nargs="+", default=[], choices=[*ALGORITHMS, "auto"])
    parser.add_argument("--seeds", type=seeds_of, default=seeds_of("100-104"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    logs = parser.add_argument_group("logs and plot")
    logs.add_argument("--data", type=Path, help="folder of the paper's logs")
    logs.add_argument("--conservative", action="store_true", help="the second setting")
    logs.add_argument("--spikes", action="store_true", help="accuracy against spikes")
    logs.add_argument("--hours", type=float, default=14.0, help="simulated")
    logs.add_argument("--fidelity", choices=list(FIDELITIES), help="rule that stops weak runs")
    logs.add_argument("--paired", nargs=2, metavar=("ONE", "OTHER"), help="names in the table")
    logs.add_argument("--out", type=Path, help="picture to write")
    options = parser.parse_args(arguments)
    if options.what == "asks":
        from ask_time import report

        report()
    elif options.what == "plot":
        from search_plot import plot

        plot(options.out, options.cache, kept, options.hours, options.seeds)
    elif options.what == "logs":
        run_logs(options)
    else:
        run_problems(options)


def run_logs(options: argparse.Namespace) -> None:
    """Run what is missing on the world of the real logs, and print the table."""
    import search_logs as logs

    setting = logs.Setting(options.data, options.conservative, options.spikes, options.hours)
    for algorithm in options.sampler:
        if options.data is None:
            raise SystemExit("logs: --data names the folder of the paper's logs")
        rungs = options.fidelity is not None
        n_objectives = 2 if options.spikes else 1
        taken = named(algorithm, 22, n_objectives, options.hours * 3600.0, has_rungs=rungs)
        sampler, settings = ALGORITHMS[taken]
        shown = f"{taken}+{options.fidelity}" if options.fidelity else taken
        for seed in options.seeds:
            make = partial(
                logs.simulated, setting, seed, sampler, settings, options.fidelity, options.cache
            )
            cached(options.cache, setting.name, shown, seed, make)
    runs = kept(options.cache, setting.name)
    logs.print_table(setting, runs, options.seeds)
    if options.paired:
        logs.print_paired(setting, runs, options.seeds, *options.paired)


def run_problems(options: argparse.Namespace) -> None:
    """Run what is missing on problems with a known optimum, and print the tables."""
    for name in options.problem:
        problem = PROBLEMS[name]
        for algorithm in options.sampler:
            taken = named(algorithm, len(problem.space), problem.n_objectives, problem.budget_s)
            sampler, settings = ALGORITHMS[taken]
            for seed in options.seeds:
                make = partial(search, problem, sampler, settings, seed)
                cached(options.cache, name, taken, seed, make)
        table(options.cache, problem, options.seeds, SHARES)


if __name__ == "__main__":
    main(sys.argv[1:])
