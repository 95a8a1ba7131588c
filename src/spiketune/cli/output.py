"""What every command prints with: results on stdout, talk on stderr, JSON where asked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import typer
from rich.console import Console

from spiketune.study.records.results import TrialRow

_PIPED_WIDTH = 240


def out() -> Console:
    """The console for results; wide when piped, so that nothing is cut."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, _PIPED_WIDTH))


def err() -> Console:
    """The console for talk and errors."""
    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One line of talk."""
    err().print(text, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """A value as JSON, strict: what is not finite becomes null."""
    typer.echo(json.dumps(_strict(value), indent=2, default=_plain))


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _strict(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(child) for child in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def row_as_json(row: TrialRow) -> dict[str, Any]:
    """A trial for scripts."""
    return {
        "number": row.number,
        "state": row.state,
        "feasible": row.feasible,
        "params": dict(row.params),
        "objectives": dict(row.objectives),
        "constraints": dict(row.constraints),
        "metrics": dict(row.metrics),
        "fidelity": row.fidelity,
        "cost_s": row.cost_s,
        "failure": dict(row.failure) if row.failure else None,
    }
