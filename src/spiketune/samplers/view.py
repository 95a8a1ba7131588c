"""The study as a sampler sees it: failures are infeasible, reverse-log ranges are mirrored.

A trial that was stopped at a rung keeps its values, which are those of its fidelity; that it is
not a full one shows as a constraint that it breaks a little, the less the further it got. So it
ranks behind every full and feasible trial and before those that break the study's constraints.
A trial that waits at a rung, or goes on from there, is shown likewise until it ends.

Optuna's samplers pass over failed trials, and so go on asking where everything crashes. Here
they see a failed or rejected trial as a complete one that breaks a constraint. Nothing of this
is stored: the view stands between a sampler and the journal, and what a sampler writes is kept
in a draft until the trial is written down.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, final

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState, create_trial

from spiketune.samplers.paused import as_stopped
from spiketune.space import Choice, Space
from spiketune.space.distributions import mirrored, sampler_distribution

_PREFIX: Final = "constraints:"
_RAN: Final = "ran"  # the constraint that a failed or rejected trial breaks
_FULL: Final = "full"  # the constraint that a stopped trial breaks
_STOPPED: Final = 1e-3  # by at most so much: less than any constraint of a study is likely to be
_UNUSABLE: Final = (TrialState.FAIL, TrialState.PRUNED)


@final
class SamplerView(BaseStorage):
    """A storage that a stock sampler reads, and writes its drafts to.

    Args:
        storage: The storage behind it, of an Optuna study.
        study_id: That study.
        space: The search space.
        blind: Whether the sampler ignores constraints; it then sees an infeasible trial behind
            the worst value told so far, by as much as it breaks them.
        plain: Whether the sampler deals with failures itself, and sees them as they are.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study_id: int,
        space: Space,
        *,
        blind: bool,
        plain: bool = False,
    ) -> None:
        self._plain = plain
        self._storage = storage
        self._study_id = study_id
        self._blind = blind
        self._mirrored = {
            name: parameter
            for name, parameter in space.items()
            if not isinstance(parameter, Choice) and parameter.scale == "reverse-log"
        }
        self._raw: list[FrozenTrial] = []
        self._seen: list[FrozenTrial] = []
        self._open: set[int] = set()
        self._waiting: set[int] = set()
        self._unusable: set[int] = set()
        self._excess: dict[int, float] = {}  # by which infeasible trials break constraints
        self._most_excess = 0.0
        self._told: list[list[float]] = []
        self._worst: list[float] | None = None  # of what was told
        self._constraints: tuple[str, ...] = ()
        self._stale = False
        self._filler: tuple[list[float], float] | None = None  # what unusable trials show
        self._study_attrs: dict[str, Any] = {}
        self.draft = create_trial(state=TrialState.RUNNING)

    def start_draft(self) -> FrozenTrial:
        """Take in what was told since, and begin a new trial that is nowhere stored."""
        self._sync()
        self.draft = create_trial(state=TrialState.RUNNING)
        self.draft.number = self.draft._trial_id = len(self._seen)
        self.draft.datetime_start = datetime.now()
        self._study_attrs = {}
        return self.draft

    @property
    def n_asked(self) -> int:
        """Trials that were asked for: all but those enqueued that still wait."""
        return len(self._raw) - len(self._waiting)

    def waiting(self) -> FrozenTrial | None:
        """The first trial that someone enqueued and nobody runs."""
        self._sync()
        return self._raw[min(self._waiting)] if self._waiting else None

    @property
    def study_attrs(self) -> dict[str, Any]:
        """What the sampler set on the study since the draft was started."""
        return self._study_attrs

    def _sync(self) -> None:
        raw = self._storage.get_all_trials(self._study_id, deepcopy=False)
        fresh = range(len(self._raw), len(raw))
        changed = [i for i in sorted(self._open) if raw[i] is not self._raw[i]] + list(fresh)
        self._raw = raw
        if not changed:
            return
        self._seen.extend(raw[i] for i in fresh)
        for i in changed:
            self._take_in(i)
        if self._stale:
            self._seen = [self._transformed(as_stopped(trial)) for trial in raw]
            self._stale, self._filler = False, None
        if self._plain:
            return
        if self._unusable or (self._blind and self._excess):
            self._fill(changed)

    def _take_in(self, i: int) -> None:
        raw = self._raw[i]
        if raw.state == TrialState.WAITING:
            self._waiting.add(i)
        else:
            self._waiting.discard(i)
        trial = as_stopped(raw)
        if raw.state.is_finished():
            self._open.discard(i)
        else:
            self._open.add(i)
        if trial.state.is_finished():
            self._take_in_finished(i, trial)
        self._seen[i] = self._transformed(trial)

    def _take_in_finished(self, i: int, trial: FrozenTrial) -> None:
        constraints = trial.constraints
        names = {*constraints, *({_FULL} if _is_stopped(trial) else ())}
        if self._is_unusable(trial):
            self._unusable.add(i)
            names = {_RAN}
        elif trial.state == TrialState.COMPLETE:
            self._tell(trial.values)
            self._excess.pop(i, None)  # what waits at a rung may meet constraints later
            if (excess := sum(value for value in constraints.values() if value > 0)) > 0:
                self._excess[i] = excess
                self._most_excess = max(self._most_excess, excess)
        if not names <= set(self._constraints):
            self._constraints = tuple(sorted({*self._constraints, *names}))
            self._stale = True  # all trials must carry the same constraints

    def _tell(self, values: list[float]) -> None:
        if not self._blind:
            self._told.append(values)
            return
        directions = self._storage.get_study_directions(self._study_id)
        self._worst = [
            (min if direction == StudyDirection.MAXIMIZE else max)(pair)
            for direction, *pair in zip(directions, values, self._worst or values, strict=True)
        ]

    def _is_unusable(self, trial: FrozenTrial) -> bool:
        return trial.state in _UNUSABLE and bool(trial.params) and not self._plain

    def _transformed(self, trial: FrozenTrial) -> FrozenTrial:
        unusable = self._is_unusable(trial)
        missing = self._needs_constraints(trial)
        if not (unusable or missing or self._blind or self._mirrored.keys() & trial.params.keys()):
            return trial
        seen = copy.copy(trial)
        params, distributions = dict(trial.params), dict(trial.distributions)
        for name in self._mirrored.keys() & params.keys():
            params[name] = mirrored(self._mirrored[name], params[name])
            distributions[name] = sampler_distribution(self._mirrored[name])
        seen.distributions, seen.params = distributions, params
        if unusable:
            seen.state = TrialState.COMPLETE
        if missing and not self._blind:
            broken = {_RAN: 1.0 if unusable else -1.0, _FULL: _shortfall(trial)}
            own = trial.constraints
            seen.system_attrs = trial.system_attrs | {
                f"{_PREFIX}{name}": own.get(name, broken.get(name, 0.0))
                for name in self._constraints
            }
        return seen

    def _needs_constraints(self, trial: FrozenTrial) -> bool:
        if self._plain or not trial.state.is_finished() or not self._constraints:
            return False
        return self._is_unusable(trial) or trial.state == TrialState.COMPLETE

    def _fill(self, changed: Iterable[int]) -> None:
        """Give failed trials values that teach the objectives nothing: the median told so far.

        A sampler that is blind to constraints is shown feasibility first instead: an infeasible
        trial at the worst value told plus all that it breaks constraints by, a failed one behind
        these.

        Source: Deb (2000), "An efficient constraint handling method for genetic algorithms", eq. 4.
        """
        directions = self._storage.get_study_directions(self._study_id)
        worse = [-1.0 if d == StudyDirection.MAXIMIZE else 1.0 for d in directions]
        if self._worst is not None:
            filler = self._worst
        elif self._told:
            filler = [float(v) for v in np.median(np.array(self._told), axis=0)]
        else:
            filler = [0.0] * len(directions)
        excesses = self._excess if self._blind else {}
        most = self._most_excess + 1.0 if self._blind else 0.0  # of a failure: behind all
        if (filler, most) != self._filler:  # else those taken in earlier show it already
            changed = (*self._unusable, *excesses)
        for i in changed:
            if i in self._unusable or i in excesses:
                excess = most if i in self._unusable else excesses[i]
                pairs = zip(filler, worse, strict=True)
                self._seen[i].values = [value + sign * excess for value, sign in pairs]
        self._filler = (filler, most)

    # What a sampler reads.

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials as the sampler may know them; the draft is not among them."""
        trials = self._seen[:] if states is None else [t for t in self._seen if t.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """One trial, or the draft."""
        if trial_id == self.draft._trial_id:
            return self.draft
        return next(trial for trial in self._seen if trial._trial_id == trial_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Direction of each objective."""
        return self._storage.get_study_directions(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """System attributes of the study, with the draft's over them."""
        return self._storage.get_study_system_attrs(study_id) | self._study_attrs

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """User attributes of the study."""
        return self._storage.get_study_user_attrs(study_id)

    def get_study_id_from_name(self, study_name: str) -> int:
        """Id of the study."""
        return self._storage.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """Name of the study."""
        return self._storage.get_study_name_from_id(study_id)

    def get_all_studies(self) -> list[FrozenStudy]:
        """The studies behind the view."""
        return self._storage.get_all_studies()

    # What a sampler writes: into the draft.

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep an attribute with the draft."""
        self._check_draft(trial_id)
        self.draft.system_attrs = {**self.draft.system_attrs, key: value}

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Keep an attribute of the study with the draft."""
        self._study_attrs[key] = value

    def _check_draft(self, trial_id: int) -> None:
        if trial_id != self.draft._trial_id:
            raise NotImplementedError("a sampler may write to the trial it is asked for only")

    # What no sampler does.

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("a sampler reads the study; the asker alone writes to it")

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Refused: samplers make no studies."""
        raise NotImplementedError("a sampler makes no study")

    def delete_study(self, study_id: int) -> None:
        """Refused."""
        self._refuse()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Refused."""
        self._refuse()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Refused."""
        raise NotImplementedError("a sampler makes no trial")

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Refused."""
        self._refuse()

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Refused."""
        raise NotImplementedError("a sampler tells no trial")

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Refused."""
        self._refuse()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Refused."""
        self._refuse()


def _is_stopped(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and trial.user_attrs.get("ended") == "stopped"


def _shortfall(trial: FrozenTrial) -> float:
    """The value of the constraint that a stopped trial breaks; met by all others."""
    if not _is_stopped(trial):
        return -1.0
    return _STOPPED / (1.0 + float(trial.user_attrs.get("fidelity") or 0.0))
