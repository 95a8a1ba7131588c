"""What spiketune adds to a trial, beside Optuna's own loop: ask, submit, tell, journal.

A no-op objective of five parameters is run through the inline executor, and through
`optuna.study.optimize` on the stock journal, at 100 and at 5,000 recorded trials, turn about
in one run; then through the local executor, where every trial is a supervised child.

    python benchmarks/overhead.py [--trials 100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from spiketune.clock import SystemClock
from spiketune.config.loading import configure
from spiketune.executors.base import Executor
from spiketune.executors.inline import InlineExecutor
from spiketune.executors.local import LocalExecutor
from spiketune.messages import Job, Result
from spiketune.objectives.execution import execute
from spiketune.samplers.asker import Asker
from spiketune.study.jobs import JobMaker
from spiketune.study.loop import StudyLoop
from spiketune.study.records.folder import create
from spiketune.study.records.storage import StudyStorage
from spiketune.study.running import study_of

NAMES = ("a", "b", "c", "d", "e")


def stock_noop(trial: optuna.Trial) -> float:
    """The objective of `noop.py` under Optuna."""
    return sum(trial.suggest_float(name, 0.0, 1.0) for name in NAMES)


def recorded(n: int, ours: bool) -> list[FrozenTrial]:
    """The same `n` finished trials for either side."""
    rng = np.random.default_rng(0)
    distribution = optuna.distributions.FloatDistribution(0.0, 1.0)
    trials = []
    for values in rng.random((n, len(NAMES))):
        trials.append(
            create_trial(
                state=TrialState.COMPLETE,
                params=dict(zip(NAMES, map(float, values), strict=True)),
                distributions=dict.fromkeys(NAMES, distribution),
                value=float(values.sum()),
                user_attrs={"attempts": [], "ended": "finished"} if ours else {},
            )
        )
        trials[-1].datetime_start = trials[-1].datetime_complete = datetime.now()
    return trials


class Stock:
    """Optuna's loop on its own journal."""

    def __init__(self, folder: Path, sampler: str, n_recorded: int) -> None:
        storage = JournalStorage(JournalFileBackend(str(folder / "stock.log")))
        made = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
        self.study = optuna.create_study(storage=storage, sampler=made[sampler](seed=0))
        for trial in recorded(n_recorded, ours=False):
            self.study.add_trial(trial)

    def run(self, n: int) -> float:
        """Seconds per trial over `n` more trials."""
        started_s = time.perf_counter()
        self.study.optimize(stock_noop, n_trials=n)
        return (time.perf_counter() - started_s) / n


class Ours:
    """The study loop of spiketune on one of its executors."""

    def __init__(
        self, folder: Path, sampler: str, n_recorded: int, make: Callable[[], Executor]
    ) -> None:
        params = {name: {"float": [0.0, 1.0]} for name in NAMES}
        study = {
            "objectives": {"value": "minimize"},
            "sampler": {"name": sampler},
            "budget": {"trials": 1},
        }
        trial = {"function": "noop:noop", "params": params}
        self.configuration = configure({"study": study, "trial": trial}, str(Path(__file__).parent))
        self.folder = create(folder / "ours", self.configuration)
        self.make = make
        section, space = study_of(self.configuration), self.configuration.space
        self.storage = StudyStorage(self.folder, section, space.fingerprint(), writable=True)
        with self.storage.storage.batch():
            for finished in recorded(n_recorded, ours=True):
                self.storage.storage.create_new_trial(self.storage.study_id, finished)
        self.n = n_recorded
        self.asker = Asker(
            self.storage.storage,
            self.storage.study_id,
            self.storage.name,
            space,
            sampler=sampler,
        )

    def run(self, n: int) -> float:
        """Seconds per trial over `n` more trials, the executor already started."""
        self.n += n
        section = study_of(self.configuration)
        budget = section.budget.model_copy(update={"trials": self.n})
        section = section.model_copy(update={"budget": budget})
        executor = self.make()
        jobs = JobMaker(section, self.configuration, self.folder)
        loop = StudyLoop(self.storage, self.asker, executor, jobs, SystemClock())
        started_s = time.perf_counter()
        loop.run()
        return (time.perf_counter() - started_s) / n


def _local() -> Executor:
    return LocalExecutor(1, base_folder=str(Path(__file__).parent))


def measure(sampler: str, n_recorded: int, n: int, rounds: int) -> dict[str, Any]:
    """Milliseconds per trial of the three, turn about, as medians over rounds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        sides: dict[str, Stock | Ours] = {
            "optuna": Stock(path, sampler, n_recorded),
            "spiketune inline": Ours(
                path / "inline", sampler, n_recorded, lambda: InlineExecutor(execute)
            ),
            "spiketune local": Ours(path / "local", sampler, n_recorded, _local),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        for side in sides.values():
            side.run(5)  # warm up: imports and caches
        for _ in range(rounds):
            for name, side in sides.items():
                times[name].append(1000 * side.run(n))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "sampler": sampler,
        "recorded": n_recorded,
        **{f"{name} [ms]": round(value, 3) for name, value in medians.items()},
        "inline / optuna": round(medians["spiketune inline"] / medians["optuna"], 3),
        "child adds [ms]": round(medians["spiketune local"] - medians["spiketune inline"], 3),
    }


def latencies(preload: tuple[str, ...], n: int = 20) -> dict[str, Any]:
    """Milliseconds from submitting an attempt to the first line of its objective."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        executor = LocalExecutor(1, preload=preload, base_folder=str(Path(__file__).parent))
        for number in range(n + 1):
            place = str(Path(folder) / str(number))
            section = {"function": "noop:first_line"}
            job = Job("latency", number, 1, section, {}, 0, 0, place, place, "", ("moment",))
            submitted_s = time.monotonic()
            executor.submit(job)
            while not (ended := executor.events(10.0)):
                pass
            if isinstance(ended[-1], Result):
                times.append(1000 * (ended[-1].metrics["moment"] - submitted_s))
        executor.close()
    warm = times[1:]
    return {
        "first line after [ms]": round(statistics.median(warm), 1),
        "slowest [ms]": round(max(warm), 1),
        "preloaded": list(preload),
    }


def import_time() -> dict[str, Any]:
    """Milliseconds of `import spiketune` in a fresh process, Python's own start excluded."""
    code = "import time; t = time.perf_counter(); import spiketune; print(time.perf_counter() - t)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    return {"import spiketune [ms]": round(1000 * statistics.median(runs), 1)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40, help="trials per turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    print(f"python {platform.python_version()}, optuna {optuna.__version__}, {platform.machine()}")
    for sampler in ("random", "tpe"):
        for n_recorded in (100, 5000):
            print(json.dumps(measure(sampler, n_recorded, options.trials, options.rounds)))
    for preload in ((), ("spiketune.objectives.training",)):
        print(json.dumps(latencies(preload)))
    print(json.dumps(import_time()))


if __name__ == "__main__":
    main()
