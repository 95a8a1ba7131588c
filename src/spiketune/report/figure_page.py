"""One HTML page of plots with a sentence each: opens offline, loads nothing."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from spiketune.report import page_text as prose
from spiketune.report.page_data import embedded, rounded
from spiketune.report.template import filled
from spiketune.report.writing import write_whole


@dataclass(frozen=True, slots=True)
class Section:
    """A plot on the page.

    Attributes:
        key: Names it in links.
        title: Its heading.
        caption: The sentence that explains it.
        figure: The plot.
    """

    key: str
    title: str
    caption: str
    figure: go.Figure


def figure_page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The page as HTML.

    Args:
        title: Its heading.
        lead: What it is about, as text.
        sections: The plots.
    """
    document = {
        "figures": {s.key: json.loads(s.figure.to_json(), parse_float=rounded) for s in sections},
        "columns": [],
    }
    plots = [prose.plot_section(s.key, s.title, s.caption, None) for s in sections]
    heading = f'<h1>{html.escape(title)}</h1>\n<p class="lead">{html.escape(lead)}</p>\n'
    links = prose.navigation([(s.key, s.title) for s in sections])
    return filled(
        title=html.escape(title),
        header=heading + links,
        sections="\n".join(plots),
        footer="Made by spiketune.",
        data=embedded(document),
    )


def write_figures(path: Path, title: str, lead: str, sections: Sequence[Section]) -> Path:
    """Write the page, replacing an older one in one step.

    Returns:
        The path written.

    Raises:
        InputError: If the file cannot be written.
    """
    return write_whole(path, figure_page(title, lead, sections))
