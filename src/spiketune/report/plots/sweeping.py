"""A sweep: a metric against a parameter, the size of the network, and epochs; a line per kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spiketune.report.palette import BLUE, GREEN, ORANGE, PINK, RED, SKY
from spiketune.report.plots.looks import escaped, log_axis, note, styled
from spiketune.report.wording import text
from spiketune.study.over_seeds.sweeps import Swept

_COLORS = (BLUE, ORANGE, GREEN, RED, PINK, SKY)
_MAX_PANELS = 12
_SHARES: Final = ("_error", "_accuracy", "_share")  # how names of metrics in [0, 1] end

Points = Mapping[float, Sequence[float]]


@dataclass(frozen=True, slots=True)
class _Scale:
    """How a metric is drawn: shares in percent, all else in its own unit.

    Attributes:
        factor: From the metric to what is drawn.
        title: Of the axis.
        hover: Plotly's template of a value.
    """

    factor: float
    title: str
    hover: str

    @classmethod
    def of(cls, metric: str) -> _Scale:
        if metric.endswith(_SHARES):
            return cls(100.0, f"{escaped(metric)} [%]", "%{y:.2f} %")
        return cls(1.0, escaped(metric), "%{y:.6~g}")


def metric_against(
    configurations: Sequence[Swept], metric: str, along: str, line: str | None
) -> go.Figure:
    """Median and quartiles of a metric along a parameter or another metric.

    Args:
        configurations: Of the sweep.
        metric: Along y, such as `validation_error`.
        along: A numeric parameter, or a metric such as `n_parameters`.
        line: The parameter whose values get a line each.
    """
    figure, scale = go.Figure(), _Scale.of(metric)
    for color, (label, group) in zip(_cycle(), _lines(configurations, line).items(), strict=False):
        points: dict[float, list[float]] = {}
        for one in group:
            place = _place(one, along)
            if place is not None:
                points.setdefault(place, []).extend(one.values(metric))
        for trace in _band({x: y for x, y in points.items() if y}, label, color, scale, marks=True):
            figure.add_trace(trace)
    if not figure.data:
        return note(f"No finished run has {metric} along {along}.")
    styled(figure, height=440)
    figure.update_layout(legend_title_text=escaped(f"{line}: ") if line else "")
    figure.update_xaxes(title_text=escaped(along))
    figure.update_yaxes(title_text=scale.title, rangemode="tozero")
    return figure


def metric_over_epochs(
    configurations: Sequence[Swept], metric: str, panels: str | None, line: str | None
) -> go.Figure:
    """Median and quartiles over the epochs, a panel for each value of a parameter."""
    groups, scale = _lines(configurations, panels), _Scale.of(metric)
    chosen = dict(list(groups.items())[:_MAX_PANELS])
    n_columns = min(3, len(chosen))
    n_rows = -(-len(chosen) // max(n_columns, 1))
    titles = [f"{escaped(panels)} {escaped(value)}" if panels else "" for value in chosen]
    figure = make_subplots(
        max(n_rows, 1),
        max(n_columns, 1),
        subplot_titles=titles,
        shared_xaxes=True,
        shared_yaxes="all",
        horizontal_spacing=0.04,
        vertical_spacing=0.24 / max(n_rows, 1),
    )
    for index, group in enumerate(chosen.values()):
        row, column = divmod(index, n_columns)
        for color, (label, own) in zip(_cycle(), _lines(group, line).items(), strict=False):
            points: dict[float, list[float]] = {}
            for one in own:
                for epoch, values in one.at_epochs(metric).items():
                    points.setdefault(epoch, []).extend(values)
            for trace in _band(points, label, color, scale, marks=False, legend=index == 0):
                figure.add_trace(trace, row + 1, column + 1)
    if not figure.data:
        return note(f"No finished run reported {metric} on its way.")
    styled(figure, height=250 * n_rows + 110)
    figure.update_layout(margin={"t": 80}, legend={"y": 1.0 + 0.16 / n_rows})
    figure.update_yaxes(**log_axis(y for trace in figure.data for y in trace.y))
    figure.update_layout(legend_title_text=escaped(f"{line}: ") if line else "")
    figure.update_yaxes(title_text=scale.title, col=1)
    figure.update_xaxes(title_text="epoch", row=n_rows)
    return figure


def numeric_parameter(configurations: Sequence[Swept]) -> str | None:
    """The first swept parameter that is a number and varies."""
    return next((n for n, values in _values(configurations).items() if are_numbers(values)), None)


def kind_parameter(configurations: Sequence[Swept]) -> str | None:
    """The first swept parameter that is no number and varies."""
    found = _values(configurations).items()
    return next((name for name, values in found if not are_numbers(values)), None)


def _values(configurations: Sequence[Swept]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for one in configurations for name in one.params)
    told = {n: [one.params[n] for one in configurations if n in one.params] for n in names}
    return {name: values for name, values in told.items() if len({str(v) for v in values}) > 1}


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether each value can be a place on an axis; true and false are kinds."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _lines(configurations: Sequence[Swept], name: str | None) -> dict[str, list[Swept]]:
    found: dict[str, list[Swept]] = {}
    for one in configurations:
        label = "all" if name is None else text(one.params.get(name))
        found.setdefault(label, []).append(one)
    return found


def _cycle() -> list[str]:
    return list(_COLORS) * 10


def _place(one: Swept, along: str) -> float | None:
    if along in one.params:
        return float(one.params[along])
    told = one.values(along)
    return float(np.median(told)) if told else None


def _band(
    points: Points, label: str, color: str, scale: _Scale, *, marks: bool, legend: bool = True
) -> list[go.Scatter]:
    """Median as a line, quartiles as a band."""
    if not points:
        return []
    x = sorted(points)
    drawn = [scale.factor * np.array(points[place]) for place in x]
    with np.errstate(invalid="ignore"):  # between two infinite losses lies no number
        low, middle, high = ([float(np.quantile(y, q)) for y in drawn] for q in (0.25, 0.5, 0.75))
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    band = go.Scatter(
        x=[*x, *x[::-1]],
        y=[*high, *low[::-1]],
        fill="toself",
        fillcolor=f"rgba({red}, {green}, {blue}, 0.2)",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=label,
    )
    counts = [len(points[place]) for place in x]
    line = go.Scatter(
        x=x,
        y=middle,
        mode="lines+markers" if marks else "lines",
        name=escaped(label),
        legendgroup=label,
        showlegend=legend,
        line={"color": color, "width": 2},
        customdata=counts,
        hovertemplate=f"{escaped(label)}<br>%{{x}}: {scale.hover} (median of %{{customdata}})"
        "<extra></extra>",
    )
    return [band, line]
