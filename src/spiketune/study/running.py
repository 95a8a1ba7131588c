"""A study brought to life: lock, journal, sampler, executor and loop for one session."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

from optuna.storages import BaseStorage

from spiketune.clock import SystemClock
from spiketune.config.inline import parameter_name, range_kind
from spiketune.config.loading import Configuration
from spiketune.config.study import Study
from spiketune.errors import ConfigError, SpiketuneError
from spiketune.executors.registry import make_executor, n_threads
from spiketune.samplers.asker import Asker
from spiketune.samplers.auto import settled
from spiketune.samplers.stock import takes_option
from spiketune.study.fitting import fits_of
from spiketune.study.jobs import JobMaker
from spiketune.study.loop import Reason, StudyLoop
from spiketune.study.progress import Progress
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.lock import StudyLock
from spiketune.study.records.storage import StudyStorage
from spiketune.study.records.table import ResultsTable
from spiketune.study.rungs import leaf, resource_of
from spiketune.study.sampler_changes import change_in_words
from spiketune.study.steering.warm_start import warm_start

_log = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def study_of(configuration: Configuration) -> Study:
    """The study section.

    Raises:
        ConfigError: If the file has none.
    """
    if configuration.study is None:
        raise ConfigError("study", "the section is missing; a search needs its objectives")
    return configuration.study


def storage_of(
    folder: StudyFolder, configuration: Configuration, *, writable: bool
) -> StudyStorage:
    """The journal in a study's folder; see `StudyStorage`."""
    fingerprint = configuration.space.fingerprint()
    return StudyStorage(folder, study_of(configuration), fingerprint, writable=writable)


def asker_of(storage: StudyStorage, configuration: Configuration) -> Asker:
    """The asker that a study's configuration describes, on its journal."""
    return asker_on(storage.storage, configuration)


def asker_on(storage: BaseStorage, configuration: Configuration) -> Asker:
    """The same, on any storage that holds the study under its name."""
    study, _ = settled(study_of(configuration), configuration.space)
    return Asker(
        storage,
        storage.get_study_id_from_name(study.name),
        study.name,
        configuration.space,
        sampler=study.sampler.name,
        options=sampler_options(study, configuration),
        seed=study.seed,
        fits=fits_of(configuration),
    )


def sampler_options(study: Study, configuration: Configuration) -> Mapping[str, Any]:
    """Options of the sampler, and which parameter is a trial's own maximum of the fidelity.

    The latter where a fidelity rule stops trials, their maximum is searched, the sampler wants to
    know, and the file does not say.
    """
    sampler, fidelity = study.sampler, study.fidelity
    if fidelity is None or not takes_option(sampler.name, "resource"):
        return sampler.options
    path = resource_of(fidelity, configuration.trial)
    searched = leaf(configuration.trial, path) if path else None
    if not isinstance(searched, Mapping) or range_kind(searched, str(path)) is None:
        return sampler.options
    name = parameter_name(searched, f"trial.{path}")
    known = {"resource": name} if name in configuration.space else {}
    return known | dict(sampler.options)


def run_session(
    folder: StudyFolder,
    configuration: Configuration,
    listen: Callable[[Progress], None] = lambda progress: None,
) -> tuple[Reason, str | None]:
    """Run a study until its budget is spent, or Ctrl-C, SIGTERM or SIGUSR1 ends the session.

    Args:
        folder: The study's folder.
        configuration: Its checked configuration.
        listen: Told of progress.

    Returns:
        Why the session ended, and the message of its first failed trial.

    Raises:
        StudyLockedError: If another process runs the study.
    """
    study, _ = settled(study_of(configuration), configuration.space)
    configuration = replace(configuration, study=study)  # what asks is written down, not `auto`
    with (
        StudyLock(folder.lock),
        closing(storage_of(folder, configuration, writable=True)) as storage,
    ):
        warm_start(storage, configuration)
        changed = change_in_words(storage.sessions(), study.sampler, len(storage.trials()))
        if changed is not None:
            _log.warning(changed)
        asker = asker_of(storage, configuration)
        threads = n_threads(study.executor)
        executor = make_executor(study.executor, configuration.trial, configuration.base_folder)
        jobs = JobMaker(study, configuration, folder, threads)
        if configuration.kind == "command":
            listen = ResultsTable(folder.path / "results.csv", configuration, storage).after(listen)
        loop = StudyLoop(storage, asker, executor, jobs, SystemClock(), listen)
        with signals_to(loop.request_stop), _telling_what_cannot_be_written(folder):
            reason = loop.run()
        return reason, loop.first_failure


@contextmanager
def _telling_what_cannot_be_written(folder: StudyFolder) -> Iterator[None]:
    """A full disk or a folder that is closed to us ends the session, and not the study.

    Raises:
        SpiketuneError: Naming file and remedy.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or folder.path
        raise SpiketuneError(
            f"{place}: {error.strerror or error}; what came before is safe, "
            f"`spiketune resume {folder.path}` goes on once this is mended"
        ) from error


@contextmanager
def signals_to(stop: Callable[[], None]) -> Iterator[None]:
    """Let signals end work in good order; only the main thread can catch them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, handle) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
