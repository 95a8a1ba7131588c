"""A study as an object: the same for notebooks and for the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from spiketune.config.inline import resolve
from spiketune.config.loading import Configuration, without_parameters
from spiketune.config.study import Budget, seconds
from spiketune.config.study import Study as StudySection
from spiketune.errors import InputError, StudyExistsError
from spiketune.study.budget import n_counted, own, unspent, uptime_s
from spiketune.study.loop import Reason
from spiketune.study.over_seeds.confirmation import Confirmation, from_record
from spiketune.study.over_seeds.confirming import worth_confirming
from spiketune.study.over_seeds.retraining import Retrained
from spiketune.study.over_seeds.trainings import Candidate, unheard
from spiketune.study.over_seeds.trainings import Listen as ListenToTrainings
from spiketune.study.over_seeds.winners import confirm_trials, retrain_trials
from spiketune.study.preparing import prepare
from spiketune.study.progress import Progress
from spiketune.study.records import folder as folders
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.lock import StudyLock
from spiketune.study.records.results import TrialRow, directions_of, frame, front, knee, ranked, row
from spiketune.study.records.storage import StudyStorage
from spiketune.study.running import run_session, storage_of, study_of
from spiketune.study.steering.warm_start import known_trials

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from spiketune.report.summary import StudySummary

Listen = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Session:
    """How a session ended.

    Attributes:
        reason: `budget`, `time`, `interrupted`, `exhausted`, `failing` or `unsatisfiable`.
        first_failure: Message of its first failed trial.
    """

    reason: Reason
    first_failure: str | None


@final
class Study:
    """A study folder: run it, look at it, train its winners again.

    Everything shown is read from the folder, so a study can be looked at while another
    process runs it.

    Args:
        path: The study's folder.

    Raises:
        StudyNotFoundError: If it holds no study.
    """

    def __init__(self, path: str | Path) -> None:
        self.folder, self.configuration = folders.load(Path(path))
        self._reader: StudyStorage | None = None
        self._prepared = False
        self._is_new = False
        self.session: Session | None = None

    def __repr__(self) -> str:
        return f"Study({str(self.folder.path)!r})"

    @property
    def path(self) -> Path:
        """The study's folder."""
        return self.folder.path

    @property
    def section(self) -> StudySection:
        """The study section of its configuration."""
        return study_of(self.configuration)

    @property
    def directions(self) -> dict[str, str]:
        """`minimize` or `maximize` by objective."""
        return dict(self.section.objectives)

    @property
    def budget(self) -> str:
        """What it may spend over all sessions, in words."""
        budget = self.section.budget
        trials = [] if budget.trials is None else [f"{budget.trials} trials"]
        time = [] if budget.time is None else [f"{budget.time:g} s"]
        return " or ".join(trials + time) or "no limit"

    @property
    def why_this_sampler(self) -> str | None:
        """Why `auto` chose the sampler; None if the file names it."""
        facts = folders.read_document(self.folder).get("provenance", {})
        why = facts.get(folders.SAMPLER_FACT)
        return str(why) if why else None

    # Look.

    @property
    def storage(self) -> StudyStorage:
        """The journal, opened for reading."""
        if self._reader is None:
            self._reader = storage_of(self.folder, self.configuration, writable=False)
        return self._reader

    def rows(self) -> list[TrialRow]:
        """Every trial, by number; none if the study never started."""
        if not self.folder.journal.exists():
            return []
        names = list(directions_of(self.storage.directions, self.storage.objectives))
        return [row(trial, self.configuration.space, names) for trial in self.storage.trials()]

    def frame(self) -> pd.DataFrame:
        """One line per trial, as a pandas table."""
        return frame(self.rows())

    def front(self, *, any_fidelity: bool = False) -> list[TrialRow]:
        """The trials that no other beats in every objective (feasible, at full fidelity)."""
        return front(self.rows(), self.directions, any_fidelity=any_fidelity)

    def best(self, *, any_fidelity: bool = False) -> TrialRow | None:
        """The best trial; with several objectives, the knee of the front."""
        if len(self.directions) > 1:
            return knee(self.front(any_fidelity=any_fidelity), self.directions)
        return next(iter(ranked(self.rows(), self.directions, any_fidelity=any_fidelity)), None)

    def is_running(self) -> bool:
        """Whether some process runs the study now."""
        return StudyLock.is_held(self.folder.lock)

    def summary(self) -> StudySummary:
        """All that the report shows."""
        from spiketune.report.summary import StudySummary

        started = self.folder.journal.exists()
        document = folders.read_document(self.folder)
        return StudySummary(
            name=self.section.name,
            directions=self.directions,
            space=self.configuration.space,
            rows=self.rows(),
            sessions=self.storage.sessions() if started else [],
            test_openings=self.storage.test_openings() if started else [],
            provenance=document.get("provenance", {}),
            sampler=self.section.sampler.name,
            budget=self.budget,
            constraints=self.section.constraints,
            retrained=self.storage.retrained() if started else [],
            confirmation=self.confirmation(),
            path=str(self.path),
        )

    def plot(
        self,
        x: str,
        y: str,
        color: str | None = None,
        *,
        x_range: tuple[float, float] | None = None,
        y_range: tuple[float, float] | None = None,
        color_range: tuple[float, float] | None = None,
    ) -> go.Figure:
        """Any parameter, objective or metric against any other, coloured by a third.

        Raises:
            UnknownNameError: If a name is none of the table's columns.
        """
        from spiketune.report.plots import scatter

        return scatter(
            self.frame(), x, y, color, x_range=x_range, y_range=y_range, color_range=color_range
        )

    def report(self, path: str | Path | None = None) -> Path:
        """Write the HTML report, one self-contained file, and say where it is."""
        from spiketune.report.page import write_page

        return write_page(self.summary(), Path(path or self.path / "report.html"))

    # Run.

    def run(
        self,
        trials: int | None = None,
        time: float | str | None = None,
        *,
        listen: Listen | None = None,
    ) -> Study:
        """Go on with the search; Ctrl-C ends it in good order, and calling it again goes on.

        Args:
            trials: So many more than there are; None keeps the budget of `study.yaml`.
            time: So much more time, in seconds or as text (`"90m"`); None keeps the budget.
                Where one of the two is given, the other, if it is spent, is lifted.
            listen: Told of progress; a progress display on the terminal if None.

        Raises:
            StudyLockedError: If another process runs the study; nothing is changed.
        """
        StudyLock(self.folder.lock).release()  # refuse at once, before anything is made ready
        self._add(Budget(), trials, time)
        self.prepare()
        try:
            self.session = self._run_session(listen)
        except InputError:
            if self._is_new and not self.is_running() and not self._has_begun():
                folders.unmake(self.folder)  # so that the corrected file can be run
            raise
        return self

    def _run_session(self, listen: Listen | None) -> Session:
        if listen is not None:
            return Session(*run_session(self.folder, self.configuration, listen))
        from spiketune.report.live import Display

        with Display(self) as display:
            return Session(*run_session(self.folder, self.configuration, display.update))

    def _has_begun(self) -> bool:
        """Whether it has a trial of its own."""
        return self.folder.journal.exists() and bool(own(self.storage.trials()))

    def prepare(self) -> None:
        """Check and make ready what trials will need; done once, by `run` if not before.

        Raises:
            InputError: Naming what is missing, and the remedy.
        """
        if not self._prepared:
            prepare(self.configuration)
            self._prepared = True

    def extend(self, trials: int | None = None, time: float | str | None = None) -> None:
        """Add to the budget of `study.yaml`, or to what is spent if the budget has no more.

        Where one of the two is given, the other, if it is spent, is lifted.

        Args:
            trials: So many more.
            time: So much more time, in seconds or as text (`"90m"`).

        Raises:
            StudyLockedError: If a process runs the study.
        """
        self._add(self.section.budget, trials, time)

    def _add(self, start: Budget, trials: int | None, time: float | str | None) -> None:
        """Set the budget to so much more than `start`, or than what is spent if that is more."""
        if trials is None and time is None:
            return
        budget, n_spent, spent_s = self.section.budget, self._n_counted(), self._uptime_s()
        n_left, left_s = unspent(budget.trials, n_spent), unspent(budget.time, spent_s)
        if (n_left, left_s) != (budget.trials, budget.time):
            start = Budget()  # the study is over: on from where it stands
        self.set_budget(
            trials=n_left if trials is None else max(start.trials or 0, n_spent) + trials,
            time_s=left_s if time is None else max(start.time or 0.0, spent_s) + seconds(time),
        )

    def set_budget(self, *, trials: int | None, time_s: float | None) -> None:
        """Set the budget of `study.yaml`, in trials and in seconds.

        Raises:
            StudyLockedError: If a process runs the study, by the budget that it began with.
        """
        budget = Budget(trials=trials, time=time_s)
        section = self.section.model_copy(update={"budget": budget})
        with StudyLock(self.folder.lock):
            folders.update_study(self.folder, section)
        self.folder, self.configuration = folders.load(self.path)

    def _n_counted(self) -> int:
        return n_counted(self.storage.trials()) if self.folder.journal.exists() else 0

    def _uptime_s(self) -> float:
        if not self.folder.journal.exists():
            return 0.0
        return uptime_s(self.storage.sessions(), self.storage.trials())

    # Train winners again.

    def candidates(self, which: str = "best") -> list[Candidate]:
        """The configurations behind `best`, `knee`, `front`, or a trial number.

        Raises:
            InputError: If there is no such trial.
        """
        if which == "front":
            chosen = self.front()
        elif which in ("best", "knee"):
            chosen = [found] if (found := self.best()) is not None else []
        elif which.isdigit():
            chosen = [r for r in self.rows() if r.number == int(which)]
        else:
            raise InputError(f"--trial {which}: must be best, knee, front or a trial number")
        if not chosen:
            raise InputError(
                f"{self.path}: no trial for '{which}'; see `spiketune best {self.path}`"
            )
        return [self._candidate(r) for r in chosen]

    def resolved(self, trial: TrialRow) -> dict[str, Any]:
        """The trial section with this trial's values."""
        return without_parameters(resolve(self.configuration.trial, trial.params))

    def confirmation(self) -> Confirmation | None:
        """The latest time the best were trained again on the validation data, if any."""
        if not self.folder.journal.exists() or not (records := self.storage.confirmed()):
            return None
        return from_record(records[-1], self.directions)

    def confirm(
        self,
        *,
        top: int = 10,
        seeds: int = 5,
        listen: ListenToTrainings = unheard,
    ) -> Confirmation:
        """Train the best again over fresh seeds on the validation data, and say which is best.

        What an interrupted call finished is not repeated.

        Args:
            top: How many trials: the best at full fidelity, or of the front.
            seeds: Trainings of each.
            listen: Told of every report and end.

        Raises:
            InputError: If no feasible trial has finished.
        """
        chosen = worth_confirming(self.rows(), self.directions, top, self.resolved)
        if not chosen:
            raise InputError(
                f"{self.path}: no feasible trial at full fidelity; "
                f"see `spiketune status {self.path}`"
            )
        self.prepare()
        candidates = {r.number: self._candidate(r) for r in chosen}
        return confirm_trials(candidates, seeds, self.folder, self.configuration, listen)

    def _candidate(self, trial: TrialRow) -> Candidate:
        return Candidate(f"trial-{trial.number:05d}", self.resolved(trial), trial.params)

    def retrain(
        self,
        which: str = "best",
        *,
        seeds: int = 5,
        listen: ListenToTrainings = unheard,
    ) -> list[Retrained]:
        """Train chosen configurations again over fresh seeds and open the test split, on record.

        Raises:
            InputError: If there is no such trial.
        """
        candidates = self.candidates(which)
        reason = f"retrain {which} of {self.section.name} over {seeds} seeds"
        return retrain_trials(
            candidates, seeds, self.folder, self.configuration, reason=reason, listen=listen
        )


def create(configuration: Configuration, path: str | Path) -> Study:
    """Make a study's folder, after checking what can be checked without a trial.

    Raises:
        StudyExistsError: If the folder holds a study already.
        InputError: If something that trials need is missing.
    """
    if StudyFolder(Path(path)).configuration_file.exists():
        raise StudyExistsError(
            f"{path}: holds a study already; go on with `spiketune resume {path}`, "
            "or start a dated sibling with `--new`"
        )
    prepare(configuration)
    known_trials(configuration)  # refuse what cannot be read before anything is made
    folders.create(Path(path), configuration)
    study = Study(path)
    study._prepared = study._is_new = True
    return study


def open(path: str | Path) -> Study:  # noqa: A001 -- spiketune.open, as there is gzip.open
    """The study in a folder.

    Raises:
        StudyNotFoundError: If there is none.
    """
    return Study(path)
