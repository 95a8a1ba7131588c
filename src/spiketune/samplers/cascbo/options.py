"""What a user may set."""

from __future__ import annotations

from dataclasses import dataclass

from spiketune.option_checks import check_count


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of the search.

    Attributes:
        constraints: Whether constraints are modelled; failures always are.
        cost_aware: Whether scores are weighted by predicted cost.
        cost: User attribute that holds the cost of a trial.
        n_trials: How many trials the budget is, where nothing else tells how much is spent.
        n_startup_trials: Trials drawn by chance before the first model.
        n_feasible: Feasible trials after which the design gives way to the trust region; None
            takes 5.
        n_candidates: Points an ask looks at.
        success_tolerance: Successes in a row that double the trust region.
        failure_tolerance: Failures in a row that halve it; None takes one per parameter, at
            least 10.
        resource: Parameter that is a trial's own maximum of the fidelity.
        grow: Number whose upper bound grows over the budget, or None.
        grow_until: Share of the budget at which its whole range is open.
        grow_from: Share of its range (on its scale) that is open at the start.

    Raises:
        ValueError: If a value makes no sense.
    """

    constraints: bool = True
    cost_aware: bool = True
    cost: str = "cost_s"
    n_trials: int = 200
    n_startup_trials: int | None = None
    n_feasible: int | None = None
    n_candidates: int = 2000
    success_tolerance: int = 3
    failure_tolerance: int | None = None
    resource: str | None = None
    grow: str | None = None
    grow_until: float = 0.15
    grow_from: float = 0.05

    def __post_init__(self) -> None:
        for name in ("constraints", "cost_aware"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")
        for name in ("n_trials", "n_candidates", "success_tolerance"):
            check_count(name, getattr(self, name))
        for name in ("n_startup_trials", "n_feasible", "failure_tolerance"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        for name in ("grow_until", "grow_from"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
                raise ValueError(f"{name} must be in (0, 1], got {value!r}")
