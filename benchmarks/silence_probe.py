"""How often the silence probe would reject a network that learns to speak, and what it saves.

Random configurations of a wide space of small networks on digits, most of which are silent. Each
is probed; all that the probe rejects are trained, once with the rule of the study (stopped when
`share` of an epoch's samples was silent) and once to the end, whatever they say.

    python benchmarks/silence_probe.py [--n 400] [--seed 100]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

import torch

from search_problems import Problem
from search_runs import Searcher
from spiketune.config.inline import resolve, space_of
from spiketune.config.training import TrainingTrial
from spiketune.data.registry import load
from spiketune.study.probing import binomial_interval
from spiketune.training.kinds import build_trainer
from spiketune.training.trainer import Trainer

CHANCE = 0.1
LEARNED = 2 * CHANCE  # accuracy from which a network is said to have learned something
SECTION: dict[str, Any] = {
    "device": "cpu",
    "dataset": {
        "name": "digits",
        "encoding": "constant",
        "steps": {"int": [5, 50], "scale": "log"},
    },
    "silence": {"min_spikes": 1, "share": 0.5, "probe": True},
    "network": {
        "neuron": {
            "kind": "lif",
            "beta": {"float": [0.5, 0.99], "scale": "reverse-log"},
            "threshold": {"float": [0.5, 16.0], "scale": "log"},
        },
        "layers": [
            {"name": "hidden", "dense": {"int": [16, 128], "scale": "log"}},
            {"name": "out", "dense": "classes"},
        ],
    },
    "training": {
        "epochs": 12,
        "batch_size": {"choice": [32, 64, 128]},
        "optimizer": {"name": "adam", "learning_rate": {"float": [5e-4, 2e-2], "scale": "log"}},
        "loss": {"name": {"choice": ["rate_cross_entropy", "count_mse"]}},
    },
}


def trainer_of(section: dict[str, Any], seed: int) -> Trainer:
    """A trainer of a section whose ranges are replaced."""
    config = TrainingTrial.model_validate(section)
    trainer = build_trainer(config, load(config.dataset), seed=seed, study_seed=0)
    assert isinstance(trainer, Trainer)
    return trainer


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--n", type=int, default=400, help="configurations")
    parser.add_argument("--seed", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    searcher = Searcher(
        Problem("digits", space_of(SECTION), lambda v: None),  # type: ignore[arg-type,return-value]
        "random",
        {},
        options.seed,
    )
    count: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for number in range(options.n):
        section = resolve(SECTION, searcher.ask(0.0)[1])
        started_s = time.process_time()
        rejected = trainer_of(section, number).probe() is not None
        seconds["probe"] += time.process_time() - started_s
        count["rejected" if rejected else "spoke"] += 1
        if not rejected:
            continue
        started_s = time.process_time()
        outcome = trainer_of(section, number).run()
        seconds["rule"] += time.process_time() - started_s
        count["kept by the rule"] += outcome.ended != "silent"
        count["kept and learned"] += (
            outcome.ended != "silent" and outcome.metrics["validation_accuracy"] >= LEARNED
        )
        started_s = time.process_time()
        to_the_end = trainer_of({**section, "silence": None}, number).run()
        seconds["to the end"] += time.process_time() - started_s
        count["learned to the end"] += to_the_end.metrics["validation_accuracy"] >= LEARNED
    n = count["rejected"]
    print(f"{options.n} random configurations, seed {options.seed}: {n} rejected by the probe")
    for what in ("kept by the rule", "kept and learned", "learned to the end"):
        if n:
            low, high = binomial_interval(count[what], n)
            print(
                f"  {what}: {count[what]} of {n}, {count[what] / n:.1%} ({low:.1%} to {high:.1%})"
            )
    for what, total_s in seconds.items():
        per = options.n if what == "probe" else n
        print(f"  processor time, {what}: {1e3 * total_s / max(1, per):.0f} ms per network")


if __name__ == "__main__":
    main()
