"""The pages of plots that `evaluate` draws of trained networks."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from spiketune.cli.experiments import load_trained
from spiketune.objectives.measuring import inspect
from spiketune.report.networks.page import sections
from spiketune.report.networks.record import NetworkRecord
from spiketune.runs import RunFolder
from spiketune.study.records.stored_tests import stored_tests

from .test_experiments import write

pytestmark = pytest.mark.timeout(120)

ALWAYS = {"confusion", "learning", "parameters", "monitors"}
OF_TIMES = {"label-times", "differences", "hidden-times", "sorted-times"}


def figures(page):
    text = page.read_text()
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1]
    return json.loads(data)["figures"]


@pytest.mark.parametrize(
    ("kind", "drawn"),
    [("first_spike", ALWAYS | OF_TIMES | {"map"}), ("layered", ALWAYS | {"map"})],
)
def test_every_plot_that_a_kind_of_network_has_is_on_the_page(cli, kind, drawn):
    cli("train", write(kind, epochs=2), "--snapshots", "0,1,2")
    status, _, err = cli("evaluate", "runs/mine")
    assert status == 0, err
    assert figures(Path("runs/mine/evaluation-validation.html")).keys() == drawn


def test_test_pages_are_drawn_from_what_is_stored_and_open_nothing(cli):
    cli("train", write("first_spike", epochs=1))
    _, out, _ = cli("evaluate", "runs/mine", "--json")
    assert len(json.loads(out)["pages"]) == 1
    _, told, _ = cli("retrain", "runs/mine", "--seeds", 2, "--json")
    _, out, _ = cli("evaluate", "runs/mine", "--json")
    pages = json.loads(out)["pages"]
    assert len(pages) == 3
    accuracy = json.loads(told)[0]["metrics"]["test_accuracy"][1]
    assert f"accuracy {accuracy:.4f}" in Path(pages[2]).read_text()
    assert figures(Path(pages[2])).keys() >= OF_TIMES | {"map", "confusion", "parameters"}
    openings = Path("runs/mine/retrain").rglob("test-opening*.jsonl")
    assert sum(len(file.read_text().splitlines()) for file in openings) == 3
    stored = stored_tests(Path("runs/mine"))[0].arrays
    first = stored["times:out"].argmin(axis=1)
    spiked = np.isfinite(stored["times:out"]).any(axis=1)
    assert (first == stored["predictions"])[spiked].all()


def test_monitors_are_the_quantiles_of_what_the_snapshots_hold(cli):
    cli("train", write("first_spike", epochs=2), "--snapshots", "0,2")
    run = RunFolder(Path("runs/mine"))
    arrays = inspect(load_trained("runs/mine", None), run.snapshots)
    assert arrays["snapshots"].tolist() == [0, 2]
    final = arrays["weights:hidden"]
    monitor = arrays["monitor:weights:hidden"]
    assert monitor[1, 0] == pytest.approx(final.min())
    assert monitor[1, 2] == pytest.approx(np.median(final))
    changed = arrays["monitor:weights:out"]
    assert (changed[0] != changed[1]).any()
    untrained = inspect(load_trained("runs/mine", 0))
    assert monitor[0, 4] == pytest.approx(untrained["weights:hidden"].max())
    assert ((arrays["delays:hidden"] > 0) & (arrays["delays:hidden"] < 1)).all()


def record(n=60, n_classes=3, silent=False, **more):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes, n)
    times = rng.random((n, n_classes)).astype(np.float32) + 1.0
    if silent:
        times[:10] = np.inf
    predictions = np.where(np.isfinite(times).any(axis=1), times.argmin(axis=1), -1)
    arrays = {"labels": labels, "predictions": predictions, "times:out": times, **more}
    return NetworkRecord(arrays, [{"train_loss": 1.0, "train_accuracy": 0.5, "raised_share": 0.1}])


def drawn(found):
    return {section.key: section.figure for section in sections(found)}


def test_the_confusion_matrix_counts_samples_and_silence_apart():
    found = record(silent=True)
    heat = drawn(found)["confusion"].data[0]
    counts = np.array(heat.text, dtype=int)
    assert list(heat.x) == ["0", "1", "2", "none"]
    assert counts.sum() == 60
    assert counts[:, 3].sum() == 10
    assert counts[1, 2] == ((found.labels == 1) & (found.predictions == 2)).sum()


def test_data_without_a_plane_have_boxes_of_times_instead_of_maps():
    hidden = np.random.default_rng(1).random((60, 5)).astype(np.float32)
    found = record(silent=True, n_classes=2)
    arrays = {"times:hidden": hidden, **found.arrays}
    figures = drawn(NetworkRecord(arrays, found.history))
    assert "map" not in figures
    assert {trace.type for key in OF_TIMES - {"sorted-times"} for trace in figures[key].data} == {
        "box"
    }


def test_epochs_with_raised_weights_are_bars_under_the_losses():
    figure = drawn(record())["learning"]
    assert [trace.type for trace in figure.data].count("bar") == 1
    assert figure.data[0].y[0] == 1.0  # the loss
    assert figure.data[1].y[0] == 0.5  # the error


@pytest.mark.parametrize("loss", [np.inf, np.nan])
def test_a_loss_that_has_no_place_on_the_axis_is_left_out_of_it(loss):
    told = {"train_loss": 1.0, "train_accuracy": 0.5, "validation_accuracy": 0.5}
    history = [told | {"validation_loss": value} for value in (loss, 0.5, loss)]
    figure = drawn(NetworkRecord(record().arrays, history))["learning"]
    assert figure.layout.yaxis.type == "log"
    assert set(figure.layout.yaxis.tickvals) == {0.5, 1.0}


def test_a_network_without_errors_and_with_a_silent_output_is_drawn():
    labels = np.zeros(5, dtype=int)
    times = np.full((5, 2), np.inf, dtype=np.float32)
    times[:, 0] = 1.0
    arrays = {"labels": labels, "predictions": labels, "times:out": times}
    history = [{"train_loss": 0.0, "train_accuracy": 1.0}]
    assert drawn(NetworkRecord(arrays, history)).keys() >= {"confusion", "sorted-times"}
