"""What finished trials have in common is what Optuna finds, in whatever order they end."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import TrialState, create_trial

from spiketune.samplers.common_space import CommonSpace

RANGES = {
    "a": FloatDistribution(0.0, 1.0),
    "b": FloatDistribution(1e-3, 1.0, log=True),
    "c": CategoricalDistribution(("x", "y")),
}
VALUES = {"a": 0.5, "b": 0.5, "c": "x"}
STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@pytest.mark.parametrize("include_pruned", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_space_is_optunas_after_every_trial_that_ends(include_pruned, seed):
    rng = np.random.default_rng(seed)
    study = optuna.create_study()
    ours, theirs = CommonSpace(include_pruned), IntersectionSearchSpace(include_pruned)
    running = []
    for _ in range(60):
        if not running or rng.random() < 0.5:
            n_names = 3 if rng.random() < 0.9 else 2
            names = list(rng.permutation(list(RANGES)))[:n_names]
            template = create_trial(
                state=TrialState.RUNNING,
                params={name: VALUES[name] for name in names},
                distributions={name: RANGES[name] for name in names},
            )
            study.add_trial(template)
            running.append(len(study.trials) - 1)
        else:
            number = running.pop(int(rng.integers(len(running))))
            state = STATES[int(rng.choice(3, p=(0.8, 0.1, 0.1)))]
            study._storage.set_trial_state_values(
                study.trials[number]._trial_id, state, None if state == TrialState.FAIL else [0.0]
            )
        assert ours.calculate(study) == theirs.calculate(study)
        assert list(ours.calculate(study)) == list(theirs.calculate(study))
