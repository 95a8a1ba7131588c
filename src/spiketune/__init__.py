"""spiketune tunes spiking neural networks: accuracy against spikes against cost.

    import spiketune

    study = spiketune.tune(
        train, {"beta": spiketune.Float(0.5, 1.0)},
        objectives={"accuracy": "maximize"}, folder="runs/mine", trials=50,
    )
    study.frame()

Importing the package loads no torch; what a name needs is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spiketune.api import Study, open  # noqa: A004 -- spiketune.open, as there is gzip.open
    from spiketune.errors import SpiketuneError
    from spiketune.objectives.trial import Preempted, Trial
    from spiketune.snn.monitor import monitor
    from spiketune.space import Choice, Float, Int, Space
    from spiketune.tuning import tune

__version__ = "0.1.0"
__all__ = [
    "Choice",
    "Float",
    "Int",
    "Preempted",
    "Space",
    "SpiketuneError",
    "Study",
    "Trial",
    "monitor",
    "open",
    "tune",
]
_HOMES = {
    "Choice": "space",
    "Float": "space",
    "Int": "space",
    "Preempted": "objectives.trial",
    "Space": "space",
    "SpiketuneError": "errors",
    "Study": "api",
    "Trial": "objectives.trial",
    "monitor": "snn.monitor",
    "open": "api",
    "tune": "tuning",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spiketune' has no attribute '{name}'")
    value = getattr(import_module(f"spiketune.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
