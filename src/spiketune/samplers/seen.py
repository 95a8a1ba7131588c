"""The parameters of a search: those of its space, or of the trials so far."""

from __future__ import annotations

from typing import final

from optuna.distributions import BaseDistribution
from optuna.study import Study

from spiketune.space import Space
from spiketune.space.distributions import sampler_distribution


@final
class SeenSpace:
    """Ranges by name, as samplers see them.

    Args:
        space: The search space, where known; else ranges are learned from trials that ended, the
            newest range of a name first.
    """

    def __init__(self, space: Space | None) -> None:
        self._is_known = space is not None
        self._found = {name: sampler_distribution(p) for name, p in (space or {}).items()}
        self._n_scanned = 0
        self.searched: dict[str, BaseDistribution] = self._several()

    def _several(self) -> dict[str, BaseDistribution]:
        return {name: d for name, d in self._found.items() if not d.single()}

    def update(self, study: Study) -> bool:
        """Look at the trials that ended since; whether a range is new or changed."""
        if self._is_known:
            return False
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        found = dict(self._found)
        for trial in trials[self._n_scanned :]:
            if not trial.state.is_finished():
                break
            found.update(trial.distributions)
            self._n_scanned += 1
        changed = found != self._found
        if changed:
            self._found = found
            self.searched = self._several()
        return changed
