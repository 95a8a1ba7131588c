"""Job, Report, Result, Failure: all that crosses between the asker and a worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias, get_args

FailureKind: TypeAlias = Literal[
    "worker_lost",
    "preempted",
    "walltime",
    "oom",
    "crash",
    "timeout",
    "nan",
    "missing",
    "invalid",
    "interrupted",
]
FAILURE_KINDS: Final[tuple[FailureKind, ...]] = get_args(FailureKind)
OUTPUT: Final = "output"  # in a trial's folder: what its attempts leave behind for good
AUDITED: Final = "probe_audited"  # a metric of reports: trained though the probe rejected it
Ended: TypeAlias = Literal["finished", "stopped", "silent"]


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker gets: one attempt at one trial.

    Attributes:
        study: Name of the study.
        number: Trial number within the study.
        attempt: 1 for the first try, counted up by retries.
        section: The trial section with every range replaced by its value.
        params: The values asked, by parameter name (natural scale), over the fixed ones of a
            section with `params:`.
        seed: Seed of this trial, the same for every attempt.
        study_seed: Seed shared by all trials: splits and encodings of the validation data.
        folder: Attempt folder: job.json, stdout, stderr, metrics.jsonl, result.json.
        checkpoint_folder: Shared by the attempts of the trial.
        base_folder: First on the import path (the configuration file's folder).
        objectives: Metric names the result must hold.
        constraints: Metric names that constraints need.
        time_limit_s: The attempt is ended after this; None for no limit.
        threads: Intra-op threads of the attempt.
    """

    study: str
    number: int
    attempt: int
    section: Mapping[str, Any]
    params: Mapping[str, Any]
    seed: int
    study_seed: int
    folder: str
    checkpoint_folder: str
    base_folder: str = ""
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    time_limit_s: float | None = None
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Report:
    """A measurement at a fidelity (after epoch `fidelity`).

    Attributes:
        constraints: Constraint values set by the trial so far, met when <= 0.
    """

    number: int
    attempt: int
    fidelity: float
    metrics: Mapping[str, float]
    constraints: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a trial.

    Attributes:
        metrics: Every metric measured, the objectives among them.
        constraints: Constraint values set by the trial itself, met when <= 0.
        ended: Whether it finished, was stopped at a rung, or was silent.
        fidelity: How much of the full training was spent; None where there is none.
        cost_s: Seconds of work, all attempts that count towards this result.
        details: Further facts for the record (seconds per phase, versions, ...).
    """

    number: int
    attempt: int
    metrics: Mapping[str, float]
    constraints: Mapping[str, float] = field(default_factory=dict)
    ended: Ended = "finished"
    fidelity: float | None = None
    cost_s: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that did not end by itself."""

    number: int
    attempt: int
    kind: FailureKind
    message: str
    cost_s: float = 0.0


Message: TypeAlias = Report | Result | Failure
_TYPES: Final[dict[str, type[Job | Report | Result | Failure]]] = {
    "job": Job,
    "report": Report,
    "result": Result,
    "failure": Failure,
}


def to_json(message: Job | Message) -> str:
    """One line of JSON, read back by `from_json`."""
    return json.dumps({"type": type(message).__name__.lower(), **asdict(message)})


def from_json(text: str | bytes) -> Job | Message:
    """The message that `to_json` wrote.

    Raises:
        ValueError: If the text is not a whole message.
    """
    fields = json.loads(text)
    if not isinstance(fields, dict) or fields.get("type") not in list(_TYPES):
        raise ValueError(f"not a message: {text[:80]!r}")
    kind = _TYPES[fields.pop("type")]
    try:
        message = kind(**fields)
    except TypeError as error:
        raise ValueError(f"not a whole message: {error}") from error
    if isinstance(message, Job):
        return _with_tuples(message)
    return message


def _with_tuples(job: Job) -> Job:
    return replace(job, objectives=tuple(job.objectives), constraints=tuple(job.constraints))
