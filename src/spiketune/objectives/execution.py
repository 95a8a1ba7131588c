"""One attempt from its Job to its Result or Failure: the only place where objectives are called."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final

from spiketune.errors import ConfigError, SpiketuneError, TrialError
from spiketune.messages import Failure, FailureKind, Job, Report, Result
from spiketune.objectives.trial import Preempted, Trial

Objective = Callable[[Trial], Any]
_OUT_OF_MEMORY: Final = ("MemoryError", "OutOfMemoryError")  # torch's comes without importing torch
# What torch says of the CPU, and of CUDA where it has no class of its own.
_OUT_OF_MEMORY_WORDS: Final = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")


def load_objective(section: Mapping[str, Any], base_folder: str) -> Objective:
    """The objective that a trial section describes.

    Raises:
        InputError: If a function cannot be imported.
    """
    if "function" in section:
        from spiketune.objectives.function import load_function

        return load_function(str(section["function"]), base_folder)
    if "command" in section:
        from spiketune.objectives.command import Command

        return Command(base_folder)
    from spiketune.objectives.training import train

    return train


def execute(
    job: Job,
    send: Callable[[Report], None],
    stop_requested: Callable[[], bool],
    comm: Any = None,
) -> Result | Failure:
    """Run one attempt, whatever happens in it.

    Args:
        job: What to run.
        send: Takes each report as it is made.
        stop_requested: Whether the attempt should write a checkpoint and leave.
        comm: MPI communicator of the ranks that run the attempt together, if several do.

    Returns:
        The result, or the failure with its kind; a traceback goes to stderr.
    """
    stop = _Witness(stop_requested)
    trial = Trial(job, send=send, stop_requested=stop, comm=comm)
    started_s = time.monotonic()

    def failure(kind: FailureKind, message: str) -> Failure:
        return Failure(job.number, job.attempt, kind, message, time.monotonic() - started_s)

    try:
        returned = load_objective(job.section, job.base_folder)(trial)
        metrics = _metrics(returned, job)
    except Preempted as left:
        return failure("preempted", str(left) or "asked to leave")
    except TrialError as error:
        return failure(error.kind, str(error))  # type: ignore[arg-type]
    except ConfigError as error:  # it would be the same another time
        return failure("invalid", str(error))
    except SpiketuneError as error:
        return failure("crash", str(error))
    except (Exception, SystemExit) as error:
        traceback.print_exc(file=sys.stderr)
        kind = "oom" if _is_out_of_memory(error) else "crash"
        return failure(kind, _last_line(error))  # type: ignore[arg-type]
    constraints, ended, fidelity, details = trial.outcome
    if stop.obeyed and ended == "finished":
        return failure("preempted", "the objective obeyed should_stop()")
    cost_s = time.monotonic() - started_s
    if "network" in job.section:  # a training counts what its earlier attempts took as well
        cost_s = metrics.get("cost_s", cost_s)
    return Result(job.number, job.attempt, metrics, constraints, ended, fidelity, cost_s, details)


class _Witness:
    """Remembers whether the objective was told to stop."""

    def __init__(self, stop_requested: Callable[[], bool]) -> None:
        self._stop_requested = stop_requested
        self.obeyed = False

    def __call__(self) -> bool:
        self.obeyed = self._stop_requested() or self.obeyed
        return self.obeyed


def _metrics(returned: Any, job: Job) -> dict[str, float]:
    """The returned number or mapping as metrics, all objectives and constraints among them."""
    if isinstance(returned, Mapping):
        given = dict(returned)
    elif len(job.objectives) <= 1:
        given = {next(iter(job.objectives), "value"): returned}
    else:
        raise TrialError(
            "crash",
            f"the objective must return a mapping with {', '.join(job.objectives)}, "
            f"got {type(returned).__name__}",
        )
    metrics: dict[str, float] = {}
    for name, value in given.items():
        try:
            metrics[str(name)] = float(value)
        except (TypeError, ValueError):
            raise TrialError("crash", f"metric '{name}' is not a number: {value!r}") from None
    for name in (*job.objectives, *job.constraints):
        if name not in metrics:
            raise TrialError(
                "missing",
                f"'{name}' is missing from the result; it holds {', '.join(metrics) or 'nothing'}",
            )
        if not math.isfinite(metrics[name]):
            raise TrialError("nan", f"'{name}' is {metrics[name]}")
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _is_out_of_memory(error: BaseException) -> bool:
    names = {known.__name__ for known in type(error).__mro__}
    if names & {*_OUT_OF_MEMORY}:
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in _OUT_OF_MEMORY_WORDS)


def _last_line(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
