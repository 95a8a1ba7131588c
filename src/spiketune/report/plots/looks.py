"""How plots look: colours, marks, the empty figure, hover texts."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from spiketune.report.palette import BLUE, GREY, PINK, RED, SKY
from spiketune.report.summary import StudySummary, standing
from spiketune.report.wording import number, text
from spiketune.space import Choice
from spiketune.study.records.results import TrialRow

COLORSCALE: Final = "Viridis"
_LOG_FROM = 30  # ratio of an objective's ends that asks for a logarithmic axis
MARGIN: Final = {"l": 70, "r": 24, "t": 44, "b": 56}


@dataclass(frozen=True, slots=True)
class Style:
    """How the trials of one standing are drawn."""

    color: str
    symbol: str
    opacity: float
    size: int = 7


STYLES: Final[Mapping[str, Style]] = {
    "finished": Style(BLUE, "circle", 0.85),
    "infeasible": Style(PINK, "square-open", 0.6),
    "stopped": Style(SKY, "triangle-down-open", 0.5),
    "silent": Style(GREY, "diamond-open", 0.6),
    "failed": Style(RED, "x-thin-open", 0.7),
}
FRONT: Final = Style(RED, "circle", 1.0, 9)


def styled(figure: go.Figure, *, height: int = 460, **layout: Any) -> go.Figure:
    """The figure in the house look."""
    figure.update_layout(
        template="none",
        height=height,
        margin=MARGIN,
        font={"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 12},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "xanchor": "left"},
        hoverlabel={"align": "left", "font": {"size": 11}},
        **layout,
    )
    lines = {"gridcolor": "#e4e7ec", "zeroline": False, "automargin": True, "ticks": "outside"}
    lines |= {"ticklen": 4, "tickcolor": "#c3c8d0", "linecolor": "#c3c8d0", "showline": True}
    figure.update_xaxes(**lines)
    figure.update_yaxes(title_standoff=12, **lines)
    return figure


def note(message: str) -> go.Figure:
    """A figure that holds a sentence instead of a plot."""
    figure = styled(go.Figure(), height=110, meta={"note": message})
    figure.update_layout(xaxis={"visible": False}, yaxis={"visible": False}, margin={"t": 10})
    place = {"x": 0, "y": 0.5, "xref": "paper", "yref": "paper", "xanchor": "left"}
    figure.add_annotation(text=escaped(message), showarrow=False, font={"size": 13}, **place)
    return figure


def escaped(words: str) -> str:
    """Text that Plotly shows as it is; of HTML's entities it does not know the quotes."""
    return html.escape(words, quote=False)


def marker(style: Style, size: int | None = None) -> dict[str, Any]:
    """Plotly's marker for a style."""
    width = 1.4 if style.symbol.endswith("open") else 0.5
    line = {"width": width, "color": style.color if width > 1 else "white"}
    looks = {"color": style.color, "symbol": style.symbol, "opacity": style.opacity}
    return {**looks, "size": size or style.size, "line": line}


def hovers(summary: StudySummary, rows: Sequence[TrialRow], *, brief: bool = False) -> list[str]:
    """Number, objectives and (unless brief) parameters of trials, as Plotly's kind of HTML."""
    short = {} if brief else summary.short_names
    return [_hover(row, short) for row in rows]


def _hover(row: TrialRow, short: Mapping[str, str]) -> str:
    lines = [f"<b>trial {row.number}</b> ({standing(row)})"]
    lines += [f"<i>{escaped(n)}: {number(v)}</i>" for n, v in row.objectives.items()]
    lines += [
        f"{escaped(short[n])}: {escaped(text(v))}" for n, v in row.params.items() if n in short
    ]
    return "<br>".join(lines)


def by_standing(rows: Sequence[TrialRow]) -> dict[str, list[TrialRow]]:
    """Trials that have objective values, by how they stand; muted ones first."""
    order = [name for name in ("silent", "stopped", "infeasible", "finished") if name in STYLES]
    told = [row for row in rows if row.objectives]
    groups = {name: [row for row in told if standing(row) == name] for name in order}
    return {name: group for name, group in groups.items() if group}


def thinned(rows: Sequence[TrialRow], limit: int) -> list[TrialRow]:
    """At most `limit` trials, evenly taken."""
    if len(rows) <= limit:
        return list(rows)
    step = len(rows) / limit
    return [rows[int(k * step)] for k in range(limit)]


def near_front(summary: StudySummary) -> list[TrialRow]:
    """Finished trials within one length of the front of it, in every objective."""
    kept = [row for row in summary.rows if row.full]
    for name in summary.objectives:
        values = [row.objectives[name] for row in summary.front]
        low, high = min(values), max(values)
        if high > low:
            reach = high - low
            kept = [r for r in kept if low - reach <= r.objectives[name] <= high + reach]
    return kept


def objective_axis(
    summary: StudySummary, name: str, focus: Sequence[TrialRow] | None = None
) -> dict[str, Any]:
    """Scale and first view of an objective: finished trials fill it, whatever silent ones did.

    Args:
        summary: The study.
        name: The objective.
        focus: The trials that shall fill it instead.
    """
    told = [row.objectives[name] for row in summary.rows if name in row.objectives]
    shown = summary.rows if focus is None else focus
    full = [row.objectives[name] for row in shown if row.full and name in row.objectives]
    told, full = ([v for v in values if math.isfinite(v)] for values in (told, full))
    if not full:
        return {"type": "linear"}
    low, high = min(full), max(full)
    log = low > 0 and high / low > _LOG_FROM
    if log:
        low, high = math.log10(low), math.log10(high)
        told = [math.log10(value) for value in told if value > 0]
    pad = 0.07 * (high - low)
    if pad == 0:
        return {"type": "linear"}
    near = [value for value in told if low - 2 * pad <= value <= high + 2 * pad]
    low, high = min(near) - pad, max(near) + pad
    if not log:
        return {"type": "linear", "range": [low, high]}
    return {"type": "log", "range": [low, high], **log_ticks(10**low, 10**high)}


def log_axis(values: Iterable[float]) -> dict[str, Any]:
    """A logarithmic axis with ticks for those values that have a place on it: finite, above 0."""
    told = [value for value in values if 0 < value < math.inf]
    return {"type": "log", **(log_ticks(min(told), max(told)) if told else {})}


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """A few round ticks for a small logarithmic axis; Plotly's own run into each other."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    digits = (1,) if last - first > 2 else (1, 2, 5)
    ticks = [d * 10.0**e for e in range(first, last + 1) for d in digits]
    ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    ticks = ticks[:: max(1, -(-len(ticks) // 5))]
    return {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def axis_value(value: Any) -> Any:
    """A parameter value as an axis takes it; what is no number as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return escaped(text(value))
    return value


def parameter_axis(summary: StudySummary, name: str) -> dict[str, Any]:
    """Kind of axis that a parameter asks for."""
    parameter = summary.space.get(name)
    if isinstance(parameter, Choice):
        known = [axis_value(option) for option in parameter.options]
        return {"type": "category", "categoryorder": "array", "categoryarray": known}
    if parameter is not None:
        if parameter.scale == "log":
            return {"type": "log", **log_ticks(parameter.low, parameter.high)}
        return {"type": "linear"}
    values = [row.params[name] for row in summary.rows if name in row.params]
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return {"type": "linear" if numeric else "category"}
