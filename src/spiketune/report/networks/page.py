"""The page of a trained network: every plot that there is something to draw for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import plotly.graph_objects as go

from spiketune.report.figure_page import Section, write_figures
from spiketune.report.networks import learned, times, told
from spiketune.report.networks.record import NetworkRecord

_Plot = tuple[str, str, str, Callable[[NetworkRecord], go.Figure | None]]
PLOTS: Final[tuple[_Plot, ...]] = (
    (
        "map",
        "What is told where",
        "Samples at the place of their first two inputs, in the colour of their class, wrong ones "
        "as crosses; behind them the class that the network tells there.",
        told.classification_map,
    ),
    (
        "confusion",
        "Confusion matrix",
        "How many samples of each class (rows) were told to be of which (columns); a sample "
        "without an output spike is told to be none.",
        told.confusion,
    ),
    (
        "label-times",
        "Spike times of the output",
        "When the neuron of each class spikes; the first one tells the class.",
        times.label_neurons,
    ),
    (
        "differences",
        "Who comes first",
        "Time of a class's neuron minus that of the earliest other one: below zero it wins.",
        times.differences,
    ),
    ("hidden-times", "Spike times of hidden neurons", "When they spike.", times.hidden_neurons),
    (
        "sorted-times",
        "Output times in order",
        "Left: the first, second, ... spike of the output. Right: the label's neuron and the "
        "earliest other one for every sample; where the other is earlier, the sample is wrong.",
        times.sorted_times,
    ),
    (
        "learning",
        "Learning",
        "Loss and error after each epoch; and, where spikes were missing, how many batches "
        "raised weights instead of training them.",
        learned.learning,
    ),
    (
        "parameters",
        "Weights and delays",
        "Distribution and matrix of what every layer learned.",
        learned.parameters,
    ),
    (
        "monitors",
        "From snapshot to snapshot",
        "Range, middle half and median of weights and delays after the epochs that were kept.",
        learned.monitors,
    ),
)


def sections(record: NetworkRecord) -> list[Section]:
    """The plots of a network, those without anything to draw left out."""
    drawn = ((key, title, caption, plot(record)) for key, title, caption, plot in PLOTS)
    return [Section(key, title, text, f) for key, title, text, f in drawn if f is not None]


def write_network_page(record: NetworkRecord, path: Path, title: str, split: str) -> Path:
    """Write the page.

    Raises:
        InputError: If the file cannot be written.
    """
    right = int((record.labels == record.predictions).sum())
    n = len(record.labels)
    lead = f"{split}: {right} of {n} samples told correctly, accuracy {right / n:.4f}"
    return write_figures(path, title, lead, sections(record))
