"""Search algorithms on real training: digits, the quickstart network, two workers, minutes.

Samplers take turns, so that whatever else the machine does disturbs them alike. Objective is the
validation accuracy alone; the study's budget is wall-clock time.

    python benchmarks/search_digits.py [--samplers auto tpe random] [--seeds 100-102] [--time 5m]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from search import seeds_of

CACHE = Path("benchmarks/.cache/search-digits")


def search(folder: Path, sampler: str, seed: int, time: str) -> Path:
    """Run a study, or finish one that was interrupted."""
    study = folder / f"{sampler}-{seed}-{time}"
    if (study / "done").exists():
        return study
    settings = {
        "study.name": study.name,
        "study.objectives": "{validation_accuracy: maximize}",
        "study.sampler": f"{{name: {sampler}}}",
        "study.budget": f"{{time: {time}}}",
        "study.executor": "{name: local, workers: 2, time_limit: 2m}",
        "study.seed": str(seed),
    }
    command = [sys.executable, "-m", "spiketune", "run", "quickstart", "--folder", str(study)]
    for path, value in settings.items():
        command += ["--set", f"{path}={value}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (study / "done").touch()
    return study


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--samplers", nargs="+", default=["auto", "tpe", "random"])
    parser.add_argument("--seeds", type=seeds_of, default=seeds_of("100-102"))
    parser.add_argument("--time", default="5m", help="budget of each study")
    parser.add_argument("--cache", type=Path, default=CACHE)
    options = parser.parse_args()
    found: dict[str, list[tuple[int, float]]] = {}
    for seed in options.seeds:
        for sampler in options.samplers:
            study = search(options.cache, sampler, seed, options.time)
            told = subprocess.run(
                [sys.executable, "-m", "spiketune", "export", str(study), "--format", "json"],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout
            rows = json.loads(told)
            values = [
                row["objectives"]["validation_accuracy"]
                for row in rows
                if row["state"] == "finished"
            ]
            found.setdefault(sampler, []).append((len(rows), max(values, default=0.0)))
            print(f"{sampler}, seed {seed}: {found[sampler][-1]}", file=sys.stderr)
    print(f"\nquickstart network on digits, 2 workers, {options.time}, seeds {options.seeds}")
    print("| sampler | trials | best validation accuracy [%] | median |")
    print("|---|---:|---:|---:|")
    for sampler, runs in found.items():
        best = [100 * value for _, value in runs]
        trials = ", ".join(str(n) for n, _ in runs)
        cells = ", ".join(f"{value:.2f}" for value in best)
        print(f"| {sampler} | {trials} | {cells} | {statistics.median(best):.2f} |")


if __name__ == "__main__":
    main()
