"""Plots of a study, as Plotly figures."""

from spiketune.report.plots.explore import scatter
from spiketune.report.plots.front import pareto
from spiketune.report.plots.importance import importances
from spiketune.report.plots.learning import curves
from spiketune.report.plots.parallel import parallel_coordinates
from spiketune.report.plots.progress import history
from spiketune.report.plots.slicing import slices
from spiketune.report.plots.workers import timeline

__all__ = [
    "curves",
    "history",
    "importances",
    "parallel_coordinates",
    "pareto",
    "scatter",
    "slices",
    "timeline",
]
