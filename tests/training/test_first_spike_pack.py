"""Trainings of first spike times in a pack: each as it would be alone, to the bit."""

from typing import Any

import pytest
import torch

from spiketune.config.training import TrainingTrial
from spiketune.errors import TrialError
from spiketune.training.epochs import Outcome
from spiketune.training.first_spike import FirstSpikeTrainer
from spiketune.training.first_spike_pack import FirstSpikePack

from .first_spike_sections import silent_layers, trial
from .sections import splits

SEEDS = (3, 1, 7)
LAST: dict[str, Any] = {"name": "out", "neurons": "classes", "weights_mean": 0.5}

# Weights so small that some networks are silent and left early.
FAINT: list[dict[str, Any]] = [
    {"name": "hidden", "neurons": 4, "weights_mean": 1.2, "weights_std": 0.9, "max_missing": 1.0},
    {"name": "out", "neurons": "classes", "weights_mean": 1.0, "max_missing": 1.0},
]
STRICT = {"min_spikes": 1, "share": 0.3}


def delayed(kind: str, **rest: Any) -> list[dict[str, Any]]:
    delay = {"kind": kind, "learning_rate": 0.004, **rest}
    return [{"name": "hidden", "neurons": 12, "delay": delay}, {**LAST, "delay": delay}]


def alone(config: TrainingTrial) -> list[tuple[FirstSpikeTrainer, Outcome]]:
    trainers = [FirstSpikeTrainer(config, splits(), seed=s, study_seed=0) for s in SEEDS]
    return [(trainer, trainer.run()) for trainer in trainers]


def without_cost(outcome: Outcome | TrialError) -> tuple[Any, ...]:
    assert isinstance(outcome, Outcome)
    metrics = {name: value for name, value in outcome.metrics.items() if name != "cost_s"}
    progress = outcome.progress
    return outcome.ended, metrics, progress.history, progress.firing_rates, progress.patience


@pytest.mark.parametrize(
    "config",
    [
        trial(layers=[{"name": "hidden", "neurons": 12}, LAST]),
        trial(layers=delayed("axonal", share_inputs=2)),
        trial(layers=delayed("dendritic"), tau_ratio=1),
        trial(layers=delayed("synaptic", positivity="clip", mean=0.5), tau_ratio=3.3),
        trial(input_noise={"std": 0.05}, weights={"clip": 1.2}),
        trial(
            epochs=8,
            training={"optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}},
        ),
        trial(epochs=6, layers=silent_layers(0.3), bumping={"value": 0.01}),
        trial(epochs=6, layers=FAINT, silence=STRICT),
    ],
    ids=["weights", "axonal", "dendritic", "synaptic", "noise", "sgd", "raised", "silent"],
)
def test_a_training_in_a_pack_is_the_training_alone(config: TrainingTrial) -> None:
    pack = FirstSpikePack(config, splits(), SEEDS, study_seed=0)
    together = pack.run()
    for (trainer, outcome), other, found in zip(
        alone(config), pack.trainers, together, strict=True
    ):
        assert without_cost(found) == without_cost(outcome)
        assert other.step_log == trainer.step_log
        kept, same = trainer._tensors(), other._tensors()
        assert kept.keys() == same.keys()  # weights, and what the optimiser remembers
        for name, value in kept.items():
            assert torch.equal(same[name], value), name


def test_trainings_of_a_pack_may_end_at_different_epochs() -> None:
    config = trial(epochs=6, layers=FAINT, silence=STRICT)
    ends = FirstSpikePack(config, splits(), SEEDS, study_seed=0).run()
    assert len({end.progress.epochs_done for end in ends if isinstance(end, Outcome)}) > 1


def test_epochs_are_told_of_each_training() -> None:
    told: list[tuple[int, int]] = []
    pack = FirstSpikePack(
        trial(epochs=2),
        splits(),
        SEEDS,
        study_seed=0,
        on_epoch=lambda which, epoch, metrics: told.append((which, epoch)),
    )
    pack.run()
    assert sorted(told) == [(which, epoch) for which in range(3) for epoch in (1, 2)]


def test_one_that_is_not_finite_fails_alone() -> None:
    config = trial(layers=delayed("dendritic", positivity="clip", mean=0.5))
    pack = FirstSpikePack(config, splits(), SEEDS, study_seed=0)
    delay = pack.trainers[1].network.layers[1].delay
    assert delay is not None
    with torch.no_grad():
        delay.parameter[0, 0] = 1e200  # so late that its square is infinite
    ends = pack.run()
    assert isinstance(ends[1], TrialError)
    assert ends[1].kind == "nan"
    for which in (0, 2):
        assert without_cost(ends[which]) == without_cost(alone(config)[which][1])


def test_a_pack_that_is_asked_to_stop_says_so_for_all() -> None:
    polls = iter(range(1000))
    pack = FirstSpikePack(
        trial(), splits(), SEEDS, study_seed=0, should_stop=lambda: next(polls) == 7
    )
    ends = pack.run()
    for end in ends:
        assert isinstance(end, Outcome)
        assert end.ended == "interrupted"
        assert end.progress.epochs_done == 1


def test_a_pack_takes_plain_networks_only() -> None:
    noisy = trial(threshold_noise={"batch_std": 0.1})
    with pytest.raises(ValueError, match="plain networks"):
        FirstSpikePack(noisy, splits(), SEEDS, study_seed=0)
