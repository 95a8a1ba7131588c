"""The template of every page, filled: opens offline, loads nothing."""

from __future__ import annotations

from importlib.resources import files
from string import Template

from plotly.offline import get_plotlyjs


def filled(*, title: str, header: str, sections: str, footer: str, data: str) -> str:
    """The page as HTML, with its style, its script and Plotly in it.

    Args:
        title: Of the document, as HTML.
        header: What stands above the sections, as HTML.
        sections: The sections, as HTML.
        footer: The last line, as HTML.
        data: What the script draws, as JSON that may stand inside a script element.
    """
    return Template(_resource("page.html")).substitute(
        title=title,
        css=_resource("page.css"),
        header=header,
        sections=sections,
        footer=footer,
        plotly=get_plotlyjs(),
        data=data,
        js=_resource("page.js"),
    )


def _resource(name: str) -> str:
    return (files("spiketune.report") / name).read_text(encoding="utf-8")
