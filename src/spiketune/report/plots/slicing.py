"""Each objective against each parameter, one small panel a pair."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spiketune.report.plots.looks import (
    FRONT,
    STYLES,
    Style,
    axis_value,
    by_standing,
    escaped,
    marker,
    note,
    objective_axis,
    parameter_axis,
    styled,
    thinned,
)
from spiketune.report.summary import StudySummary
from spiketune.report.wording import number, text
from spiketune.study.records.results import TrialRow

_COLUMNS = 4
_LIMIT = 150  # trials of a standing in each panel; the front is always there
_PANEL_PX = 215


def slices(summary: StudySummary) -> go.Figure:
    """Small panels of each objective (rows) over each parameter (columns), on its own scale."""
    names = [n for n in summary.parameters if any(n in row.params for row in summary.rows)]
    if not names or not any(row.objectives for row in summary.rows):
        return note("No trial has objective values yet.")
    blocks = [names[start : start + _COLUMNS] for start in range(0, len(names), _COLUMNS)]
    m = len(summary.directions)
    n_lines = len(blocks) * m
    figure = make_subplots(
        n_lines,
        min(_COLUMNS, len(names)),
        horizontal_spacing=0.035,
        vertical_spacing=72 / (_PANEL_PX * n_lines),
    )
    for b, block in enumerate(blocks):
        for o, objective in enumerate(summary.objectives):
            for c, name in enumerate(block):
                _panel(figure, summary, (name, objective), (b * m + o + 1, c + 1))
    _hide_unused(figure, len(names), m)
    return styled(figure, height=_PANEL_PX * n_lines + 90, hovermode="closest")


def _panel(
    figure: go.Figure, summary: StudySummary, pair: tuple[str, str], place: tuple[int, int]
) -> None:
    name, objective = pair
    line, column = place
    m = len(summary.directions)
    for trace in _traces(summary, name, objective):
        trace.showlegend = place == (1, 1)
        figure.add_trace(trace, row=line, col=column)
    title = escaped(summary.short_names[name]) if line % m == 0 else None
    axis = parameter_axis(summary, name)
    figure.update_xaxes(title_text=title, nticks=5, row=line, col=column, **axis)
    figure.update_yaxes(
        title_text=escaped(objective) if column == 1 else None,
        showticklabels=column == 1,
        nticks=5,
        row=line,
        col=column,
        **objective_axis(summary, objective),
    )
    if column > 1:
        first = figure.get_subplot(line, 1).yaxis.plotly_name.replace("axis", "")
        figure.update_yaxes(matches=first, row=line, col=column)


def _traces(summary: StudySummary, name: str, objective: str) -> list[go.Scatter]:
    on_front = {row.number for row in summary.front}
    groups: list[tuple[str, list[TrialRow], Style]] = [
        (
            standing,
            thinned([row for row in rows if row.number not in on_front], _LIMIT),
            STYLES[standing],
        )
        for standing, rows in by_standing(summary.rows).items()
    ]
    groups.append(("front", thinned(summary.front, _LIMIT), FRONT))
    traces = []
    for label, rows, style in groups:
        shown = [row for row in rows if name in row.params]
        traces.append(
            go.Scatter(
                x=[axis_value(row.params[name]) for row in shown],
                y=[row.objectives[objective] for row in shown],
                mode="markers",
                name=label,
                legendgroup=label,
                marker=marker(style, 5),
                text=[_hover(row, name, objective) for row in shown],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    return traces


def _hover(row: TrialRow, name: str, objective: str) -> str:
    value = escaped(text(row.params[name]))
    return f"trial {row.number}<br>{value}<br><i>{number(row.objectives[objective])}</i>"


def _hide_unused(figure: go.Figure, n_names: int, m: int) -> None:
    """Panels of the last block that no parameter fills."""
    used = n_names % _COLUMNS
    if n_names <= _COLUMNS or used == 0:
        return
    last = -(-n_names // _COLUMNS) * m
    for line in range(last - m + 1, last + 1):
        for column in range(used + 1, _COLUMNS + 1):
            figure.update_xaxes(visible=False, row=line, col=column)
            figure.update_yaxes(visible=False, row=line, col=column)
