"""Plots of a sweep: the metric's own numbers, in percent where they are shares."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import pytest

from spiketune.report.plots.sweeping import metric_against, metric_over_epochs
from spiketune.study.over_seeds.sweeps import Swept
from spiketune.study.records.results import TrialRow

INF = float("inf")


def seeds(n: int, metrics: Mapping[str, tuple[float, ...]]) -> Swept:
    """A configuration of `n` neurons; one value of each metric per seed, told at two epochs."""
    rows = []
    for k, values in enumerate(zip(*metrics.values(), strict=True)):
        told = dict(zip(metrics, values, strict=True))
        reports = {"fidelity": [1.0, 2.0]} | {name: [v, v] for name, v in told.items()}
        rows.append(TrialRow(k, "finished", {"n": n}, metrics=told, reports=reports))
    return Swept({"n": n}, tuple(rows))


def median(figure: go.Figure) -> Any:
    return next(trace for trace in figure.data if trace.hovertemplate)


@pytest.mark.parametrize(
    ("metric", "values", "title", "drawn", "hover"),
    [
        ("validation_error", (0.1, 0.2, 0.3), "validation_error [%]", 20.0, "{y:.2f} %"),
        ("test_accuracy", (0.7, 0.8, 0.9), "test_accuracy [%]", 80.0, "{y:.2f} %"),
        ("silent_share", (0.0, 0.1, 0.2), "silent_share [%]", 10.0, "{y:.2f} %"),
        ("spikes_per_sample", (120.0, 125.0, 130.0), "spikes_per_sample", 125.0, "{y:.6~g} ("),
        ("cost_s", (2.0, 3.0, 4.0), "cost_s", 3.0, "{y:.6~g} ("),
    ],
)
def test_shares_are_drawn_in_percent_and_all_else_as_it_is(
    metric: str, values: tuple[float, ...], title: str, drawn: float, hover: str
) -> None:
    sweep = [seeds(n, {metric: values, "n_parameters": (100.0 * n,) * 3}) for n in (1, 2)]
    for figure in (
        metric_against(sweep, metric, "n", None),
        metric_against(sweep, metric, "n_parameters", None),
        metric_over_epochs(sweep, metric, None, None),
    ):
        assert list(median(figure).y) == pytest.approx([drawn, drawn])
        assert hover in median(figure).hovertemplate
        assert figure.layout.yaxis.title.text == title


def test_losses_without_a_place_on_the_axis_are_left_out_of_it() -> None:
    told = [seeds(1, {"validation_loss": (0.5, 0.5)}), seeds(2, {"validation_loss": (INF, INF)})]
    figure = metric_over_epochs(told, "validation_loss", None, "n")
    assert set(figure.layout.yaxis.tickvals) == {0.5}
    none = metric_over_epochs(told[1:], "validation_loss", None, None)
    assert none.layout.yaxis.type == "log"


def test_quartiles_are_of_the_scale_of_the_median() -> None:
    sweep = [seeds(1, {"spikes_per_sample": (1.0, 2.0, 3.0)})]
    figure = metric_against(sweep, "spikes_per_sample", "n", None)
    band, line = figure.data
    assert list(band.y) == [2.5, 1.5]
    assert list(line.y) == [2.0]
