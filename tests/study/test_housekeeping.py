"""What `keep:` leaves of trials that have ended."""

import random

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from spiketune.config.loading import configure
from spiketune.study import housekeeping
from spiketune.study.housekeeping import Housekeeper
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.results import front, row
from spiketune.study.running import study_of
from tests.study.support import TESTS, document

OBJECTIVES = {"loss": "minimize", "size": "maximize"}
CONFIGURATION = configure(
    document(objectives=OBJECTIVES, keep={"checkpoints": "front"}, constraints=["size <= 8"]),
    TESTS,
)


def trial(number, rng):
    """A finished trial with a few values only, so that some are equal."""
    size = rng.randrange(12)
    loss = size // 2 + rng.randrange(6)
    state = rng.choice([TrialState.COMPLETE] * 4 + [TrialState.FAIL])
    complete = state == TrialState.COMPLETE
    made = create_trial(
        state=state,
        values=[float(loss), float(size)] if complete else None,
        params={"x": 0.5},
        distributions={"x": FloatDistribution(0.0, 1.0)},
        user_attrs={"ended": rng.choice(["finished", "finished", "stopped"]), "attempts": [{}]},
        system_attrs={"constraints:size <= 8": size - 8.0} if complete else {},
    )
    made.number = number
    return made


def housekeeper(path):
    return Housekeeper(StudyFolder(path), study_of(CONFIGURATION), CONFIGURATION.space)


def begin(path, number):
    StudyFolder(path).checkpoints(number).mkdir(parents=True)
    StudyFolder(path).attempt(number, 1).mkdir()


def kept(path):
    return {int(found.parent.name) for found in path.glob("trials/*/checkpoints")}


def best_of(trials):
    rows = [row(t, CONFIGURATION.space, tuple(OBJECTIVES)) for t in trials]
    return {found.number for found in front(rows, OBJECTIVES)}


@pytest.mark.parametrize("seed", range(3))
def test_trial_after_trial_the_front_alone_keeps_its_checkpoints(tmp_path, seed):
    rng, trials, keeper = random.Random(seed), [], housekeeper(tmp_path)
    begin(tmp_path, 60)  # at work all the time
    for number in range(60):
        begin(tmp_path, number)
        if number == 30:  # the asker was killed between telling and tidying up
            trials.append(trial(number, rng))
            keeper = housekeeper(tmp_path)
            keeper.tidy(trials)
        else:
            trials.append(trial(number, rng))
            keeper.after(trials[-1])
        assert kept(tmp_path) == best_of(trials) | {60}
    assert len(best_of(trials)) > 2
    failed = {t.number for t in trials if t.state == TrialState.FAIL}
    assert {int(log.parent.name) for log in tmp_path.glob("trials/*/attempt-1")} == failed | {60}


def test_tidying_up_looks_at_each_trial_once_and_the_end_of_one_at_that_alone(
    tmp_path, monkeypatch
):
    rng, looked_at = random.Random(0), []
    trials = [trial(number, rng) for number in range(50)]
    for number in range(50):
        begin(tmp_path, number)

    def counted(trial, *arguments):
        looked_at.append(trial.number)
        return row(trial, *arguments)

    monkeypatch.setattr(housekeeping, "row", counted)
    keeper = housekeeper(tmp_path)
    keeper.tidy(trials)
    assert looked_at == list(range(50))
    begin(tmp_path, 50)
    keeper.after(trial(50, rng))
    assert looked_at == list(range(51))
