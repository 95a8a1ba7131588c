"""The world of the seed's real logs, on its own simulator, which is given by path."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from search_problems import Outcome, Problem
from search_rungs import FIDELITIES, Rungs
from search_runs import Run, Searcher, quartiles
from spiketune.space import Float, Int, Space

_SCALES = {"lin": "linear", "log": "log", "rlog": "reverse-log"}
_SILENT_ACCURACY = 0.1
HOURS = (1.0, 3.5, 7.0, 14.0)


def space_of(bench: Any) -> Space:
    """The world's 22 parameters on the scales of its authors' random sampling."""
    parameters: dict[str, Float | Int] = {}
    for name, (kind, low, high, prior) in bench.spec.items():
        scale: Any = _SCALES[prior]
        if kind == "int":
            parameters[name] = Int(int(low), int(high) - 1, scale)
        else:
            parameters[name] = Float(float(low), float(high), scale)
    return Space(parameters)


class Adapter:
    """A sampler of spiketune as the simulator wants it.

    Args:
        bench: The world.
        problem: Its space and budget.
        sampler: Registered name.
        options: Its options.
        seed: Of the search.
    """

    def __init__(
        self, bench: Any, problem: Problem, sampler: str, options: Mapping[str, Any], seed: int
    ) -> None:
        self._bench, self._budget_s = bench, problem.budget_s
        self._searcher = Searcher(problem, sampler, options, seed)

    def ask(self, now_s: float, pending: list[Any]) -> Any:
        """A place in the world's unit cube, and the trial behind it."""
        trial, values = self._searcher.ask(min(1.0, now_s / self._budget_s))
        return self._bench.to_unit(dict(values)), {"trial": trial}

    def tell(self, trial: Any, result: Mapping[str, Any], now_s: float) -> None:
        """Write down the end of a run."""
        ended = "stopped" if trial.cut else "silent" if result["stopped"] else "finished"
        outcome = Outcome(
            (-result["accuracy"],), {"silence": result["constraint"]}, result["cost_s"], ended
        )
        self._searcher.tell(trial.info["trial"], outcome, fidelity=len(result["curve"]))


class RungAdapter(Adapter):
    """An `Adapter` whose trials stop when a fidelity rule says so; takes its options first."""

    def __init__(self, rule: str, rule_options: Mapping[str, Any], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._rungs = Rungs(rule, rule_options)

    def report(self, trial: Any, epoch: int, accuracy: float, now_s: float) -> bool:
        """Whether a run ends after this epoch, counted from 0."""
        config = trial.config
        return self._rungs.heard(
            trial.id,
            epoch + 1,
            [accuracy],
            maximum=len(trial.res["curve"]),
            data=float(config["train_size"]) * float(config["frames"]),
        )

    def tell(self, trial: Any, result: Mapping[str, Any], now_s: float) -> None:
        """Write down the end of a run."""
        if not trial.cut:
            self._rungs.finished(trial.id)
        super().tell(trial, result, now_s)


def simulated(
    folder: Path,
    seed: int,
    hours: float,
    conservative: bool,
    sampler: str,
    options: Any,
    fidelity: str | None = None,
) -> Run:
    """One search of one world by 16 workers.

    Feasible are the runs that ended in full, as `spiketune best` shows them: a run that was
    stopped at a rung does not count with the accuracy that it had there.
    """
    sys.path.insert(0, str(folder))
    from simulate import simulate  # type: ignore[import-not-found]
    from surrogate import SurrogateSNN  # type: ignore[import-not-found]

    bench = SurrogateSNN("mnist22", world=seed, conservative=conservative)
    problem = Problem("mnist22", space_of(bench), lambda v: None, budget_s=hours * 3600)  # type: ignore[arg-type,return-value]
    arguments = (bench, problem, sampler, options, seed)
    adapter = RungAdapter(*FIDELITIES[fidelity], *arguments) if fidelity else Adapter(*arguments)
    out = simulate(bench, adapter, workers=16, budget_s=hours * 3600)
    record = out["rec"]
    return Run(
        ended_s=record["t"].tolist(),
        values=[[-float(a)] for a in record["acc"]],
        feasible=(~record["stopped"] & ~record["cut"] & (record["con"] <= 0)).tolist(),
        ask_cpu_s=float(out["overhead"]),
    )


def logs(
    options: argparse.Namespace,
    algorithms: Mapping[str, tuple[str, Mapping[str, Any]]],
    cached: Callable[..., Run],
    kept: Callable[..., dict[str, dict[int, Run]]],
) -> None:
    """Run what is missing and print the table."""
    setting = "conservative" if options.conservative else "mean"
    name = f"mnist22-{setting}-{options.hours:g}h"
    for algorithm in options.sampler:
        sampler, settings = algorithms[algorithm]
        for seed in options.seeds:
            if options.data is None:
                raise SystemExit("logs: --data names the folder of the paper's logs")

            def make(seed: int = seed, sampler: str = sampler, settings: Any = settings) -> Run:
                return simulated(
                    options.data,
                    seed,
                    options.hours,
                    options.conservative,
                    sampler,
                    settings,
                    options.fidelity,
                )

            shown = f"{algorithm}+{options.fidelity}" if options.fidelity else algorithm
            cached(options.cache, name, shown, seed, make)
    hours = [h for h in HOURS if h <= options.hours]
    print(f"\n{name}: best feasible accuracy, 16 workers, medians [quartiles]")
    print(f"| algorithm | worlds | trials | {' | '.join(f'{h:g} h' for h in hours)} | feasible |")
    print("|---|---:|---:|" + "---:|" * (len(hours) + 1))
    problem = Problem(name, Space({}), lambda v: None, budget_s=options.hours * 3600)  # type: ignore[arg-type,return-value]
    for algorithm, runs in kept(options.cache, name).items():
        chosen = [run for seed, run in runs.items() if seed in options.seeds]
        if not chosen:
            continue
        cells = []
        for h in hours:
            middle, low, high = quartiles([run.best(h / options.hours, problem) for run in chosen])
            cells.append(f"{-middle:.4f} [{-high:.4f}, {-low:.4f}]")
        n = quartiles([len(run.values) for run in chosen])[0]
        share = quartiles([float(np.mean(run.feasible)) for run in chosen])[0]
        print(f"| {algorithm} | {len(chosen)} | {n:.0f} | {' | '.join(cells)} | {share:.2f} |")
