"""Objectives over the course of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spiketune.report.palette import GREEN, RED
from spiketune.report.plots.looks import (
    FRONT,
    STYLES,
    by_standing,
    escaped,
    marker,
    note,
    objective_axis,
    styled,
)
from spiketune.report.summary import StudySummary
from spiketune.report.wording import number
from spiketune.study.records.results import (
    TrialRow,
    eligible,
    front,
    hypervolume,
    losses,
    reference_point,
)


def history(summary: StudySummary, over: Literal["trials", "time"] = "trials") -> go.Figure:
    """Each objective over trials with the best so far; several also give the hypervolume.

    Args:
        summary: The study.
        over: What runs along x: trial numbers, or hours since the first trial started.
    """
    if not any(row.objectives for row in summary.rows):
        return note("No trial has objective values yet.")
    many = len(summary.directions) > 1
    n_panels = len(summary.directions) + many
    figure = make_subplots(n_panels, 1, shared_xaxes=True, vertical_spacing=0.12 / n_panels)
    place = _places(summary.rows, over)
    for panel, name in enumerate(summary.objectives, start=1):
        _objective(figure, summary, name, place, panel)
    if many:
        _volume(figure, summary, place, n_panels)
    title = "trial" if over == "trials" else "hours since the start"
    figure.update_xaxes(title_text=title, row=n_panels, col=1)
    return styled(figure, height=120 + 190 * n_panels, hovermode="closest")


def _places(rows: Sequence[TrialRow], over: str) -> dict[int, float]:
    """Place along x by trial number."""
    if over == "trials":
        return {row.number: row.number for row in rows}
    starts = [row.started for row in rows if row.started is not None]
    if not starts:
        return {row.number: 0.0 for row in rows}
    first = min(starts)
    return {
        row.number: ((row.ended or row.started or first) - first).total_seconds() / 3600
        for row in rows
    }


def _objective(
    figure: go.Figure, summary: StudySummary, name: str, place: dict[int, float], panel: int
) -> None:
    for standing, rows in by_standing(summary.rows).items():
        figure.add_trace(
            go.Scatter(
                x=[place[row.number] for row in rows],
                y=[row.objectives[name] for row in rows],
                mode="markers",
                name=standing,
                legendgroup=standing,
                showlegend=panel == 1,
                marker=marker(STYLES[standing], 6),
                text=[f"trial {row.number}: {number(row.objectives[name])}" for row in rows],
                hovertemplate="%{text}<extra></extra>",
            ),
            row=panel,
            col=1,
        )
    x, y = best_so_far(summary, name, place)
    line = {"shape": "hv", "color": RED, "width": 2}
    best = {"name": "best so far", "legendgroup": "best", "showlegend": panel == 1}
    if x:
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, **best), row=panel, col=1)
    axis = objective_axis(summary, name)
    figure.update_yaxes(title_text=escaped(name), nticks=6, row=panel, col=1, **axis)


def best_so_far(
    summary: StudySummary, name: str, place: dict[int, float]
) -> tuple[list[float], list[float]]:
    """Best value of an objective among feasible trials at full fidelity, as it improved."""
    pick = max if summary.directions[name] == "maximize" else min
    rows = sorted(eligible(summary.rows), key=lambda row: place[row.number])
    x: list[float] = []
    y: list[float] = []
    for row in rows:
        value = row.objectives[name]
        best = pick(y[-1], value) if y else value
        x.append(place[row.number])
        y.append(best)
    return _to_the_end(x, y, place)


def _volume(figure: go.Figure, summary: StudySummary, place: dict[int, float], panel: int) -> None:
    x, y = hypervolume_so_far(summary, place)
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            name="hypervolume",
            line={"shape": "hv", "color": GREEN, "width": 2},
            marker=marker(FRONT),
        ),
        row=panel,
        col=1,
    )
    figure.update_yaxes(title_text="hypervolume", row=panel, col=1, rangemode="tozero")


def hypervolume_so_far(
    summary: StudySummary, place: dict[int, float]
) -> tuple[list[float], list[float]]:
    """Hypervolume after each feasible trial, up to the worst value of each objective."""
    reference = reference_point(summary.rows, summary.directions)
    rows = sorted(eligible(summary.rows), key=lambda row: place[row.number])
    x: list[float] = []
    y: list[float] = []
    kept: list[TrialRow] = []
    for row in rows:
        if not _beaten(row, kept, summary):
            kept = front([*kept, row], summary.directions)
            volume = hypervolume(kept, summary.directions, reference)
            y.append(volume)
        else:
            y.append(y[-1])
        x.append(place[row.number])
    return _to_the_end(x, y, place)


def _to_the_end(
    x: list[float], y: list[float], place: dict[int, float]
) -> tuple[list[float], list[float]]:
    """A line that stays level until the last trial."""
    if not x:
        return [], []
    return [*x, max(place.values())], [*y, y[-1]]


def _beaten(row: TrialRow, kept: Sequence[TrialRow], summary: StudySummary) -> bool:
    """Whether a trial adds nothing to those kept."""
    if not kept:
        return False
    table = losses([*kept, row], summary.directions)
    return bool((table[:-1] <= table[-1]).all(axis=1).any())
