"""Random kills during a study whose trials write checkpoints, and what must hold afterwards.

    python -m tests.executors.chaos [--kills 30] [--trials 60] [--seed 0] [--place local dask slurm]

Kills workers' children, Dask workers, the asker, and SLURM's jobs, one after another at random
moments. In the end there must be exactly the asked number of finished trials, none lost, none
told twice, and no killed attempt may have cost more than one epoch.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from optuna.trial import TrialState

from spiketune.api import Study
from tests.executors.clusters import shared_cluster
from tests.study.support import TESTS, document, make

ROOT = str(Path(TESTS).parent)
EPOCHS = 5
ASKER = """
import sys
from pathlib import Path
from spiketune.study.records.folder import load
from spiketune.study.running import run_session
def say(progress):
    if progress.event:
        print(progress.event, flush=True)
if __name__ == "__main__":
    print(run_session(*load(Path(sys.argv[1])), say)[0], flush=True)
"""
EXECUTORS = {
    "local": lambda: {"name": "local", "workers": 2},
    "dask": lambda: {"name": "dask", "address": shared_cluster()},
    "slurm": lambda: {"name": "slurm", "jobs": 2, "poll": 0.5, "memory": "200M"},
}


def victims(path: Path, kind: str) -> list[int]:
    """Processes of attempts at work: children, Dask workers, or the ids of SLURM jobs."""
    name, word = {
        "child": ("lease.json", 1),
        "worker": ("supervisor.json", 1),
        "job": ("lease.json", 2),
    }[kind]
    found = []
    for lease in path.glob(f"trials/*/attempt-*/{name}"):
        if not (lease.parent / "result.json").exists():
            try:
                found.append(int(lease.read_text().split()[word]))
            except (OSError, IndexError, ValueError):
                continue  # it ended, or begins, at this very moment
    return [pid for pid in found if kind == "job" or Path(f"/proc/{pid}").exists()]


def kill_one(path: Path, rng: random.Random, kind: str, asker: subprocess.Popen[str]) -> bool:
    """Kill something of a kind while attempts are at work; false if there is none."""
    at_work = sorted(victims(path, "child" if kind == "asker" else kind))
    if not at_work:
        return False
    if kind == "asker":
        asker.kill()
        asker.wait()
        asker.stdout.close()
        return True
    victim = rng.choice(at_work)
    if kind == "job":
        subprocess.run(["scancel", str(victim)], check=True)
        return True
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return False  # it ended at this very moment
    return True


def start(path: Path) -> subprocess.Popen[str]:
    """A session of the study in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", ASKER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def run(path: Path, place: str, n_trials: int, n_kills: int, seed: int) -> dict[str, int]:
    """Run a study to its end among kills, and count them by kind."""
    log = path.parent / "epochs"
    params = {"x": {"float": [0.0, 1.0]}, "log": {"choice": [str(log)]}}
    make(
        path,
        document(
            "counts_epochs",
            params,
            budget={"trials": n_trials},
            executor=EXECUTORS[place](),
            sampler={"name": "random"},
            retries={"worker_lost": 30, "preempted": 30},
            seed=seed,
        ),
    )
    kinds = {
        "local": ("child", "child", "asker"),
        "dask": ("child", "worker", "asker"),
        "slurm": ("child", "job", "asker"),
    }[place]
    rng = random.Random(seed)
    order = [kinds[i % len(kinds)] for i in range(n_kills)]
    rng.shuffle(order)
    asker = start(path)
    for kind in order:
        time.sleep(rng.uniform(0.0, 0.6))
        while not kill_one(path, rng, kind, asker):
            assert asker.poll() is None, "the study was over before the last kill"
            time.sleep(0.02)
        if kind == "asker":
            asker = start(path)
    output, _ = asker.communicate(timeout=600)
    assert output.splitlines()[-1] == "budget", output
    return dict(collections.Counter(order))


def check(path: Path, n_trials: int, killed: dict[str, int]) -> dict[str, int]:
    """What must hold after any number of kills."""
    trials = Study(path).storage.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * n_trials
    told = collections.Counter()
    for line in (path / "journal.log").read_text().splitlines():
        entry = json.loads(line)
        if entry["op_code"] == 6 and entry.get("state") == int(TrialState.COMPLETE):
            told[entry["trial_id"]] += 1
    assert set(told.values()) == {1}, "a trial was told twice"
    epochs = collections.Counter((path.parent / "epochs").read_text().split())
    expected = {f"{number}:{epoch}" for number in range(n_trials) for epoch in range(1, EPOCHS + 1)}
    assert set(epochs) == expected, "an epoch was never trained"
    n_repeated = sum(count - 1 for count in epochs.values())
    # a kill ends the attempts of one child, or those of all workers
    n_attempts = sum(len(trial.user_attrs["attempts"]) - 1 for trial in trials)
    assert n_repeated <= n_attempts, (n_repeated, n_attempts)
    for trial in trials:
        own = [epochs[f"{trial.number}:{epoch}"] - 1 for epoch in range(1, EPOCHS + 1)]
        assert sum(own) <= len(trial.user_attrs["attempts"]) - 1, trial.user_attrs["attempts"]
    return {"trials": n_trials, "repeated epochs": n_repeated, "repeated attempts": n_attempts}


def main() -> None:
    """Print what was killed, and what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--place", nargs="+", default=["local", "dask"], choices=list(EXECUTORS))
    options = parser.parse_args()
    for place in options.place:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "s"
            killed = run(path, place, options.trials, options.kills, options.seed)
            found = check(path, options.trials, killed)
        print(json.dumps({"place": place, "killed": killed, **found}), flush=True)


if __name__ == "__main__":
    main()
