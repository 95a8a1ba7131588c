"""Any column of a study against any other, coloured by a third."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from spiketune.errors import UnknownNameError
from spiketune.report.palette import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY
from spiketune.report.plots.looks import COLORSCALE, axis_value, escaped, note, styled
from spiketune.report.wording import number, text

if TYPE_CHECKING:
    import pandas as pd

_COLORS = (BLUE, ORANGE, GREEN, RED, PINK, SKY)
_UNTOLD = ("started", "ended", "failure")  # long, and of no use under a pointer

Range = tuple[float, float]


def scatter(
    frame: pd.DataFrame,
    x: str,
    y: str,
    color: str | None = None,
    x_range: Range | None = None,
    y_range: Range | None = None,
    color_range: Range | None = None,
    hover: Sequence[str] | None = None,
    log: Collection[str] = (),
) -> go.Figure:
    """Trials as points over any two columns of a frame.

    Args:
        frame: One line per trial, as `spiketune.study.records.results.frame` gives it.
        x: Column along x: a parameter, objective, metric, `constraint:...` or attribute.
        y: Column along y.
        color: Column that colours the points; trials that lack it are grey.
        x_range: Part of x to show; nothing is left out of the figure.
        y_range: Part of y to show.
        color_range: Values beyond it take the colour of its ends.
        hover: Columns to tell under the pointer; every one if None.
        log: Columns to draw on a logarithmic axis.

    Raises:
        UnknownNameError: If there is no such column.
    """
    for name in [x, y, *([color] if color else []), *(hover or [])]:
        if name not in frame.columns:
            raise UnknownNameError("column", name, map(str, frame.columns))
    told = list(hover) if hover is not None else [c for c in frame.columns if c not in _UNTOLD]
    shown = frame[frame[x].notna() & frame[y].notna()]
    if shown.empty:
        return note(f"No trial has both {x} and {y}.")
    figure = go.Figure()
    for trace in _traces(shown, (x, y, color), color_range, told):
        figure.add_trace(trace)
    figure.update_xaxes(title_text=escaped(x), **_axis(shown[x], x_range, x in log))
    figure.update_yaxes(title_text=escaped(y), **_axis(shown[y], y_range, y in log))
    return styled(figure, height=520, hovermode="closest")


def _traces(
    frame: pd.DataFrame,
    names: tuple[str, str, str | None],
    color_range: Range | None,
    told: Sequence[str],
) -> list[go.Scatter]:
    x, y, color = names
    if color is None:
        return [_points(frame, x, y, told, {"color": BLUE}, "trials")]
    known = frame[color].notna()
    traces = []
    if not known.all():
        traces.append(_points(frame[~known], x, y, told, {"color": GREY}, f"no {color}"))
    if _numeric(frame.loc[known, color]):
        values = [float(value) for value in frame.loc[known, color]]
        low, high = color_range or (min(values, default=0.0), max(values, default=1.0))
        bar = {"title": {"text": escaped(color), "side": "right"}, "thickness": 14}
        looks = {"color": values, "colorscale": COLORSCALE, "cmin": low, "cmax": high}
        looks |= {"colorbar": bar, "showscale": True}
        return [*traces, _points(frame[known], x, y, told, looks, escaped(color))]
    labels = frame.loc[known, color].map(text)
    for k, label in enumerate(dict.fromkeys(labels)):
        part = frame[known][labels == label]
        looks = {"color": _COLORS[k % len(_COLORS)], "symbol": k % len(_COLORS)}
        traces.append(_points(part, x, y, told, looks, escaped(label)))
    return traces


def _points(
    frame: pd.DataFrame, x: str, y: str, told: Sequence[str], looks: dict[str, Any], name: str
) -> go.Scatter:
    edge = {"width": 0.5, "color": "white"}
    return go.Scatter(
        x=[axis_value(value) for value in frame[x].tolist()],
        y=[axis_value(value) for value in frame[y].tolist()],
        mode="markers",
        name=name,
        marker={"size": 8, "opacity": 0.85, "line": edge, **looks},
        text=[_hover(line, told) for line in frame.to_dict("records")],
        hovertemplate="%{text}<extra></extra>",
        showlegend="colorscale" not in looks,
    )


def _hover(line: dict[Any, Any], told: Sequence[str]) -> str:
    lines = [f"<b>trial {line['number']}</b>"] if "number" in line else []
    for name in told:
        value = line[name]
        if name != "number" and value is not None and value == value:
            lines.append(f"{escaped(name)}: {escaped(number(value))}")
    return "<br>".join(lines)


def _axis(column: pd.Series[Any], limits: Range | None, log: bool) -> dict[str, Any]:
    if not _numeric(column):
        return {"type": "category"}
    if log:
        from math import log10

        return {"type": "log", "range": [log10(end) for end in limits] if limits else None}
    return {"type": "linear", "range": list(limits) if limits else None}


def _numeric(column: pd.Series[Any]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in column.tolist())
