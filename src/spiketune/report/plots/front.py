"""Trials by their objectives: the Pareto front, or the best so far for a single objective."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spiketune.report.palette import RED
from spiketune.report.plots.looks import (
    FRONT,
    STYLES,
    by_standing,
    escaped,
    hovers,
    marker,
    near_front,
    note,
    objective_axis,
    styled,
    thinned,
)
from spiketune.report.plots.progress import history
from spiketune.report.summary import StudySummary
from spiketune.study.records.results import TrialRow

_MATRIX_LIMIT = 200  # trials of a standing in each panel of a scatter matrix


def pareto(summary: StudySummary) -> go.Figure:
    """The first objective against the second, with the front drawn in steps.

    Three or more objectives give a panel for each pair, one objective the best so far.
    """
    if len(summary.directions) == 1:
        return history(summary)
    if not any(row.objectives for row in summary.rows):
        return note("No trial has objective values yet.")
    if len(summary.directions) > 2:
        return _matrix(summary)
    y, x = summary.objectives
    figure = go.Figure()
    for trace in _clouds(summary, x, y):
        figure.add_trace(trace)
    if summary.front:
        figure.add_trace(_staircase(summary, x, y))
        _mark_knee(figure, summary, x, y)
    focus = near_front(summary) if summary.front else None
    figure.update_xaxes(title_text=_axis_title(summary, x), **objective_axis(summary, x, focus))
    figure.update_yaxes(title_text=_axis_title(summary, y), **objective_axis(summary, y, focus))
    return styled(figure, height=520, hovermode="closest")


def _clouds(summary: StudySummary, x: str, y: str, limit: int | None = None) -> list[go.Scatter]:
    """One trace of points for each way in which trials stand, those on the front left out."""
    on_front = {row.number for row in summary.front}
    traces = []
    for name, group in by_standing(summary.rows).items():
        rows = [row for row in group if row.number not in on_front]
        shown = rows if limit is None else thinned(rows, limit)
        if shown:
            traces.append(
                go.Scatter(
                    x=[row.objectives[x] for row in shown],
                    y=[row.objectives[y] for row in shown],
                    mode="markers",
                    name=f"{name} ({len(rows)})",
                    legendgroup=name,
                    marker=marker(STYLES[name], None if limit is None else 5),
                    text=hovers(summary, shown, brief=limit is not None),
                    hovertemplate="%{text}<extra></extra>",
                )
            )
    return [*traces, *_valueless(summary)]


def _valueless(summary: StudySummary) -> list[go.Scatter]:
    """Failed trials have no place among objectives; the legend says how many there are."""
    n_failed = summary.n_by_state.get("failed", 0)
    if not n_failed:
        return []
    name = f"failed, without values ({n_failed})"
    looks = marker(STYLES["failed"])
    return [go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=looks)]


def _staircase(summary: StudySummary, x: str, y: str) -> go.Scatter:
    """The front as the border of what is reached: one objective is never read between trials."""
    rows = sorted(summary.front, key=lambda row: row.objectives[x])
    return go.Scatter(
        x=[row.objectives[x] for row in rows],
        y=[row.objectives[y] for row in rows],
        mode="lines+markers",
        name=f"front ({len(rows)})",
        line={"shape": _corner(summary, x), "color": RED, "width": 1.5},
        marker=marker(FRONT),
        text=hovers(summary, rows),
        hovertemplate="%{text}<extra></extra>",
    )


def _corner(summary: StudySummary, x: str) -> str:
    """On which side of a step the border drops: towards what is worse in both objectives."""
    return "hv" if summary.directions[x] == "minimize" else "vh"


def _mark_knee(figure: go.Figure, summary: StudySummary, x: str, y: str) -> None:
    knee = summary.knee
    if knee is None:
        return
    figure.add_trace(
        go.Scatter(
            x=[knee.objectives[x]],
            y=[knee.objectives[y]],
            mode="markers",
            name=f"knee: trial {knee.number}",
            marker={"symbol": "circle-open", "size": 19, "color": RED, "line": {"width": 2.5}},
            hoverinfo="skip",
        )
    )


def _matrix(summary: StudySummary) -> go.Figure:
    """A panel for each pair of objectives; pairs on and above the diagonal are left out."""
    names = summary.objectives
    m = len(names)
    figure = make_subplots(m - 1, m - 1, horizontal_spacing=0.06, vertical_spacing=0.06)
    for i in range(1, m):
        for j in range(i):
            place = {"row": i, "col": j + 1}
            for trace in [
                *_clouds(summary, names[j], names[i], _MATRIX_LIMIT),
                *_front_points(summary, names[j], names[i]),
            ]:
                trace.showlegend = i == 1
                figure.add_trace(trace, **place)
            figure.update_xaxes(
                title_text=_axis_title(summary, names[j]) if i == m - 1 else None,
                **objective_axis(summary, names[j]),
                **place,
            )
            figure.update_yaxes(
                title_text=_axis_title(summary, names[i]) if j == 0 else None,
                **objective_axis(summary, names[i]),
                **place,
            )
    return styled(figure, height=max(480, 300 * (m - 1)), hovermode="closest")


def _front_points(summary: StudySummary, x: str, y: str) -> list[go.Scatter]:
    knee = summary.knee
    groups: list[tuple[str, Sequence[TrialRow], dict[str, object]]] = [
        (f"front ({len(summary.front)})", summary.front, marker(FRONT, 7))
    ]
    if knee is not None:
        ring = {"symbol": "circle-open", "size": 15, "color": RED, "line": {"width": 2.5}}
        groups.append((f"knee: trial {knee.number}", [knee], ring))
    return [
        go.Scatter(
            x=[row.objectives[x] for row in rows],
            y=[row.objectives[y] for row in rows],
            mode="markers",
            name=name,
            legendgroup=name,
            marker=looks,
            text=hovers(summary, rows, brief=True),
            hovertemplate="%{text}<extra></extra>",
        )
        for name, rows, looks in groups
        if rows
    ]


def _axis_title(summary: StudySummary, name: str) -> str:
    return f"{escaped(name)} ({summary.directions[name]})"
