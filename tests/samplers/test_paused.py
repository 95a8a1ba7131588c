"""Trials that wait at rungs, as samplers come to know them."""

from datetime import datetime, timedelta

import optuna
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from spiketune.samplers.cascbo.history import History
from spiketune.samplers.domain import Domain
from spiketune.samplers.paused import RUNG, as_stopped, waits
from spiketune.samplers.view import SamplerView
from spiketune.space import Float, Space

NOON = datetime(2026, 1, 1, 12)
X = {"x": FloatDistribution(0.0, 1.0)}


def rung(value, minute, *, waiting=True, **constraints):
    return {
        "values": [value],
        "constraints": constraints,
        "fidelity": float(minute),
        "cost_s": 60.0 * minute,
        "why": "rung",
        "at": (NOON + timedelta(minutes=minute)).isoformat(),
        "waits": waiting,
    }


class Journal:
    def __init__(self, *, blind=False):
        self.storage = InMemoryStorage()
        self.study_id = self.storage.create_new_study([StudyDirection.MINIMIZE], "paused")
        space = Space({"x": Float(0.0, 1.0)})
        self.view = SamplerView(self.storage, self.study_id, space, blind=blind)

    def start(self, x):
        trial = create_trial(state=TrialState.RUNNING, params={"x": x}, distributions=X)
        return self.storage.create_new_trial(self.study_id, trial)

    def reach(self, number, reached):
        self.storage.set_trial_user_attr(number, RUNG, reached)

    def seen(self):
        self.view.start_draft()
        return self.view.get_all_trials(self.study_id, deepcopy=False)


def test_a_trial_is_shown_where_it_stands_until_it_ends():
    journal = Journal()
    number = journal.start(0.5)
    assert [t.state for t in journal.seen()] == [TrialState.RUNNING]
    for reached in (rung(0.9, 1), rung(0.9, 1, waiting=False), rung(0.7, 3)):
        journal.reach(number, reached)
        (seen,) = journal.seen()
        assert (seen.state, seen.values) == (TrialState.COMPLETE, reached["values"])
        assert seen.user_attrs["fidelity"] == reached["fidelity"]
        assert seen.constraints["full"] > 0
        assert waits(journal.storage.get_trial(number)) == reached["waits"]
    journal.storage.set_trial_user_attr(number, "ended", "finished")
    journal.storage.set_trial_state_values(number, TrialState.COMPLETE, [0.5])
    (seen,) = journal.seen()
    assert seen.values == [0.5]
    assert seen.constraints["full"] <= 0
    assert journal.storage.get_trial(number).user_attrs[RUNG]["values"] == [0.7]


def test_what_broke_a_constraint_at_a_rung_may_meet_it_later():
    journal = Journal(blind=True)
    other, number = journal.start(0.1), journal.start(0.5)
    journal.storage.set_trial_state_values(other, TrialState.COMPLETE, [3.0])
    journal.reach(number, rung(0.9, 1, silence=0.5))
    assert journal.seen()[number].values == [3.5]  # behind the worst, for this sampler
    journal.reach(number, rung(0.8, 3, silence=-0.5))
    assert journal.seen()[number].values == [0.8]


def test_a_model_takes_in_what_a_trial_reached_since():
    journal = Journal()
    number = journal.start(0.5)
    domain = Domain(X)
    directions = [StudyDirection.MINIMIZE]
    history = History(domain, directions, constrained=True, cost="cost_s", resource=None)
    journal.reach(number, rung(0.9, 1))
    history.take_in([as_stopped(journal.storage.get_trial(number))])
    assert history.gains.tolist() == [[-0.9]]
    journal.reach(number, rung(0.7, 3))
    assert not history.take_in([as_stopped(journal.storage.get_trial(number))])
    assert history.gains.tolist() == [[-0.7]]


def test_a_trial_that_never_waited_is_itself():
    study = optuna.create_study()
    trial = study.ask()
    assert as_stopped(study.trials[trial.number]) == study.trials[trial.number]
    study.tell(trial, 1.0)
    assert not waits(study.trials[0])
    done = study.trials[0]
    assert as_stopped(done) is done
