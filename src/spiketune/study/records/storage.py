"""What the asker writes down: asked, started again, told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, final

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from spiketune.config.study import Study
from spiketune.errors import InputError
from spiketune.samplers.asker import Proposal
from spiketune.samplers.paused import RUNG, rung_of
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.journal import BatchedStorage, JournalFile
from spiketune.study.records.sameness import check_same, marks_of

CONSTRAINT_PREFIX: Final = "constraints:"  # Optuna's name for a constraint value of a trial
_METRIC_NAMES_KEY: Final = "study:metric_names"  # Optuna's name for the objectives' names
_SESSION_PREFIX: Final = "spiketune:session:"
_TEST_PREFIX: Final = "spiketune:test-opened:"
_RETRAINED_PREFIX: Final = "spiketune:retrained:"
_CONFIRMED_PREFIX: Final = "spiketune:confirmed:"


@final
class StudyStorage:
    """The journal of one study.

    Args:
        folder: The study's folder.
        study: Its checked study section.
        fingerprint: Of its search space.
        writable: Whether this process may write; readers need no lock.

    Raises:
        StudyExistsError: If the journal holds a study of another space, or of other objectives or
            constraints.
    """

    def __init__(
        self, folder: StudyFolder, study: Study, fingerprint: str, *, writable: bool
    ) -> None:
        if not writable and not folder.journal.exists():
            raise InputError(f"{folder.journal}: no such file; the study never started")
        self._journal = JournalFile(folder.journal, writable=writable)
        self.storage = BatchedStorage(self._journal)
        studies = {entry.study_name: entry._study_id for entry in self.storage.get_all_studies()}
        if study.name not in studies and (studies or not writable):
            other = next(iter(studies), None)
            remedy = f", but '{other}'; undo the change of study.name in study.yaml"
            raise InputError(
                f"{folder.journal}: holds no study named '{study.name}'{remedy if other else ''}"
            )
        self.name = study.name
        self.objectives = tuple(study.objectives)
        if study.name in studies:
            self.study_id = studies[study.name]
        else:
            self.study_id = self._create(study, fingerprint)
        check_same(folder.path, study, fingerprint, self.attributes(), self._objectives())

    def _create(self, study: Study, fingerprint: str) -> int:
        directions = [
            StudyDirection.MAXIMIZE if direction == "maximize" else StudyDirection.MINIMIZE
            for direction in study.objectives.values()
        ]
        with self.storage.batch():
            study_id = self.storage.create_new_study(directions, study.name)
            self.storage.set_study_system_attr(study_id, _METRIC_NAMES_KEY, list(study.objectives))
            for key, mark in marks_of(study, fingerprint).items():
                self.storage.set_study_user_attr(study_id, key, mark)
        return study_id

    def _objectives(self) -> list[tuple[str, str]]:
        """Names and directions, as they were when the journal began."""
        names = self.storage.get_study_system_attrs(self.study_id).get(_METRIC_NAMES_KEY, ())
        return [(name, d.name.lower()) for name, d in zip(names, self.directions, strict=False)]

    @property
    def directions(self) -> list[StudyDirection]:
        """Direction of each objective."""
        return self.storage.get_study_directions(self.study_id)

    def trials(self) -> list[FrozenTrial]:
        """All trials, by number; shared objects that must not be changed."""
        return self.storage.get_all_trials(self.study_id, deepcopy=False)

    def add(self, proposal: Proposal, *, rejected: bool = False) -> FrozenTrial:
        """Write down a new trial: running, or rejected for good by a requirement."""
        trial = create_trial(
            state=TrialState.PRUNED if rejected else TrialState.RUNNING,
            params=dict(proposal.stored),
            distributions=dict(proposal.distributions),
            user_attrs={"ended": "rejected"} if rejected else {"attempts": []},
            system_attrs=dict(proposal.system_attrs),
        )
        trial.datetime_start = datetime.now()
        with self.storage.batch():
            for key, value in proposal.study_attrs.items():
                self.storage.set_study_system_attr(self.study_id, key, value)
            self.storage.create_new_trial(self.study_id, trial)
        return self.storage.get_trial(self.storage.last_created_trial_id)

    def claim(self, trial: FrozenTrial, proposal: Proposal) -> FrozenTrial:
        """Start a trial that someone enqueued with Optuna's own tools."""
        storage, trial_id = self.storage, trial._trial_id
        with storage.batch():
            storage.set_trial_state_values(trial_id, TrialState.RUNNING)
            for name, distribution in proposal.distributions.items():
                internal = distribution.to_internal_repr(proposal.stored[name])
                storage.set_trial_param(trial_id, name, internal, distribution)
            storage.set_trial_user_attr(trial_id, "attempts", [])
        return storage.get_trial(trial_id)

    def set_attempts(self, trial: FrozenTrial, attempts: Sequence[Mapping[str, Any]]) -> None:
        """Write down the attempts at a running trial so far."""
        self.storage.set_trial_user_attr(trial._trial_id, "attempts", list(attempts))

    def pause(
        self,
        trial: FrozenTrial,
        values: Sequence[float],
        constraints: Mapping[str, float],
        facts: Mapping[str, Any],
        attributes: Mapping[str, Any],
    ) -> None:
        """Write down what a trial has reached that waits from now on.

        Args:
            trial: The trial.
            values: Its objective values so far.
            constraints: Its constraint values so far.
            facts: Its `fidelity` and `cost_s`, and `why` it waits.
            attributes: Its attempts and reports.
        """
        rung = {"values": list(values), "constraints": dict(constraints), **facts}
        rung |= {"at": datetime.now().isoformat(), "waits": True}
        with self.storage.batch():
            for key, value in {**attributes, RUNG: rung}.items():
                self.storage.set_trial_user_attr(trial._trial_id, key, value)

    def go_on(self, trial: FrozenTrial) -> None:
        """Write down that a trial waits no longer."""
        rung = dict(rung_of(self.storage.get_trial(trial._trial_id)) or {})
        self.storage.set_trial_user_attr(trial._trial_id, RUNG, {**rung, "waits": False})

    def complete(
        self,
        trial: FrozenTrial,
        values: Sequence[float],
        constraints: Mapping[str, float],
        attributes: Mapping[str, Any],
    ) -> None:
        """Write down a trial that ended by itself."""
        self._tell(trial, TrialState.COMPLETE, list(values), constraints, attributes)

    def fail(self, trial: FrozenTrial, attributes: Mapping[str, Any]) -> None:
        """Write down a trial that failed."""
        self._tell(trial, TrialState.FAIL, None, {}, attributes)

    def _tell(
        self,
        trial: FrozenTrial,
        state: TrialState,
        values: list[float] | None,
        constraints: Mapping[str, float],
        attributes: Mapping[str, Any],
    ) -> None:
        storage, trial_id = self.storage, trial._trial_id
        with storage.batch():
            for key, value in attributes.items():
                storage.set_trial_user_attr(trial_id, key, value)
            for name, value in constraints.items():
                storage.set_trial_system_attr(trial_id, f"{CONSTRAINT_PREFIX}{name}", value)
            storage.set_trial_state_values(trial_id, state, values)

    def attributes(self) -> dict[str, Any]:
        """The study's user attributes."""
        return self.storage.get_study_user_attrs(self.study_id)

    def sessions(self) -> list[dict[str, Any]]:
        """When the study ran: see `sessions_in`."""
        return sessions_in(self.attributes())

    def set_session(self, number: int, facts: Mapping[str, Any]) -> None:
        """Write down one session of the asker."""
        self.storage.set_study_user_attr(self.study_id, f"{_SESSION_PREFIX}{number}", dict(facts))

    def test_openings(self) -> list[dict[str, Any]]:
        """Each time the test split was opened for this study."""
        return self._numbered(_TEST_PREFIX)

    def add_test_opening(self, facts: Mapping[str, Any]) -> None:
        """Write down that the test split is about to be opened."""
        self._append(_TEST_PREFIX, facts)

    def retrained(self) -> list[dict[str, Any]]:
        """What configurations reached when they were trained again over seeds."""
        return self._numbered(_RETRAINED_PREFIX)

    def add_retrained(self, facts: Mapping[str, Any]) -> None:
        """Write down what a configuration reached over seeds."""
        self._append(_RETRAINED_PREFIX, facts)

    def confirmed(self) -> list[dict[str, Any]]:
        """Each time the best were trained again on the validation data."""
        return self._numbered(_CONFIRMED_PREFIX)

    def add_confirmed(self, facts: Mapping[str, Any]) -> None:
        """Write down what the best reached on the validation data over seeds."""
        self._append(_CONFIRMED_PREFIX, facts)

    def _append(self, prefix: str, facts: Mapping[str, Any]) -> None:
        number = len(self._numbered(prefix))
        self.storage.set_study_user_attr(self.study_id, f"{prefix}{number}", dict(facts))

    def _numbered(self, prefix: str) -> list[dict[str, Any]]:
        return _numbered(self.attributes(), prefix)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()


def sessions_in(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """When a study ran, from its user attributes.

    Returns:
        Mappings with `started_s`, `n_workers`, `sampler`, and `ended_s` unless it was killed.
    """
    return _numbered(attributes, _SESSION_PREFIX)


def _numbered(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    found = {
        int(key.removeprefix(prefix)): value
        for key, value in attributes.items()
        if key.startswith(prefix)
    }
    return [found[number] for number in sorted(found)]


def stock_storage(folder: StudyFolder) -> JournalStorage:
    """The study as stock Optuna opens it, for Optuna's own tools."""
    return JournalStorage(JournalFileBackend(str(folder.journal)))
