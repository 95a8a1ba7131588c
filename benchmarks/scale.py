"""How many workers one asker keeps busy: virtual time, the real study, sampler and journal.

Trials last log-normal times around 10 minutes (sigma 1), 2 % of attempts are lost part-way and
repeated. All that the asker does between two events (ask, journal, submit, tell) is measured as
CPU time and charged to the virtual clock, so that a slow asker leaves workers idle; what the disk
takes to make a line of the journal safe is no CPU time and is told apart. Utilisation is counted
until the last ask: after that a study has no more work to give.

    python benchmarks/scale.py [--sampler random tpe] [--workers 16 128 1024 10240] [--limit 600]
        [--ready 0 64] [--folder /dev/shm]

`--ready 64` lets so many asked configurations wait for workers. A case ends early where the asker
saturates: where every worker has had work and the last 500 trials took the asker as much CPU time
as virtual time passed. `--limit` ends a case after so many CPU seconds and says how far it came.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from spiketune.clock import VirtualClock
from spiketune.config.loading import configure
from spiketune.executors.base import Executor
from spiketune.executors.simulated import SimulatedExecutor
from spiketune.messages import Failure, Job, Message, Result
from spiketune.seeding import child_seed
from spiketune.study.jobs import JobMaker
from spiketune.study.loop import StudyLoop
from spiketune.study.records.folder import create
from spiketune.study.records.storage import StudyStorage
from spiketune.study.running import asker_of, study_of

NAMES = ("a", "b", "c", "d", "e")
MEDIAN_S, SIGMA, LOST = 600.0, 1.0, 0.02
MEAN_S = MEDIAN_S * math.exp(SIGMA**2 / 2)
PER_WORKER, AT_MOST = 10, 20_000
_WINDOW, _ALWAYS = 500, 0.98
MARKS = (100, 300, 1_000, 3_000, 10_000, 20_000)


def script(job: Job) -> Sequence[tuple[float, Message]]:
    """One attempt: its length from the trial's seed, its loss from its values."""
    rng = np.random.default_rng(child_seed(job.seed, "attempt", job.attempt))
    length_s = float(rng.lognormal(math.log(MEDIAN_S), SIGMA))
    if rng.random() < LOST:
        lost = Failure(job.number, job.attempt, "worker_lost", "as the script says")
        return [(length_s * float(rng.random()), lost)]
    loss = sum((float(value) - 0.3) ** 2 for value in job.params.values())
    return [(length_s, Result(job.number, job.attempt, {"loss": loss}, cost_s=length_s))]


class Charging(Executor):
    """Charges the CPU time that the asker took since the last call to the virtual clock."""

    def __init__(self, simulated: SimulatedExecutor, clock: VirtualClock, stop: Any) -> None:
        self._simulated, self._clock, self._stop = simulated, clock, stop
        self._left_s = time.process_time()
        self.asker_s: list[float] = []  # CPU seconds up to each submission
        self.total_s = 0.0
        self.last_ask_s = 0.0
        self.moments_s: list[float] = []  # virtual time of each submission
        self.recorded: list[int] = []  # trials that had ended by then
        self.n_ended = 0

    def _charge(self) -> None:
        spent_s = time.process_time() - self._left_s
        self.total_s += spent_s
        self._clock.advance_to(self._clock.now_s() + spent_s)

    @property
    def n_workers(self) -> int:
        """Workers simulated."""
        return self._simulated.n_workers

    @property
    def free_slots(self) -> int:
        """Slots now; submissions have been charged up to here."""
        return self._simulated.free_slots

    def submit(self, job: Job) -> str:
        """Charge the ask, then start the attempt."""
        self._charge()
        self.asker_s.append(self.total_s)
        self.moments_s.append(self._clock.now_s())
        self.recorded.append(self.n_ended)
        if job.attempt == 1:
            self.last_ask_s = self._clock.now_s()
        worker = self._simulated.submit(job)
        self._left_s = time.process_time()
        return worker

    def events(self, timeout_s: float) -> Sequence[Message]:
        """Charge the tell, then wait."""
        self._charge()
        self._stop(self)
        messages = self._simulated.events(timeout_s)
        self.n_ended += sum(isinstance(message, Result) for message in messages)
        self._left_s = time.process_time()
        return messages

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """Pass on."""
        self._simulated.cancel(number, kill=kill)

    def close(self) -> None:
        """Pass on."""
        self._simulated.close()

    def saturated(self) -> bool:
        """Whether the asker has had no pause for a while, though every worker has had work."""
        n = len(self.asker_s)
        if n < self.n_workers + _WINDOW:
            return False
        spent_s = self.asker_s[-1] - self.asker_s[-_WINDOW]
        return spent_s >= _ALWAYS * (self.moments_s[-1] - self.moments_s[-_WINDOW])


class EndOfCaseError(Exception):
    """A case need not go on; the argument says why."""


def busy_until(executor: SimulatedExecutor, until_s: float) -> float:
    """Worker seconds spent before a moment."""
    return sum(max(0.0, min(end_s, until_s) - start_s) for start_s, end_s in executor.spans)


def measure(
    sampler: str, n_workers: int, n_ready: int, limit_s: float, place: str | None
) -> dict[str, Any]:
    """One case of the table."""
    n_trials = min(AT_MOST, PER_WORKER * n_workers)
    content = {
        "study": {
            "objectives": {"loss": "minimize"},
            "sampler": {"name": sampler},
            "budget": {"trials": n_trials},
        },
        "trial": {
            "function": "noop:noop",
            "params": {name: {"float": [0.0, 1.0]} for name in NAMES},
        },
    }
    configuration = configure(content, str(Path(__file__).parent))
    section = study_of(configuration)
    began_s = time.perf_counter()

    def stop(executor: Charging) -> None:
        if executor.total_s > limit_s:
            raise EndOfCaseError(f"limit of {limit_s:g} s")
        if executor.saturated():
            raise EndOfCaseError("saturated")

    with tempfile.TemporaryDirectory(dir=place) as path:
        folder = create(Path(path) / "s", configuration)
        storage = StudyStorage(folder, section, configuration.space.fingerprint(), writable=True)
        clock = VirtualClock()
        simulated = SimulatedExecutor(script, n_workers, clock, n_ready)
        executor = Charging(simulated, clock, stop)
        loop = StudyLoop(
            storage,
            asker_of(storage, configuration),
            executor,
            JobMaker(section, configuration, folder),
            clock,
            poll_s=3600.0,
        )
        end = "whole"
        try:
            loop.run()
        except EndOfCaseError as reason:
            end = str(reason)
        storage.close()
    until_s = executor.last_ask_s
    busy = busy_until(simulated, until_s) / (n_workers * until_s)
    return {
        "sampler": sampler,
        "workers": n_workers,
        "ready": n_ready,
        "submissions": len(executor.asker_s),
        "of": n_trials,
        "busy": round(busy, 4),
        "asks/s": round(len(executor.asker_s) / executor.total_s, 1),
        "asker CPU [s]": round(executor.total_s, 1),
        "real time [s]": round(time.perf_counter() - began_s, 1),
        "virtual hours": round(until_s / 3600, 2),
        "recorded": executor.recorded[-1],
        "ms per trial with so many recorded": _at_marks(executor.asker_s, executor.recorded),
        "end": end,
    }


def _at_marks(asker_s: Sequence[float], recorded: Sequence[int]) -> dict[int, dict[str, float]]:
    """Milliseconds of the asker per trial with so many ended, and how many workers that keeps."""
    found = {}
    for mark in MARKS:
        last = int(np.searchsorted(recorded, mark))
        first = int(np.searchsorted(recorded, mark - max(20, mark // 10)))
        if last < len(recorded) and last - first > 1:
            each_s = (asker_s[last] - asker_s[first]) / (last - first)
            found[mark] = {"ms": round(1000 * each_s, 2), "workers": round(MEAN_S / each_s)}
    return found


def main() -> None:
    """Print the table, one line of JSON per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sampler", nargs="+", default=["random", "tpe"])
    parser.add_argument("--workers", nargs="+", type=int, default=[16, 128, 1_024, 10_240])
    parser.add_argument("--ready", nargs="+", type=int, default=[0], help="jobs asked in advance")
    parser.add_argument("--limit", type=float, default=600.0, help="CPU seconds per case")
    parser.add_argument("--folder", help="takes the studies; a RAM disk saves the wait for a disk")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    print(f"python {platform.python_version()}, optuna {optuna.__version__}, {platform.machine()}")
    for sampler in options.sampler:
        for n_workers in options.workers:
            for n_ready in options.ready:
                case = measure(sampler, n_workers, n_ready, options.limit, options.folder)
                print(json.dumps(case), flush=True)


if __name__ == "__main__":
    main()
