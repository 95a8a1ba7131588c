"""Extension points: what other packages register by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any


@cache
def registered(group: str) -> Mapping[str, Any]:
    """Objects that installed packages register under `spiketune.<group>`, loaded on first use.

    A sampler registers a class or function that makes an `optuna.samplers.BaseSampler`; an
    executor one that makes a `spiketune.executors.base.Executor`; a data set a loader.
    """
    return {entry.name: entry.load() for entry in entry_points(group=f"spiketune.{group}")}
