"""A fidelity rule beside a search that a simulator runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spiketune.fidelity import Curve, Point, build_rule
from spiketune.fidelity.arrivals import Curves, Others

# Name in the tables: registered rule and its options. Epochs 1, 2, 4, 8, 16 are where halving was
# judged on the logged curves alone.
FIDELITIES: dict[str, tuple[str, dict[str, object]]] = {
    "asha": ("asha", {"min": 1, "reduction": 2}),
    "asha3": ("asha", {"min": 1, "reduction": 3}),
    "hyperband": ("hyperband", {"min": 1, "reduction": 2}),
    "median": ("median", {}),
    "plateau": ("plateau", {}),
    "forecast": ("forecast", {}),
}


class Rungs:
    """The curves of all trials of one search, and the rule that judges them.

    Args:
        rule: Registered name.
        options: Its options.
    """

    def __init__(self, rule: str, options: Mapping[str, Any]) -> None:
        self._rule = build_rule(rule, options)
        self._curves = Curves()

    def heard(
        self, number: int, fidelity: float, gains: Sequence[float], *, maximum: float, data: float
    ) -> bool:
        """Whether a trial stops at this report.

        Args:
            number: The trial.
            fidelity: Epochs done.
            gains: Objectives, larger is better, (m,).
            maximum: Epochs of the whole trial.
            data: Data that an epoch of it sees, in any unit.
        """
        self._curves.begin(Curve(number, maximum, data))
        is_new = self._curves.add(number, fidelity, Point(tuple(map(float, gains))))
        if not is_new or fidelity >= maximum:
            return False
        others = Others(self._curves, number)
        return self._rule.decide(self._curves[number], others) is not None

    def heard_run(self, trial: Any, epochs: int, gains: Sequence[float]) -> bool:
        """The same for a run of the logs' simulator."""
        config = trial.config
        return self.heard(
            trial.id,
            epochs,
            gains,
            maximum=len(trial.res["curve"]),
            data=float(config["train_size"]) * float(config["frames"]),
        )

    def finished(self, number: int) -> None:
        """Note that a trial ended at its full fidelity."""
        self._curves.ended(number, finished=True)
