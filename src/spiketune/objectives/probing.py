"""The silence probe: a network that says nothing before its training is not trained."""

from __future__ import annotations

import time
from typing import Final

from spiketune.config.training import TrainingTrial
from spiketune.messages import AUDITED
from spiketune.objectives.trial import Trial
from spiketune.seeding import child_seed
from spiketune.training.kinds import AnyTrainer
from spiketune.training.progress import Metrics
from spiketune.training.trainer import Trainer

AUDITED_SHARE: Final = 0.02  # of what the probe rejects, trained all the same
_SEEDS: Final = 2.0**31


def silent_at_once(trial: Trial, trainer: AnyTrainer, config: TrainingTrial) -> Metrics | None:
    """Probe a network before its first epoch, where `silence.probe` says so.

    The trial notes as `probe` that it `spoke`, was `rejected`, or would have been and was trained
    all the same (`audited`); the latter tell how often the probe is wrong.

    Returns:
        What a rejected network measured, untrained, with the cost of the probe; the trial is
        told as silent. None if the network is to be trained.
    """
    if config.silence is None or not config.silence.probe or not isinstance(trainer, Trainer):
        return None
    started_s = time.perf_counter()
    found = trainer.probe()
    probe_s = time.perf_counter() - started_s
    if found is None:
        trial.note(probe="spoke", probe_s=probe_s)
        return None
    if child_seed(trial.seed, "probe") / _SEEDS < AUDITED_SHARE:
        trial.note(probe="audited", probe_s=probe_s)
        return None
    trial.note(probe="rejected", probe_s=probe_s)
    trial.set_constraint("silence", 1.0 - config.silence.share)  # no sample has spoken
    trial.end("silent")
    return {**found, "cost_s": probe_s}


def audited(trial: Trial) -> Metrics:
    """What the reports of a trial say that was trained though the probe rejected it."""
    *_, details = trial.outcome
    return {AUDITED: 1.0} if details.get("probe") == "audited" else {}
