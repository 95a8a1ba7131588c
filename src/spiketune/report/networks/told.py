"""What a network tells: the confusion matrix, and the map of its classes."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from spiketune.report.networks.record import NetworkRecord, color_of
from spiketune.report.plots.looks import styled

_MAX_POINTS = 4000


def confusion(record: NetworkRecord) -> go.Figure:
    """How many samples of each class were told to be of which."""
    n_classes, silent = record.n_classes, bool((record.predictions < 0).any())
    counts = np.zeros((n_classes, n_classes + silent), dtype=np.int64)
    columns = np.where(record.predictions < 0, n_classes, record.predictions)
    np.add.at(counts, (record.labels, columns), 1)
    told = [str(k) for k in range(n_classes)] + (["none"] if silent else [])
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=told,
            y=[str(k) for k in range(n_classes)],
            text=counts.astype(str),
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=0.0,
            zmax=1.0,
            colorbar={"title": {"text": "share of<br>the class"}, "thickness": 14},
            hovertemplate="class %{y} told to be %{x}: %{text}<extra></extra>",
        )
    )
    styled(figure, height=460, width=560)
    figure.update_xaxes(title_text="told class", type="category", showgrid=False)
    figure.update_yaxes(title_text="class", type="category", showgrid=False, autorange="reversed")
    return figure


def classification_map(record: NetworkRecord) -> go.Figure | None:
    """Samples where their first two inputs put them, wrong ones marked; over the network's map."""
    inputs = record.arrays.get("inputs")
    if inputs is None or inputs.shape[1] < 2:
        return None
    figure = go.Figure()
    if record.plane is not None:
        figure.add_trace(_background(record))
    right = record.labels == record.predictions
    for label in range(record.n_classes):
        own = np.flatnonzero(right & (record.labels == label))[:_MAX_POINTS]
        figure.add_trace(
            go.Scatter(
                x=inputs[own, 0],
                y=inputs[own, 1],
                mode="markers",
                name=f"class {label}",
                marker={
                    "color": color_of(label),
                    "size": 5,
                    "line": {"width": 0.4, "color": "white"},
                },
                hovertemplate=f"class {label}<extra></extra>",
            )
        )
    wrong = np.flatnonzero(~right)
    figure.add_trace(
        go.Scatter(
            x=inputs[wrong, 0],
            y=inputs[wrong, 1],
            mode="markers",
            name=f"wrong ({len(wrong)})",
            marker={"color": "#111111", "size": 8, "symbol": "x"},
            text=[f"class {record.labels[k]}, told {_name(record.predictions[k])}" for k in wrong],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    styled(figure, height=620, width=640)
    figure.update_xaxes(title_text="first input", range=[-0.02, 1.02], showgrid=False)
    figure.update_yaxes(
        title_text="second input", range=[-0.02, 1.02], showgrid=False, scaleanchor="x"
    )
    return figure


def _background(record: NetworkRecord) -> go.Heatmap:
    x, y = record.plane or ([], [])
    told = record.on_plane(record.arrays["plane_predictions"].astype(np.float32))
    told[told < 0] = np.nan  # nothing is told there
    last = max(record.n_classes - 1, 1)
    scale = [[k / last, color_of(k)] for k in range(record.n_classes)]
    return go.Heatmap(
        z=told,
        x=x,
        y=y,
        zmin=0,
        zmax=last,
        colorscale=scale,
        showscale=False,
        opacity=0.25,
        hoverinfo="skip",
        name="told class",
    )


def _name(label: int) -> str:
    return "none" if label < 0 else str(label)
