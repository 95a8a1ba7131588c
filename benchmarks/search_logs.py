"""The world of a real search's logs, on its own simulator, which is given by path."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from search_problems import Outcome, Problem
from search_propulate import PropulateAdapter, environment
from search_rungs import FIDELITIES, Rungs
from search_runs import Run, Searcher, quartiles
from spiketune.samplers.stock import takes_option
from spiketune.space import Float, Int, Space

_SCALES = {"lin": "linear", "log": "log", "rlog": "reverse-log"}
WORKERS = 16
HOURS = (1.0, 3.5, 7.0, 14.0)
# Worst corner of the hypervolume: 90 % accuracy, 10^5.5 spikes per image.
_REFERENCE = (-0.9, 5.5)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated.

    Attributes:
        data: Folder of the paper's logs.
        conservative: The second setting of the world.
        spikes: Whether spikes are an objective beside the accuracy.
        hours: Simulated.
    """

    data: Path
    conservative: bool
    spikes: bool
    hours: float

    @property
    def name(self) -> str:
        """As in the tables and the cache."""
        kind = "conservative" if self.conservative else "mean"
        return f"mnist22-{kind}-{self.hours:g}h{'-spikes' if self.spikes else ''}"

    def problem(self, space: Space) -> Problem:
        """Its space, budget and objectives, as a search sees them."""
        return Problem(
            self.name,
            space,
            _no_evaluation,
            n_objectives=2 if self.spikes else 1,
            budget_s=self.hours * 3600.0,
            workers=WORKERS,
            reference=_REFERENCE if self.spikes else None,
        )

    def objectives(self, accuracy: float, spikes: float) -> tuple[float, ...]:
        """To be minimised."""
        if not self.spikes:
            return (-float(accuracy),)
        return (-float(accuracy), math.log10(max(1.0, float(spikes))))


def _no_evaluation(values: Mapping[str, Any]) -> Outcome:
    raise NotImplementedError("the logs' simulator evaluates")


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
        setting: What is simulated.
        sampler: Registered name.
        options: Its options.
        seed: Of the search.
        fidelity: Name of the rule that stops weak runs, if any.
    """

    def __init__(
        self,
        bench: Any,
        setting: Setting,
        sampler: str,
        options: Mapping[str, Any],
        seed: int,
        fidelity: str | None,
    ) -> None:
        if fidelity and takes_option(sampler, "resource"):  # as a study tells it
            options = {"resource": "epochs", **options}
        self._bench, self._setting = bench, setting
        self._searcher = Searcher(setting.problem(space_of(bench)), sampler, options, seed)
        self._rungs = Rungs(*FIDELITIES[fidelity]) if fidelity else None

    def ask(self, now_s: float, pending: Sequence[Any]) -> Any:
        """A place in the world's unit cube, and the trial behind it."""
        spent = min(1.0, now_s / (3600.0 * self._setting.hours))
        trial, values = self._searcher.ask(spent)
        return self._bench.to_unit(dict(values)), {"trial": trial}

    def report(self, trial: Any, epoch: int, accuracy: float, now_s: float) -> bool:
        """Whether a run ends after this epoch, counted from 0."""
        if self._rungs is None:
            return False
        values = self._setting.objectives(accuracy, trial.res["spikes"])
        return self._rungs.heard_run(trial, epoch + 1, [-v for v in values])

    def tell(self, trial: Any, result: Mapping[str, Any], now_s: float) -> None:
        """Write down the end of a run."""
        if self._rungs is not None and not trial.cut:
            self._rungs.finished(trial.id)
        ended = "stopped" if trial.cut else "silent" if result["stopped"] else "finished"
        outcome = Outcome(
            self._setting.objectives(result["accuracy"], result["spikes"]),
            {"silence": result["constraint"]},
            result["cost_s"],
            ended,
        )
        self._searcher.tell(trial.info["trial"], outcome, fidelity=len(result["curve"]))

    def close(self) -> None:
        """Nothing to end."""


def simulated(
    setting: Setting,
    seed: int,
    sampler: str,
    options: Mapping[str, Any],
    fidelity: str | None,
    cache: Path,
) -> Run:
    """One search of one world by 16 workers.

    Feasible are the runs that ended in full, as `spiketune best` shows them: a run that was
    stopped at a rung does not count with the accuracy that it had there.
    """
    sys.path.insert(0, str(setting.data))
    from simulate import simulate  # type: ignore[import-not-found]
    from surrogate import SurrogateSNN  # type: ignore[import-not-found]

    bench = SurrogateSNN("mnist22", world=seed, conservative=setting.conservative)
    adapter: Adapter | PropulateAdapter
    if sampler == "propulate":
        adapter = PropulateAdapter(environment(cache), bench.dim, WORKERS, seed, fidelity)
    else:
        adapter = Adapter(bench, setting, sampler, options, seed, fidelity)
    out = simulate(bench, adapter, workers=WORKERS, budget_s=setting.hours * 3600.0)
    adapter.close()
    record = out["rec"]
    pairs = zip(record["acc"], record["spikes"], strict=True)
    return Run(
        ended_s=record["t"].tolist(),
        values=[list(setting.objectives(*pair)) for pair in pairs],
        feasible=(~record["stopped"] & ~record["cut"] & (record["con"] <= 0)).tolist(),
        ask_cpu_s=float(out["overhead"]),
    )


def achieved(setting: Setting, run: Run, hours: float) -> float:
    """Best feasible accuracy, or hypervolume, by then; 0 where nothing was feasible."""
    best = run.best(hours / setting.hours, setting.problem(Space({})))
    return best if setting.spikes else float(np.nan_to_num(-best))


def print_table(
    setting: Setting, runs: Mapping[str, Mapping[int, Run]], seeds: Sequence[int]
) -> None:
    """Medians and quartiles over worlds at some hours."""
    hours = [h for h in HOURS if h <= setting.hours]
    what = "hypervolume" if setting.spikes else "best feasible accuracy"
    print(f"\n{setting.name}: {what}, {WORKERS} workers, medians [quartiles]")
    print(f"| algorithm | worlds | trials | {' | '.join(f'{h:g} h' for h in hours)} | feasible |")
    print("|---|---:|---:|" + "---:|" * (len(hours) + 1))
    for algorithm, by_seed in runs.items():
        chosen = [run for seed, run in by_seed.items() if seed in seeds]
        if not chosen:
            continue
        cells = []
        for h in hours:
            middle, low, high = quartiles([achieved(setting, run, h) for run in chosen])
            cells.append(f"{middle:.4f} [{low:.4f}, {high:.4f}]")
        n = quartiles([len(run.values) for run in chosen])[0]
        share = quartiles([float(np.mean(run.feasible)) for run in chosen])[0]
        print(f"| {algorithm} | {len(chosen)} | {n:.0f} | {' | '.join(cells)} | {share:.2f} |")


def print_paired(
    setting: Setting,
    runs: Mapping[str, Mapping[int, Run]],
    seeds: Sequence[int],
    one: str,
    other: str,
) -> None:
    """Differences of two algorithms on the worlds that both searched."""
    both = sorted(set(seeds) & runs.get(one, {}).keys() & runs.get(other, {}).keys())
    if not both:
        raise SystemExit(
            f"--paired: {one} and {other} have no world in common; there are {[*runs]}"
        )
    for h in (h for h in HOURS if h <= setting.hours):
        gains = [
            achieved(setting, runs[one][s], h) - achieved(setting, runs[other][s], h) for s in both
        ]
        middle, low, high = quartiles(gains)
        better = sum(gain > 0 for gain in gains)
        print(
            f"{one} - {other} at {h:g} h: median {middle:+.4f} [{low:+.4f}, {high:+.4f}],"
            f" better on {better} of {len(both)} worlds"
        )
