"""One HTML page that holds all of a study: opens offline, loads nothing."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import plotly.graph_objects as go

from spiketune.report import page_text as prose
from spiketune.report import plots
from spiketune.report.page_data import columns, embedded, rounded
from spiketune.report.summary import StudySummary
from spiketune.report.template import filled
from spiketune.report.writing import write_whole

# Key of the figure, heading, the sentence that explains it, the plot.
_Section = tuple[str, str, str, Callable[[StudySummary], go.Figure]]
_BEFORE: Final[tuple[_Section, ...]] = (
    (
        "pareto",
        "Objectives against each other",
        "Each point is a trial; those on the front are beaten by no other in every objective, and "
        "the ring marks the knee, the front's trial nearest to the best value of every objective. "
        "The view opens near the front; a double click shows all.",
        plots.pareto,
    ),
    (
        "history",
        "Progress",
        "Objective values in the order in which trials were asked for, and the best feasible value "
        "so far; the hypervolume grows whenever the front moves.",
        plots.history,
    ),
    (
        "importances",
        "Parameter importances",
        "Share of an objective's variance over the finished trials that each parameter explains "
        "(fANOVA).",
        plots.importances,
    ),
    (
        "slices",
        "Parameters one by one",
        "Where good values lie along each parameter; an empty end of a range could be cut off in "
        "the next search, a front at an end asks for a wider range.",
        plots.slices,
    ),
    (
        "parallel",
        "Whole configurations",
        "Each line is a finished trial through its parameters and objectives; lines of the front "
        "stand out.",
        plots.parallel_coordinates,
    ),
)
_AFTER: Final[tuple[_Section, ...]] = (
    (
        "curves",
        "Learning curves",
        "What trials reported on their way; pick the metric above the plot.",
        plots.curves,
    ),
    (
        "timeline",
        "Workers",
        "A bar for each attempt, coloured by how it ended; gaps are time in which a worker waited.",
        plots.timeline,
    ),
)
_SINGLE: Final = {"pareto"}  # for one objective the same as the progress


def write_page(summary: StudySummary, path: Path) -> Path:
    """Write the page of a study, replacing an older one in one step.

    Returns:
        The path written.

    Raises:
        InputError: If the file cannot be written.
    """
    return write_whole(path, page(summary))


def page(summary: StudySummary) -> str:
    """The page of a study as HTML."""
    figures = {key: plot(summary) for key, _, _, plot in _shown(summary)}
    notes = {key: f.layout.meta["note"] for key, f in figures.items() if f.layout.meta}
    document = {
        "figures": {
            key: json.loads(figure.to_json(), parse_float=rounded)
            for key, figure in figures.items()
            if key not in notes
        },
        "columns": columns(summary),
        "explore": _first_view(summary),
    }
    return filled(
        title=html.escape(summary.name),
        header=prose.header(summary) + prose.navigation(_headings(summary)),
        sections="\n".join([prose.winners(summary), *_sections(summary, notes)]),
        footer=prose.footer(summary),
        data=embedded(document),
    )


def _shown(summary: StudySummary) -> list[_Section]:
    one = len(summary.directions) == 1
    return [s for s in (*_BEFORE, *_AFTER) if not (one and s[0] in _SINGLE)]


def _headings(summary: StudySummary) -> list[tuple[str, str]]:
    before = [(key, title) for key, title, _, _ in _shown(summary)]
    cut = next(i for i, (key, _) in enumerate(before) if key == _AFTER[0][0])
    middle = [("explore", "Explore")] if summary.rows else []
    last = [("confirmed", "The best over seeds")] if summary.confirmation else []
    last += [("retrained", "Winners over seeds")] if summary.retrained else []
    return [
        *before[:cut],
        *middle,
        *before[cut:],
        *last,
        *([("all-trials", "All trials")] if summary.rows else []),
    ]


def _sections(summary: StudySummary, notes: Mapping[str, str]) -> list[str]:
    plotted = {
        key: prose.plot_section(key, title, text, notes.get(key))
        for key, title, text, _ in _shown(summary)
    }
    own = {
        "explore": prose.EXPLORE,
        "confirmed": prose.confirmed(summary),
        "retrained": prose.retrained(summary),
        "all-trials": prose.ALL_TRIALS,
    }
    return [{**plotted, **own}[key] for key, _ in _headings(summary)]


def _first_view(summary: StudySummary) -> dict[str, Any]:
    """What the explorer shows at first."""
    parameters = summary.parameters
    first = parameters[0] if parameters else "trial"
    if len(summary.objectives) > 1:
        return {"x": summary.objectives[1], "y": summary.objectives[0], "color": first}
    second = parameters[1] if len(parameters) > 1 else ""
    return {"x": first, "y": summary.objectives[0], "color": second}
