"""Plots hold the right numbers, and a note where there is nothing to draw."""

import math

import plotly.graph_objects as go
import pytest

from spiketune.errors import UnknownNameError
from spiketune.report import plots
from spiketune.report.plots.importance import importance
from spiketune.space import Float, Int, Space
from spiketune.study.records.results import TrialRow, frame, hypervolume
from tests.report.studies import LR, NEURONS, finished, summary, synthetic

ROWS = [
    finished(0, 0.80, 100.0),
    finished(1, 0.95, 900.0),
    finished(2, 0.90, 200.0),
    finished(3, 0.70, 300.0),
    finished(4, 0.99, 50.0, constraints={"silence": 0.5}),
    TrialRow(5, "failed", {LR: 0.1}, failure={"kind": "nan", "message": "loss"}),
    TrialRow(6, "silent", {LR: 0.1}, {"validation_accuracy": 0.1, "spikes_per_sample": 0.0}),
]
EVERY = [
    plots.pareto,
    plots.history,
    plots.importances,
    plots.slices,
    plots.parallel_coordinates,
    plots.curves,
    plots.timeline,
]


def trace(figure: go.Figure, start: str):
    return next(t for t in figure.data if t.name.startswith(start))


@pytest.mark.parametrize("plot", EVERY)
@pytest.mark.parametrize("rows", [[], ROWS[5:6], ROWS[:1], ROWS])
def test_every_plot_takes_studies_with_little_in_them(plot, rows) -> None:
    assert isinstance(plot(summary(rows)), go.Figure)
    one = [r for r in rows if r.state == "failed"]
    assert isinstance(plot(summary(one, {"validation_accuracy": "maximize"})), go.Figure)


def test_the_front_is_drawn_in_steps_with_the_knee_marked() -> None:
    figure = plots.pareto(summary(ROWS))
    front = trace(figure, "front")
    assert list(front.x) == [100.0, 200.0, 900.0]
    assert list(front.y) == [0.80, 0.90, 0.95]
    assert front.line.shape == "hv"
    assert list(trace(figure, "knee").x) == [200.0]


@pytest.mark.parametrize(("way", "shape"), [("minimize", "hv"), ("maximize", "vh")])
def test_steps_of_the_front_drop_on_the_side_that_is_worse(way: str, shape: str) -> None:
    directions = {"validation_accuracy": "maximize", "spikes_per_sample": way}
    assert trace(plots.pareto(summary(ROWS, directions)), "front").line.shape == shape


def test_trials_that_are_no_candidates_are_drawn_apart_and_muted() -> None:
    figure = plots.pareto(summary(ROWS))
    assert list(trace(figure, "infeasible").x) == [50.0]
    assert list(trace(figure, "silent").x) == [0.0]
    assert trace(figure, "silent").marker.opacity < trace(figure, "finished").marker.opacity
    assert trace(figure, "failed").name == "failed, without values (1)"


def test_a_silent_trial_does_not_squeeze_the_view() -> None:
    low, high = plots.pareto(summary(ROWS)).layout.yaxis.range
    assert 0.5 < low < 0.7
    assert high > 0.99


def test_the_pointer_tells_number_objectives_and_parameters() -> None:
    told = trace(plots.pareto(summary(ROWS)), "front").text[0]
    assert "<b>trial 0</b>" in told
    assert "<i>validation_accuracy: 0.8000</i>" in told
    assert "learning_rate: 0.0100" in told


def test_three_objectives_give_a_panel_for_each_pair() -> None:
    study = synthetic(objectives=3)
    figure = plots.pareto(study)
    fronts = [t for t in figure.data if t.name.startswith("front")]
    assert len(fronts) == 3
    assert list(fronts[0].x) == [r.objectives["validation_accuracy"] for r in study.front]


def test_the_best_so_far_never_gets_worse_and_lasts_to_the_end() -> None:
    study = summary(ROWS, {"spikes_per_sample": "minimize"})
    best = trace(plots.pareto(study), "best")
    assert list(best.x) == [0, 1, 2, 3, 6]
    assert list(best.y) == [100.0] * 5


def test_the_hypervolume_ends_at_that_of_the_whole_study() -> None:
    study = synthetic()
    line = trace(plots.history(study), "hypervolume")
    assert list(line.y) == sorted(line.y)
    assert line.y[-1] == pytest.approx(hypervolume(study.rows, study.directions))


def test_the_history_runs_over_hours_when_asked() -> None:
    figure = plots.history(synthetic(), over="time")
    assert max(max(t.x) for t in figure.data) < 0.1


def test_importance_finds_the_parameter_that_matters() -> None:
    space = Space({"a": Float(0, 1), "b": Int(1, 9)})
    rows = [
        TrialRow(k, "finished", {"a": k / 29, "b": k * 7 % 9 + 1}, {"loss": (k / 29) ** 2})
        for k in range(30)
    ]
    shares = importance(summary(rows, {"loss": "minimize"}, space), "loss").shares
    assert shares["a"] > 0.8
    assert math.isclose(sum(shares.values()), 1, abs_tol=1e-6)


def test_parameters_that_some_trials_lack_are_named_and_not_ranked() -> None:
    result = importance(synthetic(), "validation_accuracy")
    assert result.left_out == ("training.optimizer.momentum",)
    figure = plots.importances(synthetic())
    assert "momentum" in figure.layout.annotations[-1].text


@pytest.mark.parametrize(
    ("values", "reason"),
    [([1.0] * 20, "same value"), ([1.0, 2.0], "at least 8")],
)
def test_importance_that_cannot_be_told_is_a_note(values: list[float], reason: str) -> None:
    rows = [
        TrialRow(k, "finished", {"a": k / 30}, {"loss": value}) for k, value in enumerate(values)
    ]
    figure = plots.importances(summary(rows, {"loss": "minimize"}, Space({"a": Float(0, 1)})))
    assert reason in figure.layout.meta["note"]


def test_slices_use_the_scale_of_each_parameter() -> None:
    figure = plots.slices(synthetic())
    kinds = [figure.layout[f"xaxis{k or ''}"].type for k in ("", 2, 3, 4)]
    assert kinds == ["log", "log", "linear", "linear"]
    assert figure.layout.xaxis9.type == "category"


def test_a_slice_leaves_out_trials_that_lack_the_parameter() -> None:
    rows = [finished(0, 0.9, 1.0, params={LR: 0.1}), finished(1, 0.8, 2.0, params={NEURONS: 20})]
    figure = plots.slices(summary(rows))
    drawn = [list(t.x) for t in figure.data if t.name == "front" and t.xaxis == "x"]
    assert drawn == [[0.1]]


def test_scatter_takes_any_columns_and_zooms_without_losing_points() -> None:
    figure = plots.scatter(
        frame(ROWS),
        LR,
        "validation_accuracy",
        "spikes_per_sample",
        x_range=(0.001, 0.1),
        y_range=(0.5, 1.0),
        color_range=(0, 500),
        log=[LR],
    )
    points = figure.data[0]
    assert len(points.x) == 6
    assert list(figure.layout.xaxis.range) == pytest.approx([-3, -1])
    assert list(figure.layout.yaxis.range) == [0.5, 1.0]
    assert (points.marker.cmin, points.marker.cmax) == (0, 500)


def test_scatter_colours_words_in_a_trace_each() -> None:
    figure = plots.scatter(frame(ROWS), "number", LR, "state")
    assert {t.name for t in figure.data} == {"finished", "failed", "silent"}


def test_scatter_draws_trials_without_a_colour_in_grey() -> None:
    figure = plots.scatter(frame(ROWS), "number", LR, "constraint:silence")
    assert [len(t.x) for t in figure.data] == [6, 1]


def test_scatter_names_the_column_that_was_meant() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'validation_accuracy'"):
        plots.scatter(frame(ROWS), "number", "validation_acuracy")


def test_scatter_of_columns_that_never_meet_is_a_note() -> None:
    rows = [TrialRow(0, "finished", {"a": 1.0}), TrialRow(1, "finished", {"b": 1.0})]
    assert "both a and b" in plots.scatter(frame(rows), "a", "b").layout.meta["note"]


def test_curves_show_one_metric_at_a_time_with_the_best_on_top() -> None:
    study = synthetic()
    figure = plots.curves(study)
    labels = [button.label for button in figure.layout.updatemenus[0].buttons]
    assert labels == ["validation_accuracy", "validation_loss"]
    visible = [t for t in figure.data if t.visible]
    assert len(visible) == len(figure.data) / 2
    knee = study.knee
    assert knee is not None
    assert visible[1].name == f"trial {knee.number}"
    assert list(visible[1].y) == pytest.approx(knee.reports["validation_accuracy"], rel=1e-4)


def test_curves_of_a_large_study_stay_small() -> None:
    figure = plots.curves(synthetic(600, epochs=200))
    assert sum(len(t.x) for t in figure.data) < 60_000


def test_the_timeline_has_a_bar_for_each_attempt() -> None:
    study = synthetic()
    figure = plots.timeline(study)
    assert sum(len(t.x) for t in figure.data) == len(study.attempts)
    first = trace(figure, "finished")
    attempts = [a for _, a in study.attempts if a["outcome"] == "finished"]
    assert first.x[0] == pytest.approx(1000 * (attempts[0]["ended_s"] - attempts[0]["started_s"]))
    assert set(figure.layout.yaxis.categoryarray) == {"worker-0", "worker-1"}


def test_a_line_of_the_parallel_plot_breaks_where_a_parameter_is_absent() -> None:
    rows = [finished(0, 0.9, 1.0, params={LR: 0.1}), finished(1, 0.8, 0.5, params={NEURONS: 16})]
    line = plots.parallel_coordinates(summary(rows)).data[0]
    assert [None if y is None else round(y, 2) for y in line.y[:2]] == [1.0, None]


def test_html_in_names_and_values_is_shown_and_not_read() -> None:
    evil = "<b>x</b>"
    rows = [TrialRow(k, "finished", {evil: evil}, {evil: float(k)}) for k in range(3)]
    text = plots.slices(summary(rows, {evil: "minimize"}, Space({}))).to_json()
    assert "\\u003cb\\u003ex" not in text
    assert "<b>x" not in text
