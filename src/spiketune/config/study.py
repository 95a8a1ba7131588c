"""The checked model of a study section: objectives, budget, sampler, executor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from spiketune.config.duration import Duration
from spiketune.config.duration import seconds as seconds
from spiketune.config.executor import Executor as Executor
from spiketune.config.section import Count, Section, Whole
from spiketune.errors import ExpressionError
from spiketune.messages import FAILURE_KINDS
from spiketune.space import parse_inequality

Direction = Literal["minimize", "maximize"]
Returns = Literal["asynchronous", "synchronous", "flexible"]


class Named(Section):
    """Something chosen by name, with options of its own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options beside the name."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _finite(self) -> Self:
        """Refuse NaN and infinity, which the study's file and journal cannot hold."""
        for option, value in self.options.items():
            try:
                json.dumps(value, allow_nan=False, default=str)
            except ValueError as error:
                raise ValueError(f"`{option}` must be finite, got {value}") from error
        return self


class Fidelity(Named):
    """Which rule stops weak trials on their reports, and what a trial's full fidelity is.

    `resource`: path of the leaf in the trial section that is a trial's own maximum;
    `training.epochs` for trainings unless given. For functions it is the furthest report of any
    trial that finished, until one is given, such as `params.epochs`.
    """

    resource: str | None = None


class Budget(Section):
    """When to stop asking: whichever comes first.

    `trials` counts trials that ended or failed; `time` sums the time the study was running.
    """

    trials: Count | None = None
    time: Duration | None = None


class Keep(Section):
    """What a finished trial leaves on disk beside the journal.

    `checkpoints`: of the trials on the front, of all, or none. `logs`: stdout and stderr of
    failed trials, or of all.
    """

    checkpoints: Literal["front", "all", "none"] = "none"
    logs: Literal["failed", "all"] = "failed"


class Study(Section):
    """What is searched for, how, and for how long.

    `warm_start`: a study folder or a CSV file whose finished trials are known from the start.
    """

    name: Annotated[str, Field(pattern=r"^[\w][\w .+-]*$")] = "study"
    objectives: Annotated[dict[str, Direction], Field(min_length=1)]
    constraints: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    sampler: Named = Named(name="auto")
    fidelity: Fidelity | None = None
    budget: Budget = Budget(trials=100)
    executor: Executor = Executor()
    warm_start: str | None = None
    returns: Returns = "asynchronous"
    retries: dict[str, Annotated[Whole, Field(ge=0)]] = {}
    keep: Keep = Keep()
    seed: Annotated[Whole, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _a_grid_has_an_end(cls, given: Any) -> Any:
        """Without a budget, a grid is run to its end."""
        if isinstance(given, Mapping) and "budget" not in given:
            sampler = given.get("sampler")
            if isinstance(sampler, Mapping) and sampler.get("name") == "grid":
                return {**given, "budget": {}}
        return given

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
