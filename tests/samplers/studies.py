"""Studies in memory, told as the study loop tells its journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from spiketune.samplers.asker import Asker, Proposal
from spiketune.space import Choice, Float, Int, Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

SPACES: dict[str, Space] = {
    "plain": Space({"x": Float(0.0, 1.0), "n": Int(1, 9), "y": Float(1e-3, 1.0, "log")}),
    "conditional": Space(
        {
            "kind": Choice(["a", "b"]),
            "depth": Int(1, 3),
            "x": Float(0.0, 1.0, when="kind == 'a'"),
            "z": Float(0.0, 1.0, when="kind == 'b' and depth > 1"),
            "always": Float(-1.0, 1.0),
        }
    ),
    "reverse-log": Space(
        {"beta": Float(0.5, 0.999, "reverse-log"), "n": Int(2, 90, "reverse-log")}
    ),
    "choices": Space(
        {
            "shape": Choice([[1, 2], {"a": 1}, None]),
            "truth": Choice([True, 1, 1.0, "1"]),
            "x": Float(0.0, 1.0),
            "n": Int(1, 4),
        }
    ),
    "single": Space(
        {
            "one": Int(5, 5),
            "only": Choice([["a"]]),
            "same": Float(0.5, 0.5, "reverse-log"),
            "x": Float(0.0, 1.0),
            "y": Float(0.0, 1.0),
        }
    ),
    "stepped": Space({"n": Int(1, 10, step=4), "x": Float(0.0, 1.0, step=0.3)}),
    "required": Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}, ["x + y <= 0.7"]),
}


class MemoryStudy:
    """A study in memory, and what the loop does to it."""

    def __init__(
        self,
        space: Space,
        sampler: str,
        *,
        seed: int = 0,
        n_objectives: int = 1,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.space = space
        self.storage = InMemoryStorage()
        self.study = optuna.create_study(
            storage=self.storage, study_name="s", directions=["minimize"] * n_objectives
        )
        self._arguments: dict[str, Any] = {"sampler": sampler, "options": options, "seed": seed}
        self.asker = self.restarted()

    def restarted(self) -> Asker:
        """An asker as a new process would make it, over the same journal."""
        return Asker(self.storage, self.study._study_id, "s", self.space, **self._arguments)

    def add(self, proposal: Proposal, *, rejected: bool = False) -> FrozenTrial:
        """As `StudyStorage.add` writes a trial down."""
        for key, value in proposal.study_attrs.items():
            self.storage.set_study_system_attr(self.study._study_id, key, value)
        trial = create_trial(
            state=TrialState.PRUNED if rejected else TrialState.RUNNING,
            params=dict(proposal.stored),
            distributions=dict(proposal.distributions),
            system_attrs=dict(proposal.system_attrs),
        )
        trial_id = self.storage.create_new_trial(self.study._study_id, trial)
        return self.storage.get_trial(trial_id)

    def tell(
        self,
        trial: FrozenTrial,
        values: Sequence[float] | None,
        constraints: Mapping[str, float] | None = None,
    ) -> None:
        """Told with values, or failed without."""
        for name, value in (constraints or {}).items():
            self.storage.set_trial_system_attr(trial._trial_id, f"constraints:{name}", value)
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
        self.storage.set_trial_state_values(trial._trial_id, state, values)

    def run(
        self, n: int, objective: Callable[[Mapping[str, Any]], Sequence[float] | None]
    ) -> list[Mapping[str, Any]]:
        """Ask, write down, tell, n times; the configurations asked."""
        asked = []
        for _ in range(n):
            proposal, accepted = self.asker.ask()
            trial = self.add(proposal, rejected=not accepted)
            if accepted:
                self.tell(trial, objective(proposal.values))
            asked.append(proposal.values)
        return asked


def smooth(values: Mapping[str, Any]) -> list[float]:
    """A value to minimise that depends on every number."""
    numbers = [float(v) for v in values.values() if isinstance(v, int | float)]
    return [sum((number - 0.3) ** 2 for number in numbers)]
