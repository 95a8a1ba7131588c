"""Learning curves: what trials reported on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from spiketune.report.palette import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY
from spiketune.report.plots.looks import escaped, note, styled, thinned
from spiketune.report.summary import StudySummary
from spiketune.report.wording import number
from spiketune.study.records.results import TrialRow

_BEST = (RED, BLUE, GREEN, ORANGE, PINK, SKY)
_MAX_NUMBERS = 40_000  # of all curves together: keeps a page of thousands of trials small
_MAX_POINTS = 60  # of one curve

Points = tuple[list[float | None], list[float | None]]


def curves(summary: StudySummary) -> go.Figure:
    """Each reported metric over the fidelity, one at a time; the best trials stand out."""
    reporting = [row for row in summary.rows if len(row.reports.get("fidelity", ())) > 0]
    metrics = _metrics(summary, reporting)
    if not metrics:
        return note("No trial has reported anything on its way.")
    best = _best(summary, reporting)
    chosen = {row.number for row in best}
    others = [row for row in reporting if row.number not in chosen]
    kept = thinned(others, max(20, _MAX_NUMBERS // (len(metrics) * _MAX_POINTS)))
    figure = go.Figure()
    for metric in metrics:
        for trace in [_muted(kept, metric), *_highlighted(best, metric)]:
            trace.visible = metric == metrics[0]
            figure.add_trace(trace)
    figure.update_layout(updatemenus=[_menu(metrics, 1 + len(best))])
    figure.update_xaxes(title_text="fidelity")
    figure.update_yaxes(title_text=escaped(metrics[0]))
    styled(figure, height=480, hovermode="closest")
    figure.update_layout(margin={"t": 84})
    if len(kept) < len(others):
        remark = f"{len(kept)} of the {len(others)} other trials are drawn."
        place = {"x": 1, "y": 1.02, "xref": "paper", "yref": "paper", "yanchor": "bottom"}
        figure.add_annotation(text=remark, showarrow=False, xanchor="right", **place)
    return figure


def _metrics(summary: StudySummary, rows: Sequence[TrialRow]) -> list[str]:
    """What was reported, objectives first."""
    names = dict.fromkeys(name for row in rows for name in row.reports if name != "fidelity")
    first = [name for name in summary.objectives if name in names]
    return [*first, *(name for name in names if name not in first)]


def _best(summary: StudySummary, rows: Sequence[TrialRow]) -> list[TrialRow]:
    """The knee and further trials of the front, then the best by the first objective."""
    knee = summary.knee
    order = [*([knee] if knee else []), *summary.front, *summary.ranked]
    there = {row.number for row in rows}
    distinct = {row.number: row for row in order if row.number in there}
    return list(distinct.values())[: len(_BEST)]


def _points(row: TrialRow, metric: str) -> Points:
    """Fidelities and values of one curve, cut down to a number that a screen can show."""
    fidelity, values = row.reports["fidelity"], row.reports.get(metric, ())
    pairs = [(f, v) for f, v in zip(fidelity, values, strict=False) if v is not None]
    step = max(1, -(-len(pairs) // _MAX_POINTS))
    pairs = pairs[::-step][::-1]  # the last one is always kept
    return [f for f, _ in pairs], [_rounded(v) for _, v in pairs]


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _highlighted(rows: Sequence[TrialRow], metric: str) -> list[go.Scatter]:
    traces = []
    for color, row in zip(_BEST, rows, strict=False):
        x, y = _points(row, metric)
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                mode="lines+markers" if len(x) < 40 else "lines",
                name=f"trial {row.number}",
                line={"color": color, "width": 2.2},
                marker={"size": 5},
                hovertemplate=f"trial {row.number}<br>%{{x}}: %{{y}}<extra></extra>",
            )
        )
    return traces


def _muted(rows: Sequence[TrialRow], metric: str) -> go.Scatter:
    """All other curves as one line with gaps: thousands of lines would be slow to draw."""
    x: list[float | None] = []
    y: list[float | None] = []
    labels: list[str] = []
    for row in rows:
        fidelity, values = _points(row, metric)
        x += [*fidelity, None]
        y += [*values, None]
        labels += [f"trial {row.number}: {number(value)}" for value in values] + [""]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name="others",
        line={"color": GREY, "width": 0.7},
        marker={"size": 2.5},
        opacity=0.45,
        text=labels,
        hovertemplate="%{text}<extra></extra>",
    )


def _menu(metrics: Sequence[str], n_each: int) -> dict[str, Any]:
    """The dropdown that shows the curves of one metric."""
    buttons = [
        {
            "label": escaped(metric),
            "method": "update",
            "args": [
                {"visible": [i // n_each == k for i in range(n_each * len(metrics))]},
                {"yaxis.title.text": escaped(metric)},
            ],
        }
        for k, metric in enumerate(metrics)
    ]
    place = {"x": 0, "xanchor": "left", "y": 1.1, "yanchor": "bottom"}
    return {"buttons": buttons, "direction": "down", "showactive": True, **place}
