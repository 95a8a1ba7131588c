"""What each executor adds to a trial that does nothing, side by side in one run; and idle shares.

Local (a supervised child per trial), Dask (LocalCluster), MPI (`mpirun`) and a bare
`concurrent.futures` pool run the same no-op objective, and so does a bare fork per task; the study
loop is left out, so that only submit, run and hear is timed. Each is timed with one trial at a time
(latency) and with as many as it has workers (throughput), turn about, as medians over rounds. MPI
has a job of its own with a pool beside it: on a busy machine compare only within a job.

The idle share is what two local workers wait while a study gives them trials of very uneven
length, from the first submission to the last.

    python benchmarks/executors.py [--trials 40] [--rounds 5] [--uneven 40]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from noop import noop
from spiketune.api import Study
from spiketune.config.loading import configure
from spiketune.executors.base import Executor
from spiketune.executors.local import LocalExecutor
from spiketune.executors.ranks import ranks, without_ranks
from spiketune.messages import Job, Report
from spiketune.study.records.folder import create
from spiketune.study.running import run_session

HERE = str(Path(__file__).parent)
N_WORKERS = 2
IN_MPI = "--in-mpi"


def job(folder: Path, number: int) -> Job:
    """A no-op attempt."""
    place = folder / f"{number:05d}"
    return Job(
        study="overhead",
        number=number,
        attempt=1,
        section={"function": "noop:noop"},
        params={"x": 0.5},
        seed=0,
        study_seed=0,
        folder=str(place / "attempt-1"),
        checkpoint_folder=str(place / "checkpoints"),
        base_folder=HERE,
        objectives=("value",),
    )


class Turn:
    """Runs trials through an executor.

    Args:
        executor: Started already.
        folder: Takes the attempts' folders.
    """

    def __init__(self, executor: Executor, folder: Path) -> None:
        self._executor, self._folder = executor, folder
        self._n = 0

    def run(self, n: int, at_once: int) -> float:
        """Milliseconds per trial over `n` trials, `at_once` at a time."""
        began_s, done, running = time.perf_counter(), 0, 0
        started = 0
        while done < n:
            while running < at_once and started < n:
                self._executor.submit(job(self._folder, self._n))
                self._n, started, running = self._n + 1, started + 1, running + 1
            ended = [m for m in self._executor.events(10.0) if not isinstance(m, Report)]
            done, running = done + len(ended), running - len(ended)
        return 1000 * (time.perf_counter() - began_s) / n

    def close(self) -> None:
        """End the executor."""
        self._executor.close()


class Bare:
    """A pool of the standard library, without children, limits, folders or messages."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")  # a rank of MPI must not be forked
        self._pool = ProcessPoolExecutor(N_WORKERS, mp_context=context)

    def run(self, n: int, at_once: int) -> float:
        """Milliseconds per trial over `n` trials, `at_once` at a time."""
        began_s = time.perf_counter()
        for first in range(0, n, at_once):
            given = [self._pool.submit(noop, Values()) for _ in range(min(at_once, n - first))]
            for future in given:
                future.result()
        return 1000 * (time.perf_counter() - began_s) / n

    def close(self) -> None:
        """End the pool."""
        self._pool.shutdown()


class Forks:
    """A process forked for every task, and nothing else: what a child costs by itself."""

    def run(self, n: int, at_once: int) -> float:
        """Milliseconds per trial over `n` trials, `at_once` at a time."""
        context = multiprocessing.get_context("fork")
        began_s = time.perf_counter()
        for first in range(0, n, at_once):
            given = [
                context.Process(target=noop, args=(Values(),))
                for _ in range(min(at_once, n - first))
            ]
            for process in given:
                process.start()
            for process in given:
                process.join()
        return 1000 * (time.perf_counter() - began_s) / n

    def close(self) -> None:
        """Nothing is left."""


class Values:
    """As much of a trial as the no-op objective asks for."""

    params = {"x": 0.5}


def _local(folder: Path) -> Turn:
    return Turn(LocalExecutor(N_WORKERS, base_folder=HERE), folder / "local")


def _dask(folder: Path) -> Turn:
    from spiketune.executors.dask import DaskExecutor
    from spiketune.executors.dask_workers import LocalWorkers

    return Turn(DaskExecutor(LocalWorkers(N_WORKERS), base_folder=HERE), folder / "dask")


Makers = dict[str, Callable[[], Turn | Bare | Forks]]


def table(makers: Makers, n: int, rounds: int) -> list[dict[str, Any]]:
    """One line per executor: milliseconds per trial, one at a time and all workers at once."""
    sides = {name: make() for name, make in makers.items()}
    times: dict[str, dict[int, list[float]]] = {
        name: {at_once: [] for at_once in (1, N_WORKERS)} for name in sides
    }
    for side in sides.values():
        side.run(2 * N_WORKERS, N_WORKERS)  # warm up: fork servers and imports
    for _ in range(rounds):
        for name, side in sides.items():
            for at_once in (1, N_WORKERS):
                times[name][at_once].append(side.run(n, at_once))
    for side in sides.values():
        side.close()
    return [
        {
            "executor": name,
            "one at a time [ms]": round(statistics.median(times[name][1]), 2),
            f"{N_WORKERS} at once [ms]": round(statistics.median(times[name][N_WORKERS]), 2),
        }
        for name in sides
    ]


def in_mpi(n: int, rounds: int) -> None:
    """The MPI line, on the ranks of a job of its own."""
    from spiketune.executors.mpi import MpiExecutor, release, serve

    if ranks()[1] > 0:
        serve()
        return
    with tempfile.TemporaryDirectory() as folder:

        def make() -> Turn:
            return Turn(MpiExecutor(base_folder=HERE), Path(folder))

        for line in table({"bare pool beside mpi": Bare, "mpi": make}, n, rounds):
            print(json.dumps(line), flush=True)
    release()


def start_mpi(n: int, rounds: int) -> None:
    """Run `in_mpi` under `mpirun`, where there is one."""
    if shutil.which("mpirun") is None or importlib.util.find_spec("mpi4py") is None:
        print(json.dumps({"executor": "mpi", "skipped": "no mpirun or no mpi4py here"}))
        return
    version = subprocess.run(["mpirun", "--version"], capture_output=True, text=True, check=False)
    open_mpi = "Open MPI" in version.stdout
    options = ["--oversubscribe"] if open_mpi else []
    options += ["--allow-run-as-root"] if open_mpi and os.geteuid() == 0 else []
    command = ["mpirun", *options, "-n", str(N_WORKERS + 1), sys.executable, __file__, IN_MPI]
    command += ["--trials", str(n), "--rounds", str(rounds)]
    subprocess.run(command, check=True, env=without_ranks(os.environ))


def idle_share(n: int) -> dict[str, Any]:
    """Share of two workers' time without a trial, from the first submission to the last."""
    content = {
        "study": {
            "objectives": {"value": "minimize"},
            "sampler": {"name": "random"},
            "budget": {"trials": n},
            "executor": {"name": "local", "workers": N_WORKERS},
        },
        "trial": {
            "function": "noop:sleeps",
            # log-uniform over a factor of 20 with a mean of one second
            "params": {"sleep_s": {"float": [0.157, 3.15], "scale": "log"}},
        },
    }
    with tempfile.TemporaryDirectory() as path:
        folder = create(Path(path) / "s", configure(content, HERE))
        run_session(folder, configure(content, HERE))
        attempts = [
            (attempt["started_s"], attempt["ended_s"])
            for trial in Study(Path(path) / "s").storage.trials()
            for attempt in trial.user_attrs["attempts"]
        ]
    first_s, last_s = min(a for a, _ in attempts), max(a for a, _ in attempts)
    busy_s = sum(min(end_s, last_s) - start_s for start_s, end_s in attempts)
    return {
        "trials": n,
        "mean trial [s]": round(statistics.fmean(e - s for s, e in attempts), 2),
        "idle share until the last submission": round(
            1 - busy_s / (N_WORKERS * (last_s - first_s)), 4
        ),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40, help="trials per turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each executor")
    parser.add_argument("--uneven", type=int, default=40, help="trials of uneven length")
    parser.add_argument(IN_MPI, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_mpi:
        in_mpi(options.trials, options.rounds)
        return
    print(f"python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        makers: Makers = {
            "bare pool": Bare,
            "bare forks": Forks,
            "local": lambda: _local(Path(folder)),
        }
        if importlib.util.find_spec("distributed") is not None:
            makers["dask"] = lambda: _dask(Path(folder))
        for line in table(makers, options.trials, options.rounds):
            print(json.dumps(line), flush=True)
    start_mpi(options.trials, options.rounds)
    print(json.dumps(idle_share(options.uneven)))


if __name__ == "__main__":
    main()
