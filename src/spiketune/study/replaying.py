"""The journal told again to a fresh sampler, which must ask for the same configurations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from optuna.storages.journal import BaseJournalBackend
from optuna.trial import TrialState

from spiketune.config.loading import Configuration
from spiketune.config.study import Named
from spiketune.errors import InputError
from spiketune.samplers.asker import SPENT_KEY, Asker
from spiketune.samplers.grid import GridExhaustedError
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.journal import BatchedStorage
from spiketune.study.records.storage import sessions_in
from spiketune.study.running import asker_on, study_of
from spiketune.study.sampler_changes import last_sampler

# Operations of Optuna's journal (`optuna.storages.journal._storage.JournalOperation`).
_SET_STUDY_ATTRIBUTE: Final = 3
_CREATE_TRIAL: Final = 4
_NOT_ASKED: Final = (TrialState.WAITING, TrialState.COMPLETE)  # enqueued; of a warm start


@dataclass(frozen=True, slots=True)
class Difference:
    """A trial that a fresh sampler would not have asked for.

    Attributes:
        number: Trial number.
        journal: By parameter, the stored value; those that agree are left out.
        replayed: By parameter, the value asked for now.
    """

    number: int
    journal: Mapping[str, Any]
    replayed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Replay:
    """How a replay went.

    Attributes:
        n_asked: Trials that the study's sampler asked for.
        n_others: Trials that someone enqueued or imported, which are no sampler's choice.
        differences: The trials that differ, by number.
        samplers: Names of the samplers, one after the other.
    """

    n_asked: int
    n_others: int
    differences: tuple[Difference, ...]
    samplers: tuple[str, ...]


@final
class _Told(BaseJournalBackend):
    """A journal of which a sampler knows the first `n_told` lines."""

    def __init__(self, logs: Sequence[dict[str, Any]]) -> None:
        self._logs = logs
        self.n_told = 0

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The lines told so far."""
        return iter(self._logs[log_number_from : self.n_told])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refused: what is replayed is past."""
        raise NotImplementedError("a replay writes nothing")


def replay(
    folder: StudyFolder,
    configuration: Configuration,
    listen: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Ask a fresh sampler anew for every trial of a journal, knowing what was known then.

    Args:
        folder: The study's folder.
        configuration: Its checked configuration.
        listen: Told of the asks made and of all there are.

    Raises:
        InputError: If there is no journal, or it holds no trial.
    """
    logs = _lines(folder)
    moments = [i for i, log in enumerate(logs) if log.get("op_code") == _CREATE_TRIAL]
    told = _Told(logs)
    storage: BatchedStorage | None = None
    askers: list[tuple[Named, Asker]] = []
    differences: list[Difference] = []
    n_asked = n_others = 0
    for done, i in enumerate(moments):
        told.n_told = _before(logs, i)
        if storage is None:
            storage = BatchedStorage(told)  # type: ignore[arg-type]
        sampler = _sampler(storage, configuration)
        if not askers or askers[-1][0] != sampler:  # the study went on with another one
            askers.append((sampler, asker_on(storage, _with_sampler(configuration, sampler))))
        asker = askers[-1][1]
        asked = logs[i]
        if asked.get("state", int(TrialState.RUNNING)) in _NOT_ASKED:
            n_others += 1
            continue
        asker.spent = (asked.get("system_attrs") or {}).get(SPENT_KEY)
        number = len(storage.get_all_trials(_study_id(storage), deepcopy=False))
        replayed = _ask(asker)
        told.n_told = i + 1
        trial = storage.get_all_trials(_study_id(storage), deepcopy=False)[number]
        n_asked += 1
        if replayed != dict(trial.params):
            differences.append(_difference(number, trial.params, replayed))
        listen(done + 1, len(moments))
    if not n_asked:
        raise InputError(f"{folder.path}: no trial to replay; the study never asked for one")
    return Replay(n_asked, n_others, tuple(differences), tuple(s.name for s, _ in askers))


def _sampler(storage: BatchedStorage, configuration: Configuration) -> Named:
    """The sampler of the session that is told; that of the file where no session says."""
    attributes = storage.get_study_user_attrs(_study_id(storage))
    return last_sampler(sessions_in(attributes)) or study_of(configuration).sampler


def _with_sampler(configuration: Configuration, sampler: Named) -> Configuration:
    study = study_of(configuration).model_copy(update={"sampler": sampler})
    return replace(configuration, study=study)


def _lines(folder: StudyFolder) -> list[dict[str, Any]]:
    try:
        data = folder.journal.read_bytes()
    except OSError:
        raise InputError(f"{folder.journal}: no such file; the study never started") from None
    whole = data[: data.rfind(b"\n") + 1]
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise InputError(f"{folder.journal}: is damaged: {error}") from error


def _before(logs: Sequence[Mapping[str, Any]], i: int) -> int:
    """Where the ask for the trial created in line `i` began: before what its sampler wrote."""
    while i > 0 and logs[i - 1].get("op_code") == _SET_STUDY_ATTRIBUTE:
        i -= 1
    return i


def _study_id(storage: BatchedStorage) -> int:
    return storage.get_all_studies()[0]._study_id


def _ask(asker: Asker) -> dict[str, Any]:
    try:
        return dict(asker.ask()[0].stored)
    except GridExhaustedError:
        return {}


def _difference(number: int, journal: Mapping[str, Any], replayed: Mapping[str, Any]) -> Difference:
    names = [n for n in {**journal, **replayed} if journal.get(n) != replayed.get(n)]
    return Difference(
        number,
        {name: journal[name] for name in names if name in journal},
        {name: replayed[name] for name in names if name in replayed},
    )
