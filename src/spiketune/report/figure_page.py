"""One HTML page of plots with a sentence each: opens offline, loads nothing."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from spiketune.errors import InputError
from spiketune.report import page_text as prose
from spiketune.report.page_data import embedded, rounded


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
    return Template(_resource("page.html")).substitute(
        title=html.escape(title),
        css=_resource("page.css"),
        header=heading + links,
        sections="\n".join(plots),
        footer="Made by spiketune.",
        plotly=get_plotlyjs(),
        data=embedded(document),
        js=_resource("page.js"),
    )


def write_figures(path: Path, title: str, lead: str, sections: Sequence[Section]) -> Path:
    """Write the page, replacing an older one in one step.

    Returns:
        The path written.

    Raises:
        InputError: If the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(figure_page(title, lead, sections), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def _resource(name: str) -> str:
    return (files("spiketune.report") / name).read_text(encoding="utf-8")
