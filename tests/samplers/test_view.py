"""The study as a sampler sees it, and what stays unwritten."""

from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from spiketune.samplers.view import SamplerView
from spiketune.space import Float, Space
from spiketune.space.distributions import stored_distribution

SPACE = Space({"x": Float(0.0, 1.0), "beta": Float(0.5, 1.0, "reverse-log")})
DISTRIBUTIONS = {name: stored_distribution(p) for name, p in SPACE.items()}
COMPLETE, FAIL, PRUNED, RUNNING = (
    TrialState.COMPLETE,
    TrialState.FAIL,
    TrialState.PRUNED,
    TrialState.RUNNING,
)


class Journal:
    """A study in memory and a view of it."""

    def __init__(self, *, blind: bool = False, directions: tuple[str, ...] = ("minimize",)) -> None:
        self.storage = InMemoryStorage()
        study = optuna.create_study(
            storage=self.storage, study_name="s", directions=list(directions)
        )
        self.study_id = study._study_id
        self.view = SamplerView(self.storage, self.study_id, SPACE, blind=blind)

    def add(
        self,
        state: TrialState,
        values: list[float] | None = None,
        attributes: dict[str, Any] | None = None,
        **constraints: float,
    ) -> int:
        trial = create_trial(
            state=state,
            values=values,
            params={"x": 0.25, "beta": 0.9},
            distributions=DISTRIBUTIONS,
            user_attrs=attributes or {},
            system_attrs={f"constraints:{name}": value for name, value in constraints.items()},
        )
        return self.storage.create_new_trial(self.study_id, trial)

    def seen(self) -> list[FrozenTrial]:
        self.view.start_draft()
        return self.view.get_all_trials(self.study_id, deepcopy=False)


def test_failed_and_rejected_trials_are_seen_as_complete_and_infeasible() -> None:
    journal = Journal()
    journal.add(COMPLETE, [1.0])
    journal.add(COMPLETE, [3.0])
    journal.add(FAIL)
    journal.add(PRUNED)
    seen = journal.seen()
    assert [t.state for t in seen] == [COMPLETE] * 4
    assert [max(t.constraints.values()) > 0 for t in seen] == [False, False, True, True]
    assert [t.values for t in seen] == [[1.0], [3.0], [2.0], [2.0]]


def test_all_trials_carry_the_same_constraints() -> None:
    journal = Journal()
    journal.add(COMPLETE, [1.0])
    journal.add(COMPLETE, [1.0], size=-5.0)
    journal.add(COMPLETE, [1.0], size=5.0, silence=-1.0)
    journal.add(FAIL)
    seen = journal.seen()
    assert len({frozenset(t.constraints) for t in seen}) == 1
    own = [{k: v for k, v in t.constraints.items() if k in ("size", "silence")} for t in seen]
    assert own[1:3] == [{"size": -5.0, "silence": 0.0}, {"size": 5.0, "silence": -1.0}]
    assert [any(v > 0 for v in t.constraints.values()) for t in seen] == [False, False, True, True]
    journal.add(COMPLETE, [1.0], late=-1.0)
    seen = journal.seen()
    assert all("late" in t.constraints for t in seen)


def test_a_study_without_failures_and_constraints_is_seen_without_constraints() -> None:
    journal = Journal()
    journal.add(COMPLETE, [1.0])
    assert [t.constraints for t in journal.seen()] == [{}]


@pytest.mark.parametrize("blind", [False, True])
def test_nothing_is_written_to_the_storage_behind(blind: bool) -> None:
    journal = Journal(blind=blind)
    journal.add(COMPLETE, [1.0], size=5.0)
    journal.add(FAIL)
    journal.add(PRUNED)
    journal.add(RUNNING)
    before = [repr(t) for t in journal.storage.get_all_trials(journal.study_id)]
    draft = journal.view.start_draft()
    journal.view.set_trial_system_attr(draft._trial_id, "a", 1)
    journal.view.set_study_system_attr(journal.study_id, "b", 2)
    assert journal.view.draft.system_attrs == {"a": 1}
    assert journal.view.study_attrs == {"b": 2}
    assert journal.view.get_study_system_attrs(journal.study_id) == {"b": 2}
    assert [repr(t) for t in journal.storage.get_all_trials(journal.study_id)] == before
    assert journal.storage.get_study_system_attrs(journal.study_id) == {}
    journal.view.start_draft()
    assert journal.view.draft.system_attrs == {}
    assert journal.view.study_attrs == {}


def test_a_blind_sampler_sees_feasibility_first() -> None:
    journal = Journal(blind=True, directions=("minimize", "maximize"))
    journal.add(COMPLETE, [1.0, 9.0])
    journal.add(COMPLETE, [3.0, 5.0], size=-1.0)
    journal.add(COMPLETE, [2.0, 8.0], size=1.0, silence=-1.0)
    journal.add(FAIL)
    assert [t.values for t in journal.seen()] == [[1.0, 9.0], [3.0, 5.0], [4.0, 4.0], [5.0, 3.0]]
    journal.add(COMPLETE, [7.0, 6.0])
    assert [t.values for t in journal.seen()][2:4] == [[8.0, 4.0], [9.0, 3.0]]
    journal.add(COMPLETE, [0.0, 9.5], size=0.25, silence=0.5)
    assert [t.values for t in journal.seen()][5] == [7.75, 4.25]
    journal.add(COMPLETE, [0.0, 9.5], size=2.0)
    assert [t.values for t in journal.seen()][2:] == [
        [8.0, 4.0],
        [10.0, 2.0],  # what failed is behind all
        [7.0, 6.0],
        [7.75, 4.25],
        [9.0, 3.0],
    ]


def test_failures_before_any_value_are_seen_too() -> None:
    for blind in (False, True):
        journal = Journal(blind=blind)
        journal.add(FAIL)
        seen = journal.seen()
        assert (seen[0].state, seen[0].values) == (COMPLETE, [float(blind)])


def test_running_and_waiting_trials_pass_through_and_change_when_they_end() -> None:
    journal = Journal()
    number = journal.add(RUNNING)
    journal.storage.create_new_trial(
        journal.study_id, create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": {}})
    )
    assert [t.state for t in journal.seen()] == [RUNNING, TrialState.WAITING]
    assert journal.view.n_asked == 1
    waiting = journal.view.waiting()
    assert waiting is not None
    assert waiting.number == 1
    journal.storage.set_trial_state_values(number, FAIL)
    assert [t.state for t in journal.seen()] == [COMPLETE, TrialState.WAITING]


def test_a_failure_before_any_parameter_is_left_a_failure() -> None:
    journal = Journal()
    journal.storage.create_new_trial(journal.study_id, create_trial(state=FAIL))
    assert [t.state for t in journal.seen()] == [FAIL]


@pytest.mark.parametrize("state", [COMPLETE, FAIL, RUNNING])
def test_reverse_log_values_are_mirrored_for_the_sampler_alone(state: TrialState) -> None:
    journal = Journal()
    journal.add(state, [1.0] if state == COMPLETE else None)
    seen = journal.seen()[0]
    assert seen.params["beta"] == pytest.approx(0.6)
    assert seen.distributions["beta"] == FloatDistribution(0.5, 1.0, log=True)
    assert seen.params["x"] == 0.25
    stored = journal.storage.get_all_trials(journal.study_id)[0]
    assert stored.params["beta"] == 0.9
    assert stored.distributions == DISTRIBUTIONS


def test_a_sampler_may_write_to_its_draft_only() -> None:
    journal = Journal()
    number = journal.add(RUNNING)
    journal.view.start_draft()
    view: Any = journal.view
    for write in (
        lambda: view.set_trial_system_attr(number, "a", 1),
        lambda: view.set_trial_user_attr(number, "a", 1),
        lambda: view.set_trial_state_values(number, COMPLETE, [1.0]),
        lambda: view.set_trial_intermediate_value(number, 1, 1.0),
        lambda: view.set_trial_param(number, "x", 0.5, DISTRIBUTIONS["x"]),
        lambda: view.set_study_user_attr(journal.study_id, "a", 1),
        lambda: view.create_new_trial(journal.study_id),
        lambda: view.create_new_study(["minimize"]),
        lambda: view.delete_study(journal.study_id),
    ):
        with pytest.raises(NotImplementedError):
            write()


def test_stopped_trials_rank_between_the_full_and_the_infeasible() -> None:
    journal = Journal()
    journal.add(COMPLETE, [1.0], size=-1.0)
    journal.add(COMPLETE, [0.5], size=0.2)
    for fidelity in (1.0, 9.0):
        journal.add(COMPLETE, [0.1], {"ended": "stopped", "fidelity": fidelity}, size=-1.0)
    broken = [sum(max(0.0, v) for v in t.constraints.values()) for t in journal.seen()]
    assert broken[0] == 0.0 < broken[3] < broken[2] < broken[1]
