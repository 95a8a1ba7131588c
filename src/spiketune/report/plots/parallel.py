"""Parameters and objectives side by side, a line per trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from spiketune.report.palette import GREY, RED
from spiketune.report.plots.looks import escaped, note, styled, thinned
from spiketune.report.summary import StudySummary
from spiketune.report.wording import number, text
from spiketune.space import Choice, Parameter
from spiketune.study.records.results import TrialRow

_LIMIT = 150  # lines beside the front


def parallel_coordinates(summary: StudySummary) -> go.Figure:
    """A line per finished trial through its parameters and objectives; the front stands out.

    Every axis runs from its lowest to its highest value, log ranges on their own scale. A line
    breaks where a trial lacks a parameter.
    """
    on_front = {row.number for row in summary.front}
    others = [r for r in summary.rows if r.full and r.objectives and r.number not in on_front]
    if not on_front and not others:
        return note("No trial has finished yet.")
    rows = [*thinned(others, _LIMIT), *summary.front]
    names = [name for name in summary.parameters if any(name in row.params for row in rows)]
    columns: list[Sequence[float | None]] = [_parameter(summary, rows, name) for name in names]
    columns += [_scaled([row.objectives[name] for row in rows]) for name in summary.objectives]
    figure = go.Figure()
    texts = [_hover(row, names, summary) for row in rows]
    for label, group in (("others", False), ("front", True)):
        picked = [k for k, row in enumerate(rows) if (row.number in on_front) == group]
        if picked:
            figure.add_trace(_lines(label, picked, columns, texts))
    titles = [summary.short_names[name] for name in names] + summary.objectives
    figure.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=[escaped(title) for title in titles]
    )
    figure.update_yaxes(visible=False, range=[-0.06, 1.06])
    for place, (low, high) in enumerate(_ends(summary, rows, names)):
        for y, end in ((1.09, high), (-0.04, low)):
            figure.add_annotation(x=place, y=y, text=end, showarrow=False, font={"size": 10})
    styled(figure, height=430, hovermode="closest")
    figure.update_yaxes(visible=False, range=[-0.1, 1.14])
    figure.update_xaxes(showline=False, gridcolor="#9aa1ab")
    return figure


def _parameter(summary: StudySummary, rows: Sequence[TrialRow], name: str) -> list[float | None]:
    """Height of each trial on the axis of a parameter, 0..1; None where it is absent."""
    values = [row.params[name] for row in rows if name in row.params]
    heights = iter(_heights(summary.space.get(name), values))
    return [next(heights) if name in row.params else None for row in rows]


def _heights(parameter: Parameter | None, values: Sequence[Any]) -> Sequence[float]:
    if parameter is not None and all(value in parameter for value in values):
        if isinstance(parameter, Choice):
            last = max(1, parameter.n_values - 1)
            return [parameter.index_of(value) / last for value in values]
        return [parameter.to_unit(value) for value in values]
    if all(isinstance(value, int | float) for value in values):
        return _scaled(values)
    labels = sorted({text(value) for value in values})
    return [labels.index(text(value)) / max(1, len(labels) - 1) for value in values]


def _scaled(values: Sequence[float]) -> Sequence[float]:
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _ends(
    summary: StudySummary, rows: Sequence[TrialRow], names: Sequence[str]
) -> list[tuple[str, str]]:
    """What stands at the bottom and top of each axis."""
    ends = []
    for name in names:
        parameter = summary.space.get(name)
        if isinstance(parameter, Choice):
            low, high = parameter.options[0], parameter.options[-1]
        elif parameter is not None:
            low, high = parameter.low, parameter.high
        else:
            values = [row.params[name] for row in rows if name in row.params]
            numeric = all(isinstance(value, int | float) for value in values)
            seen = sorted(values if numeric else map(str, values))
            low, high = seen[0], seen[-1]
        ends.append((_short(low), _short(high)))
    for name in summary.objectives:
        values = [row.objectives[name] for row in rows]
        ends.append((_short(min(values)), _short(max(values))))
    return ends


def _hover(row: TrialRow, names: Sequence[str], summary: StudySummary) -> list[str]:
    """What stands under the pointer at each axis."""
    values = [_short(row.params[name]) if name in row.params else "" for name in names]
    values += [number(row.objectives[name]) for name in summary.objectives]
    return [f"trial {row.number}: {value}" for value in values]


def _short(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return escaped(text(value)[:16])


def _lines(
    label: str,
    picked: Sequence[int],
    columns: Sequence[Sequence[float | None]],
    texts: Sequence[list[str]],
) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    hover: list[str] = []
    for k in picked:
        x += [*range(len(columns)), None]
        y += [*(column[k] for column in columns), None]
        hover += [*texts[k], ""]
    bold = label == "front"
    return go.Scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name=f"{label} ({len(picked)})",
        line={"color": RED if bold else GREY, "width": 2 if bold else 0.8},
        marker={"size": 5 if bold else 3},
        opacity=0.95 if bold else 0.4,
        text=hover,
        hovertemplate="%{text}<extra></extra>",
    )
