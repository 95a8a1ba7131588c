"""What may be searched: parameters, conditions, requirements, the unit cube."""

from spiketune.space.expressions import Expression, Inequality, parse, parse_inequality
from spiketune.space.parameters import Choice, Float, Int, Parameter
from spiketune.space.space import Condition, Space

__all__ = [
    "Choice",
    "Condition",
    "Expression",
    "Float",
    "Inequality",
    "Int",
    "Parameter",
    "Space",
    "parse",
    "parse_inequality",
]
