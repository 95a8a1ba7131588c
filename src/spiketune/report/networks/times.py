"""When neurons spike: of the output, of hidden layers, in order, and one before the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from spiketune.report.networks.record import NetworkRecord, color_of
from spiketune.report.palette import BLUE, GREY, ORANGE
from spiketune.report.plots.looks import styled

_MAX_PANELS = 36
_MAX_SAMPLES = 1500
_TIME = "time [τ<sub>syn</sub>]"


def label_neurons(record: NetworkRecord) -> go.Figure | None:
    """Spike times of each output neuron, over the plane or by the samples' class."""
    times = record.output_times
    if times is None:
        return None
    names = [f"neuron of class {k}" for k in range(times.shape[1])]
    planes = record.named("plane_times")
    if planes:
        output = planes[list(planes)[-1]]
        return _maps(record, dict(zip(names, output.T, strict=True)), _TIME, "Viridis")
    return _boxes(record, times, _TIME)


def differences(record: NetworkRecord) -> go.Figure | None:
    """Time of each output neuron minus that of the earliest other one."""
    times = record.output_times
    if times is None or times.shape[1] < 2:
        return None
    planes = record.named("plane_times")
    if planes:
        output = _ahead(planes[list(planes)[-1]])
        names = [f"class {k} − earliest other" for k in range(output.shape[1])]
        return _maps(
            record,
            dict(zip(names, output.T, strict=True)),
            "difference [τ<sub>syn</sub>]",
            "RdBu_r",
        )
    figure = go.Figure()
    ahead = _ahead(times)
    for label in range(min(record.n_classes, times.shape[1])):
        own = ahead[record.labels == label, label]
        figure.add_trace(
            go.Box(y=own[np.isfinite(own)], name=str(label), marker_color=color_of(label))
        )
    styled(figure, height=420, showlegend=False)
    figure.update_xaxes(title_text="class", type="category")
    figure.update_yaxes(title_text="label's neuron − earliest other [τ<sub>syn</sub>]")
    return figure


def hidden_neurons(record: NetworkRecord) -> go.Figure | None:
    """Spike times of hidden neurons, over the plane or over the samples."""
    planes = list(record.named("plane_times").items())[:-1]
    if planes:
        panels = {
            f"{layer} {k}": values[:, k] for layer, values in planes for k in range(values.shape[1])
        }
        chosen = dict(list(panels.items())[:_MAX_PANELS])
        return _maps(record, chosen, _TIME, "Viridis", n_columns=6)
    hidden = list(record.named("times").items())[:-1]
    if not hidden:
        return None
    figure = go.Figure()
    for layer, values in hidden:
        for neuron in range(min(values.shape[1], _MAX_PANELS)):
            told = values[:, neuron]
            figure.add_trace(
                go.Box(
                    y=told[np.isfinite(told)],
                    name=f"{layer} {neuron}",
                    marker={"color": BLUE, "size": 2},
                    line={"width": 1},
                )
            )
    styled(figure, height=440, showlegend=False)
    figure.update_xaxes(title_text="neuron")
    figure.update_yaxes(title_text=_TIME)
    return figure


def sorted_times(record: NetworkRecord) -> go.Figure | None:
    """Output times in the order in which they come, and sample by sample."""
    times = record.output_times
    if times is None:
        return None
    figure = make_subplots(
        1,
        2,
        column_widths=[0.38, 0.62],
        horizontal_spacing=0.1,
        subplot_titles=("mean and deviation, by class", "every sample"),
    )
    ordered = np.sort(times, axis=1)
    ranks = list(range(1, times.shape[1] + 1))
    for label in range(record.n_classes):
        own = ordered[record.labels == label]
        if not len(own):
            continue
        figure.add_trace(
            go.Scatter(
                x=np.array(ranks) + 0.06 * (label - (record.n_classes - 1) / 2),
                y=_finite(own, np.mean),
                error_y={"array": _finite(own, np.std), "thickness": 1.2, "width": 3},
                mode="lines+markers",
                name=f"class {label}",
                line={"color": color_of(label), "width": 2},
            ),
            1,
            1,
        )
    for trace in _per_sample(times, record.labels):
        figure.add_trace(trace, 1, 2)
    styled(figure, height=440)
    figure.update_layout(margin={"t": 90}, legend={"y": 1.1})
    figure.update_xaxes(title_text="spike of the output, in order", tickvals=ranks, row=1, col=1)
    figure.update_xaxes(title_text="sample, by the time of its label's neuron", row=1, col=2)
    figure.update_yaxes(title_text=_TIME)
    return figure


def _per_sample(times: NDArray[Any], labels: NDArray[Any]) -> Sequence[go.Scatter]:
    own = np.take_along_axis(times, labels[:, None], axis=1)[:, 0]
    rest = times.copy()
    np.put_along_axis(rest, labels[:, None], np.inf, axis=1)
    other = rest.min(axis=1)
    order = np.argsort(own, kind="stable")
    order = order[:: max(1, -(-len(order) // _MAX_SAMPLES))]
    drawn = (("earliest other", other, ORANGE, 3), ("label's neuron", own, BLUE, 4))
    return [
        go.Scatter(
            x=np.arange(len(order)),
            y=np.where(np.isfinite(values[order]), values[order], np.nan),
            mode="markers",
            name=name,
            marker={"color": color, "size": size, "opacity": 0.7},
        )
        for name, values, color, size in drawn
    ]


def _finite(values: NDArray[Any], statistic: Any) -> list[float | None]:
    told = [column[np.isfinite(column)] for column in values.T]
    return [float(statistic(column)) if len(column) else None for column in told]


def _ahead(times: NDArray[Any]) -> NDArray[Any]:
    """Each neuron's time minus that of the earliest other one, (n, K)."""
    found = np.full_like(times, np.nan)
    for neuron in range(times.shape[1]):
        others = np.delete(times, neuron, axis=1).min(axis=1)
        there = np.isfinite(times[:, neuron]) & np.isfinite(others)
        found[there, neuron] = times[there, neuron] - others[there]
    return found


def _maps(
    record: NetworkRecord,
    panels: Mapping[str, NDArray[Any]],
    title: str,
    colorscale: str,
    n_columns: int = 3,
) -> go.Figure:
    """A picture of the plane for each neuron, on one scale of colours."""
    n_columns = min(n_columns, len(panels))
    n_rows = -(-len(panels) // n_columns)
    pictures = {name: record.on_plane(values) for name, values in panels.items()}
    told = np.concatenate([p[np.isfinite(p)] for p in pictures.values()])
    low, high = (float(v) for v in np.quantile(told, (0.01, 0.99))) if len(told) else (0.0, 1.0)
    if colorscale.startswith("RdBu"):
        high = max(abs(low), abs(high))
        low = -high
    size = 300 if n_columns <= 3 else 150
    figure = make_subplots(
        n_rows,
        n_columns,
        subplot_titles=list(panels),
        horizontal_spacing=0.02 if n_columns > 3 else 0.04,
        vertical_spacing=min(0.12, 0.3 / n_rows),
    )
    x, y = record.plane or ([], [])
    for index, picture in enumerate(pictures.values()):
        row, column = divmod(index, n_columns)
        figure.add_trace(
            go.Heatmap(
                z=picture,
                x=x,
                y=y,
                coloraxis="coloraxis",
                hovertemplate="%{x:.2f}, %{y:.2f}: %{z:.3f}<extra></extra>",
            ),
            row + 1,
            column + 1,
        )
    styled(figure, height=n_rows * (size + 30) + 70, width=n_columns * size + 150)
    figure.update_layout(
        coloraxis={
            "colorscale": colorscale,
            "cmin": low,
            "cmax": high,
            "colorbar": {"title": {"text": title}, "thickness": 14},
        },
        margin={"t": 50, "l": 40, "b": 40},
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    for place in range(1, len(panels) + 1):
        which = "" if place == 1 else str(place)
        figure.layout[f"yaxis{which}"].update(scaleanchor=f"x{which}", constrain="domain")
        figure.layout[f"xaxis{which}"].update(constrain="domain")
    figure.update_annotations(font_size=12 if n_columns <= 3 else 10)
    return figure


def _boxes(record: NetworkRecord, times: NDArray[Any], title: str) -> go.Figure:
    """Times of each output neuron, for samples of its class and for others."""
    figure = go.Figure()
    for own, name, color in ((True, "samples of its class", BLUE), (False, "others", GREY)):
        x: list[str] = []
        y: list[float] = []
        for neuron in range(times.shape[1]):
            which = (record.labels == neuron) == own
            told = times[which, neuron]
            told = told[np.isfinite(told)][:_MAX_SAMPLES]
            x += [str(neuron)] * len(told)
            y += told.tolist()
        figure.add_trace(
            go.Box(x=x, y=y, name=name, marker={"color": color, "size": 2}, line={"width": 1.2})
        )
    styled(figure, height=440, boxmode="group")
    figure.update_xaxes(title_text="output neuron", type="category")
    figure.update_yaxes(title_text=title)
    return figure
