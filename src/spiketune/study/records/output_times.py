"""Output times of the network that a finished trial left behind."""

from __future__ import annotations

from spiketune.config.loading import Configuration
from spiketune.errors import InputError
from spiketune.study.jobs import JobMaker
from spiketune.study.records.folder import StudyFolder
from spiketune.study.records.results import TrialRow
from spiketune.study.running import study_of


def sorted_output_times(
    folder: StudyFolder, configuration: Configuration, row: TrialRow
) -> list[float]:
    """Mean time of the first, second, ... output spike over the validation samples.

    Args:
        folder: Of the study.
        configuration: Of the study.
        row: The trial.

    Returns:
        One time per output neuron; not a number where no sample has so many spikes.

    Raises:
        InputError: If the trial left no checkpoint, or its network has no first spikes.
    """
    from spiketune.objectives.measuring import from_checkpoint, mean_output_times

    job = JobMaker(study_of(configuration), configuration, folder).job(row.number, 1, row.params)
    checkpoint = folder.checkpoints(row.number) / "checkpoint.safetensors"
    if not checkpoint.exists():
        raise InputError(
            f"{folder.path}: trial {row.number} left no checkpoint; output times need "
            "`study.keep: {checkpoints: all}`"
        )
    trained = from_checkpoint(job.section, checkpoint, job.seed, study_seed=job.study_seed)
    return mean_output_times(trained)
