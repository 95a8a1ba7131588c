"""What is checked and made ready before the first trial of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spiketune.config.inline import resolve
from spiketune.config.loading import Configuration, corners, without_parameters
from spiketune.errors import ConfigError, UnknownNameError
from spiketune.executors.registry import check_executor


def prepare(configuration: Configuration) -> None:
    """Check and make ready all that trials will need, before the first one starts.

    Raises:
        InputError: Naming what is missing, and the remedy.
    """
    from spiketune.objectives.preparation import prepare as prepare_sections
    from spiketune.samplers.asker import rehearse
    from spiketune.samplers.auto import settled
    from spiketune.samplers.stock import check_sampler
    from spiketune.study.rungs import check_fidelity

    study = configuration.study
    if study is not None:
        sampler = settled(study, configuration.space)[0].sampler
        space, n_objectives = configuration.space, len(study.objectives)
        with _naming("study.sampler.name"):
            check_sampler(sampler.name, sampler.options, n_objectives, space)
        rehearse(space, sampler.name, sampler.options, n_objectives)
        with _naming("study.executor.name"):
            check_executor(study.executor)
        if study.fidelity is not None:
            with _naming("study.fidelity.name"):
                check_fidelity(study.fidelity, configuration.trial)
    sections = (
        without_parameters(resolve(configuration.trial, values))
        for values in corners(configuration.space)
    )
    prepare_sections(sections, configuration.base_folder)


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Say where in the file a name stands that nothing is registered under."""
    try:
        yield
    except UnknownNameError as error:
        raise ConfigError(place, str(error)) from error
