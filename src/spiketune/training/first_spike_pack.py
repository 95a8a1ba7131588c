"""Trainings of one configuration that differ in their seeds, trained together.

Small networks cost more in calls than in arithmetic, so that a pack of sixteen costs less than
eight alone; each ends as it would alone, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, final

from torch import Tensor

from spiketune.config.first_spike import FirstSpike, is_plain
from spiketune.config.training import TrainingTrial
from spiketune.data.splits import Splits
from spiketune.errors import TrialError
from spiketune.training.epochs import Outcome, Validated
from spiketune.training.first_spike import FirstSpikeTrainer
from spiketune.training.first_spike_epochs import train_epoch
from spiketune.training.first_spike_evaluation import evaluate_pack
from spiketune.training.first_spike_rates import build_scaled
from spiketune.training.first_spike_steps import PackSteps
from spiketune.training.progress import Metrics


@final
class FirstSpikePack:
    """Trainings of plain networks of first spike times, one for each seed.

    Args:
        config: The trial section of all of them.
        splits: Training and validation data.
        seeds: Of each: weights and order.
        study_seed: Shared by all.
        on_epoch: Called with the position of a training, the number of its epochs done and its
            metrics after each of them. Its `cost_s` is its share of what the pack took.
        should_stop: Polled before each batch; true ends all as `interrupted`.

    Raises:
        ValueError: If the network `is_plain` not.

    Attributes:
        trainers: One for each seed.
    """

    def __init__(
        self,
        config: TrainingTrial,
        splits: Splits,
        seeds: Sequence[int],
        *,
        study_seed: int,
        on_epoch: Callable[[int, int, Metrics], None] = lambda which, epoch, metrics: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        if not isinstance(config.network, FirstSpike) or not is_plain(config.network):
            raise ValueError("a pack takes plain networks of first spike times")

        def listener(which: int) -> Callable[[int, Metrics], None]:
            return lambda epoch, metrics: on_epoch(which, epoch, metrics)

        self._config, self._seeds, self._should_stop = config, tuple(seeds), should_stop
        self.trainers = [
            FirstSpikeTrainer(
                config, splits, seed=seed, study_seed=study_seed, on_epoch=listener(which)
            )
            for which, seed in enumerate(seeds)
        ]

    def run(self) -> list[Outcome | TrialError]:
        """Train all to their ends; an error (kind `nan`) where one of them failed."""
        errors: dict[int, TrialError] = {}
        for trainer in self.trainers:
            trainer.begin()
        stopped = False
        while not stopped:
            left = [
                g for g, trainer in enumerate(self.trainers) if not trainer.over and g not in errors
            ]
            if not left:
                break
            stopped = not self._train(left, errors)
        return [errors.get(g, trainer.outcome) for g, trainer in enumerate(self.trainers)]

    def _train(self, which: Sequence[int], errors: dict[int, TrialError]) -> bool:
        """Train some until one of them is done; false if asked to stop."""
        trainers = [self.trainers[g] for g in which]
        networks = [trainer.network for trainer in trainers]
        optimizer = build_scaled(self._config.training, networks)
        _share_state(optimizer.state, trainers)
        steps = PackSteps(
            networks,
            [trainer.raising for trainer in trainers],
            trainers[0].train_samples,
            optimizer,
            trainers[0].min_spikes,
        )
        while True:
            started_s = time.perf_counter()
            ends = train_epoch(
                steps,
                self._config,
                trainers[0].progress.epochs_done,
                [self._seeds[g] for g in which],
                [trainer.progress.patience for trainer in trainers],
                self._should_stop,
            )
            trained_s = (time.perf_counter() - started_s) / len(trainers)
            if ends is None:
                for trainer in trainers:
                    trainer.end_epoch(None, trained_s)
                return False
            started_s = time.perf_counter()
            data = trainers[0].validation_samples
            found = evaluate_pack(networks, steps.gradients, data, self._config)
            validated_s = (time.perf_counter() - started_s) / len(trainers)
            for g, trainer, end, own in zip(which, trainers, ends, found, strict=True):
                if isinstance(end, TrialError):
                    errors[g] = end
                else:
                    trainer.end_epoch(end, trained_s, Validated(own, validated_s))
            if any(g in errors for g in which) or any(trainer.over for trainer in trainers):
                _take_state(optimizer.state, trainers)
                return True


def _share_state(state: dict[Tensor, Any], trainers: Sequence[FirstSpikeTrainer]) -> None:
    """Let the optimiser of a pack go on from what those of single trainings remember."""
    for trainer in trainers:
        for parameter, own in trainer.optimizer.state.items():
            state[parameter] = own


def _take_state(state: dict[Tensor, Any], trainers: Sequence[FirstSpikeTrainer]) -> None:
    """Let the optimisers of single trainings go on from what that of the pack remembers."""
    for trainer in trainers:
        for parameter in trainer.network.parameters():
            if parameter in state:
                trainer.optimizer.state[parameter] = state[parameter]
