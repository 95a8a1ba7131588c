"""The checked model of a study section: objectives, budget, sampler, executor."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from spiketune.config.section import Section
from spiketune.errors import ExpressionError
from spiketune.messages import FAILURE_KINDS
from spiketune.space import parse_inequality

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LARGEST_S = 1e15  # infinity is no duration: for no limit, the key is left out


def seconds(text: Any) -> float:
    """A duration such as `90`, `"45s"`, `"90m"`, `"1h30m"` or `"2d"`, in seconds.

    Raises:
        ValueError: If it is none, or not above zero.
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and abs(text) < _LARGEST_S:
        value = float(text)
    elif isinstance(text, str) and re.fullmatch(r"\s*(\d+(\.\d+)?\s*[smhd]\s*)+", text):
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd])", text)
        value = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    else:
        raise ValueError(f"a duration is seconds or a text such as '90m' or '1h30m', got {text!r}")
    if not value > 0:
        raise ValueError(f"a duration must be > 0, got {text!r}")
    return value


Duration = Annotated[float, BeforeValidator(seconds)]
Direction = Literal["minimize", "maximize"]


class Named(Section):
    """Something chosen by name, with options of its own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options beside the name."""
        return dict(self.model_extra or {})


class Budget(Section):
    """When to stop asking: whichever comes first.

    `trials` counts trials that ended or failed; `time` sums the time the study was running.
    """

    trials: Annotated[int, Field(ge=1)] | None = None
    time: Duration | None = None


class Executor(Section):
    """Where trials run.

    Attributes:
        name: `local` (a supervised child process per trial) or `inline` (in this process).
        workers: Trials at once; None takes one per core for `local`, 1 for `inline`.
        time_limit: Longest time an attempt may take.
        preload: Modules that the fork server imports before the first trial.
    """

    name: str = "local"
    workers: Annotated[int, Field(ge=1)] | None = None
    time_limit: Duration | None = None
    preload: tuple[str, ...] = ()


class Keep(Section):
    """What a finished trial leaves on disk beside the journal.

    `checkpoints`: of the trials on the front, of all, or none. `logs`: stdout and stderr of
    failed trials, or of all.
    """

    checkpoints: Literal["front", "all", "none"] = "none"
    logs: Literal["failed", "all"] = "failed"


class Study(Section):
    """What is searched for, how, and for how long."""

    name: Annotated[str, Field(pattern=r"^[\w][\w .+-]*$")] = "study"
    objectives: Annotated[dict[str, Direction], Field(min_length=1)]
    constraints: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    sampler: Named = Named(name="tpe")
    budget: Budget = Budget(trials=100)
    executor: Executor = Executor()
    retries: dict[str, Annotated[int, Field(ge=0)]] = {}
    keep: Keep = Keep()
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("constraints")
    @classmethod
    def _readable(cls, constraints: tuple[str, ...]) -> tuple[str, ...]:
        for text in constraints:
            try:
                parse_inequality(text)
            except ExpressionError as error:
                raise ValueError(str(error)) from error
        return constraints

    @field_validator("retries")
    @classmethod
    def _known_kinds(cls, retries: dict[str, int]) -> dict[str, int]:
        for kind in retries:
            if kind not in FAILURE_KINDS:
                raise ValueError(f"no failure kind '{kind}'; known: {', '.join(FAILURE_KINDS)}")
        return retries
