"""What CMA-ES is shown of a study: enough, and no more."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from spiketune.samplers import asker
from spiketune.samplers.cmaes import needed_trials
from spiketune.samplers.stock import SAMPLERS
from spiketune.space import Float, Int, Space
from tests.samplers.studies import MemoryStudy

SPACE = Space(
    {"x": Float(-1.0, 1.0), "y": Float(1e-3, 1.0, "log"), "z": Float(0.0, 0.99), "n": Int(1, 9)}
)


def asked(options, n_trials=160, n_workers=7):
    """All configurations of a search by several workers, in which some trials fail."""
    study = MemoryStudy(SPACE, "cmaes", options=options)
    rng, running, configurations = np.random.default_rng(0), deque(), []
    for i in range(n_trials):
        proposal, _ = study.asker.ask()
        configurations.append(dict(proposal.values))
        trial = study.add(proposal)
        running.append((trial, proposal.values))
        if len(running) == n_workers:
            running.rotate(int(rng.integers(n_workers)))
            trial, values = running.popleft()
            loss = values["x"] ** 2 + values["z"] + values["y"]
            study.tell(trial, None if i % 9 == 0 else (loss,))
    return configurations


@pytest.mark.parametrize(
    "options",
    [{}, {"n_startup_trials": 40}, {"use_separable_cma": True}, {"with_margin": True}],
    ids=str,
)
def test_it_asks_for_the_same_as_if_it_saw_all_trials(options, monkeypatch):
    shown = []

    def counted(trials, options):
        shown.append((len(trials), len(needed := needed_trials(trials, options))))
        return needed

    monkeypatch.setattr(asker, "get_stock", lambda name: replace(SAMPLERS[name], needed=counted))
    with_some = asked(options)
    monkeypatch.setattr(asker, "get_stock", lambda name: replace(SAMPLERS[name], needed=None))
    assert with_some == asked(options)
    n_trials, n_shown = shown[-1]
    assert n_shown < n_trials / 3
