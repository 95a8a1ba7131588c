"""How long a trial may run: rules that stop weak trials on their reports."""

from spiketune.fidelity.base import Curve, FidelityRule, PausingRule, Point
from spiketune.fidelity.registry import RULES, build_rule

__all__ = ["RULES", "Curve", "FidelityRule", "PausingRule", "Point", "build_rule"]
