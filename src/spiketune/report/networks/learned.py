"""What a network learned, and how: weights, delays, losses, accuracies, monitors."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from spiketune.report.networks.record import NetworkRecord, color_of
from spiketune.report.palette import BLUE, GREY, ORANGE
from spiketune.report.plots.looks import escaped, log_axis, styled

_MAX_SIDE = 400
_N_BINS = 50
_KINDS = ("weights", "recurrent_weights", "delays")
_SPLITS = (("train", ORANGE), ("validation", BLUE))


def learning(record: NetworkRecord) -> go.Figure | None:
    """Loss and error over the epochs, and how often weights were raised instead of trained."""
    if not record.history:
        return None
    epochs = np.arange(1, len(record.history) + 1)
    raised = _series(record, "raised_share")
    bumps = raised is not None and bool((raised > 0).any())
    figure = make_subplots(3 if bumps else 2, 1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (metric, made) in enumerate((("loss", _as_is), ("accuracy", _error)), start=1):
        for split, color in _SPLITS:
            values = _series(record, f"{split}_{metric}")
            if values is None:
                continue
            figure.add_trace(
                go.Scatter(
                    x=epochs,
                    y=made(values),
                    mode="lines",
                    name=split,
                    legendgroup=split,
                    showlegend=row == 1,
                    line={"color": color, "width": 1.8},
                ),
                row,
                1,
            )
    if bumps and raised is not None:
        figure.add_trace(
            go.Bar(x=epochs, y=raised, name="raised", marker_color=GREY, showlegend=False), 3, 1
        )
        figure.update_yaxes(title_text="share of batches<br>with raised weights", row=3, col=1)
    styled(figure, height=640 if bumps else 520)
    for row, title in enumerate(("loss", "error"), start=1):
        axis = log_axis(y for trace in figure.select_traces(row=row, col=1) for y in trace.y)
        figure.update_yaxes(title_text=title, row=row, col=1, **axis)
    figure.update_xaxes(title_text="epoch", row=3 if bumps else 2, col=1)
    return figure


def parameters(record: NetworkRecord) -> go.Figure | None:
    """Histogram and matrix of the weights and delays of every layer."""
    found = {
        _titled(f"{kind}:{layer}"): values
        for kind in _KINDS
        for layer, values in record.named(kind).items()
    }
    if not found:
        return None
    figure = make_subplots(
        len(found),
        2,
        column_widths=[0.36, 0.64],
        horizontal_spacing=0.12,
        vertical_spacing=0.3 / max(len(found), 1) if len(found) > 1 else 0.0,
        subplot_titles=[escaped(t) for name in found for t in (name, f"{name}, matrix")],
    )
    height = 1.0 / len(found)
    for row, values in enumerate(found.values(), start=1):
        flat = values.ravel()
        counts, edges = np.histogram(flat, bins=_N_BINS)
        figure.add_trace(
            go.Bar(
                x=(edges[:-1] + edges[1:]) / 2,
                y=counts,
                width=np.diff(edges),
                marker={"color": BLUE, "line": {"width": 0}},
                showlegend=False,
            ),
            row,
            1,
        )
        figure.add_trace(_matrix(values, 1.0 - (row - 0.5) * height, height), row, 2)
    styled(figure, height=290 * len(found) + 60, bargap=0)
    figure.update_yaxes(title_text="number", col=1)
    for row, values in enumerate(found.values(), start=1):
        ends = dict(zip(("from", "to"), _table(values).shape, strict=True))
        ticks = {end: {"dtick": max(1, -(-n // 8)), "tick0": 0} for end, n in ends.items()}
        figure.update_yaxes(title_text="from", showgrid=False, row=row, col=2, **ticks["from"])
        figure.update_xaxes(title_text="to", showgrid=False, row=row, col=2, **ticks["to"])
    return figure


def monitors(record: NetworkRecord) -> go.Figure | None:
    """How weights, delays and output times went from snapshot to snapshot."""
    epochs = record.arrays.get("snapshots")
    if epochs is None or len(epochs) < 2:
        return None
    found = record.named("monitor")
    times = record.arrays.get("label_times")
    titles = [escaped(_titled(name)) for name in found]
    if times is not None:
        titles.append("time of the label's neuron")
    n_rows = -(-len(titles) // 2)
    figure = make_subplots(n_rows, 2, subplot_titles=titles, vertical_spacing=0.28 / n_rows)
    for index, values in enumerate(found.values()):
        row, column = index // 2 + 1, index % 2 + 1
        for trace in _bands(epochs, values, legend=index == 0):
            figure.add_trace(trace, row, column)
    if times is not None:
        row, column = len(found) // 2 + 1, len(found) % 2 + 1
        for label in range(times.shape[1]):
            line = {"color": color_of(label), "width": 2}
            figure.add_trace(
                go.Scatter(
                    x=epochs,
                    y=times[:, label],
                    mode="lines+markers",
                    line=line,
                    name=f"class {label}",
                ),
                row,
                column,
            )
    styled(figure, height=270 * n_rows + 90)
    figure.update_layout(margin={"t": 80}, legend={"y": 1.08 if n_rows > 1 else 1.14})
    figure.update_xaxes(title_text="epoch", title_standoff=4)
    return figure


def _titled(name: str) -> str:
    """`recurrent_weights:hidden` as `recurrent weights to hidden`."""
    kind, layer = name.split(":", 1)
    return f"{kind.replace('_', ' ')} to {layer}"


def _bands(epochs: NDArray[Any], values: NDArray[Any], *, legend: bool) -> list[go.Scatter]:
    """Whole range, quartiles and median of quantiles (E, 5)."""
    traces = []
    for low, high, name, alpha in ((0, 4, "all", 0.15), (1, 3, "middle half", 0.35)):
        traces.append(
            go.Scatter(
                x=np.concatenate([epochs, epochs[::-1]]),
                y=np.concatenate([values[:, high], values[::-1, low]]),
                fill="toself",
                fillcolor=f"rgba(0, 114, 178, {alpha})",
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                name=name,
                showlegend=legend,
            )
        )
    line = {"color": BLUE, "width": 2}
    median = go.Scatter(
        x=epochs, y=values[:, 2], mode="lines+markers", line=line, name="median", showlegend=legend
    )
    return [*traces, median]


def _matrix(values: NDArray[Any], middle: float, height: float) -> go.Heatmap:
    table = _table(values)
    rows, columns = (max(1, -(-side // _MAX_SIDE)) for side in table.shape)
    table = table[::rows, ::columns]
    low, high = float(table.min()), float(table.max())
    signed = low < 0 < high
    reach = max(-low, high)
    return go.Heatmap(
        z=table,
        colorscale="RdBu_r" if signed else "Viridis",
        zmin=-reach if signed else low,
        zmax=reach if signed else high,
        colorbar={"thickness": 12, "len": 0.75 * height, "y": middle},
        hovertemplate="from %{y} to %{x}: %{z:.4g}<extra></extra>",
    )


def _table(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.ndim == 2 else values.reshape(1, -1)


def _series(record: NetworkRecord, metric: str) -> NDArray[np.float64] | None:
    if any(metric not in metrics for metrics in record.history):
        return None
    return np.array([metrics[metric] for metrics in record.history], dtype=float)


def _as_is(values: NDArray[Any]) -> NDArray[Any]:
    return values


def _error(accuracies: NDArray[Any]) -> NDArray[Any]:
    """Errors; none at all is left out, as a logarithmic axis has no place for it."""
    errors: NDArray[Any] = 1.0 - accuracies
    return np.where(errors > 0, errors, np.nan)
