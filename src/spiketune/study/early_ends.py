"""What a trial that was not let go on ends with, or waits with."""

from __future__ import annotations

import math

from spiketune.messages import Failure, Report, Result
from spiketune.study.at_work import Running
from spiketune.study.bounds import or_failure
from spiketune.study.jobs import JobMaker


def reached(running: Running, jobs: JobMaker) -> Result | Failure:
    """The trial's last whole report as its result, or a failure where something is no number.

    Args:
        running: A trial that a fidelity rule judged, so that one report at least is whole: it
            holds every objective and every metric of a constraint.
        jobs: The study.
    """
    objectives = jobs.study.objectives
    needed = {*objectives, *(name for rule in jobs.constraints for name in rule.names)}
    number, attempt = running.trial.number, running.attempt
    last: Report = max(
        (report for report in running.reports.values() if needed <= report.metrics.keys()),
        key=lambda report: report.fidelity,
    )
    for name in sorted(needed):
        if not math.isfinite(last.metrics[name]):
            return Failure(
                number,
                attempt,
                "nan",
                f"'{name}' was {last.metrics[name]} at fidelity {last.fidelity:g}, "
                f"where the trial was stopped ({running.stopped})",
            )
    so_far = Result(
        number=number,
        attempt=attempt,
        metrics={name: value for name, value in last.metrics.items() if math.isfinite(value)},
        constraints=last.constraints,
        ended="stopped",
        fidelity=last.fidelity,
        cost_s=sum(past["ended_s"] - past["started_s"] for past in running.history),
        details={"stopped_by": running.stopped},
    )
    return or_failure(so_far, jobs.constraints)
