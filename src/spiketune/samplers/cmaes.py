"""What Optuna's CMA-ES needs of a study: its newest state, and the trials asked from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

_STATE = "optimizer:0"  # attributes of trials, after a prefix that depends on the kind of CMA-ES
_GENERATION = "generation"


def needed_trials(
    trials: Sequence[FrozenTrial], options: Mapping[str, Any]
) -> Sequence[FrozenTrial]:
    """The end of a study's trials, from before the newest generation on.

    Optuna's sampler keeps its state in one trial of each generation, takes up the newest one that
    ended, and looks through all trials for those of the same generation. Generations do not
    decrease from trial to trial, so with this part alone it asks for the same, without looking
    through thousands.

    Args:
        trials: All trials, in the order in which they were asked for.
        options: The sampler's.
    """
    left = int(options.get("n_startup_trials") or 0)  # as many ended ones have to be seen
    newest: int | None = None
    for i in reversed(range(len(trials))):
        attrs = trials[i].system_attrs
        generation = _valued(attrs, _GENERATION)
        if trials[i].state == TrialState.COMPLETE:
            left -= 1
            if newest is None and _valued(attrs, _STATE) is not None:
                newest = generation
        if newest is not None and generation is not None and generation < newest and left <= 0:
            return trials[i:]
    return trials


def _valued(attrs: Mapping[str, Any], ending: str) -> Any:
    return next((attrs[key] for key in attrs if key.partition(":")[2] == ending), None)
