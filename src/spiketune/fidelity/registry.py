"""Rules by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from spiketune.errors import ConfigError, UnknownNameError
from spiketune.fidelity.base import FidelityRule
from spiketune.fidelity.forecast import Forecast
from spiketune.fidelity.hyperband import Hyperband
from spiketune.fidelity.median import Median
from spiketune.fidelity.plateau import Plateau
from spiketune.fidelity.promotion import asha
from spiketune.plugins import registered

RULES: Final[Mapping[str, Callable[..., FidelityRule]]] = {
    "asha": asha,
    "hyperband": Hyperband,
    "median": Median,
    "plateau": Plateau,
    "forecast": Forecast,
}


def build_rule(name: str, options: Mapping[str, Any]) -> FidelityRule:
    """The rule registered under a name.

    Raises:
        UnknownNameError: If there is none.
        ConfigError: If it has no such option, or refuses its value.
    """
    known = {**RULES, **registered("fidelity")}
    if name not in known:
        raise UnknownNameError("fidelity rule", name, known)
    accepted = inspect.signature(known[name]).parameters
    for option in options:
        if option not in accepted:
            message = str(UnknownNameError("option", option, [*accepted, "resource"]))
            raise ConfigError(f"study.fidelity.{option}", f"{message} (fidelity rule '{name}')")
    try:
        rule: FidelityRule = known[name](**options)
    except (TypeError, ValueError) as error:
        option, _, problem = str(error).partition(" ")
        option = option.removesuffix(":")
        if problem and option in accepted:
            raise ConfigError(f"study.fidelity.{option}", problem) from error
        raise ConfigError("study.fidelity", f"{name}: {error}") from error
    return rule
