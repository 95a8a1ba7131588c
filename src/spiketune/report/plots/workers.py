"""Which worker did what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import plotly.graph_objects as go

from spiketune.report.palette import BLUE, GREY, ORANGE, PINK, RED, SKY
from spiketune.report.plots.looks import escaped, note, styled
from spiketune.report.summary import StudySummary
from spiketune.report.wording import duration
from spiketune.study.records.results import TrialRow

_MANY = 150  # attempts whose white edges would cover the bars themselves
_COLORS: Final[Mapping[str, str]] = {
    "finished": BLUE,
    "stopped": SKY,
    "paused": "#9fd3ee",
    "silent": GREY,
    "interrupted": "#c9b458",
    "preempted": "#e8c06a",
    "walltime": "#b98a2f",
    "worker_lost": ORANGE,
    "timeout": "#a0456e",
    "nan": PINK,
    "missing": "#8c564b",
    "invalid": "#5f6b3a",
    "oom": "#7a3b9a",
    "crash": RED,
}


def timeline(summary: StudySummary) -> go.Figure:
    """A bar for each attempt, by worker, coloured by how it ended."""
    attempts = summary.attempts
    if not attempts:
        return note("No attempt has ended yet.")
    outcomes = {str(attempt.get("outcome", "")) for _, attempt in attempts}
    order = [name for name in _COLORS if name in outcomes] + sorted(outcomes - _COLORS.keys())
    figure = go.Figure()
    for outcome in order:
        group = [pair for pair in attempts if str(pair[1].get("outcome", "")) == outcome]
        figure.add_trace(_bars(outcome, group, 0.6 if len(attempts) < _MANY else 0))
    workers = sorted({_worker(attempt) for _, attempt in attempts}, key=_natural)
    figure.update_xaxes(type="date")
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=workers[::-1], showgrid=False
    )
    for session in summary.sessions[1:]:
        figure.add_vline(_moment(float(session["started_s"])), line={"dash": "dot", "color": GREY})
    height = min(900, 170 + 30 * len(workers))
    return styled(figure, height=height, barmode="overlay", bargap=0.3, hovermode="closest")


def _bars(outcome: str, attempts: list[tuple[TrialRow, Mapping[str, Any]]], edge: float) -> go.Bar:
    return go.Bar(
        base=[_moment(attempt["started_s"]) for _, attempt in attempts],
        x=[1000 * max(0.0, attempt["ended_s"] - attempt["started_s"]) for _, attempt in attempts],
        y=[_worker(attempt) for _, attempt in attempts],
        orientation="h",
        name=f"{escaped(outcome)} ({len(attempts)})",
        marker={"color": _COLORS.get(outcome, RED), "line": {"color": "white", "width": edge}},
        text=[_hover(row, attempt) for row, attempt in attempts],
        textposition="none",
        hovertemplate="%{text}<extra></extra>",
    )


def _hover(row: TrialRow, attempt: Mapping[str, Any]) -> str:
    length_s = attempt["ended_s"] - attempt["started_s"]
    lines = [
        f"<b>trial {row.number}</b>, attempt {attempt.get('attempt', 1)}",
        f"{escaped(str(attempt.get('outcome', '')))} after {duration(length_s)}",
    ]
    if message := attempt.get("message"):
        lines.append(escaped(str(message)[:120]))
    return "<br>".join(lines)


def _worker(attempt: Mapping[str, Any]) -> str:
    return escaped(str(attempt.get("worker") or "worker"))


def _natural(name: str) -> tuple[str, int]:
    """Sorts `worker-10` behind `worker-9`."""
    head = name.rstrip("0123456789")
    return head, int(name[len(head) :] or 0)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(sep=" ", timespec="milliseconds")
