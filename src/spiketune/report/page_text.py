"""The words and tables of the page, as escaped HTML."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from html import escape
from typing import Any, Final

from spiketune.report.summary import StudySummary
from spiketune.report.tables import cells, headings
from spiketune.report.wording import duration, number, share, text
from spiketune.space import Choice, Parameter

_TOP: Final = 20  # rows of the table of winners
_CAUTION: Final = (
    "These values chose their trial, so they flatter it: train winners again over fresh seeds "
    "before believing them."
)

EXPLORE: Final = """<section id="explore"><h2>Explore</h2>
<p class="caption">Any column against any other, coloured by a third; ranges zoom the axes, those of
the colour clip it.</p>
<form id="explore-form" class="controls">
<fieldset><legend>x</legend><select name="x" aria-label="column along x"></select>
<input class="end" name="x-low" placeholder="from" aria-label="x from">
<input class="end" name="x-high" placeholder="to" aria-label="x to">
<label><input type="checkbox" name="x-log"> log</label></fieldset>
<fieldset><legend>y</legend><select name="y" aria-label="column along y"></select>
<input class="end" name="y-low" placeholder="from" aria-label="y from">
<input class="end" name="y-high" placeholder="to" aria-label="y to">
<label><input type="checkbox" name="y-log"> log</label></fieldset>
<fieldset><legend>colour</legend><select name="color" aria-label="column of the colour"></select>
<input class="end" name="color-low" placeholder="from" aria-label="colour from">
<input class="end" name="color-high" placeholder="to" aria-label="colour to"></fieldset>
</form>
<div class="plot" id="explore-plot"></div></section>"""

ALL_TRIALS: Final = """<section id="all-trials"><h2>All trials</h2>
<p class="caption">Click a heading to sort; the box keeps trials that hold every word.</p>
<div class="controls"><input class="filter" id="trials-filter" type="search"
placeholder="filter, for example: silent adam" aria-label="filter trials">
<span class="soft" id="trials-count"></span>
<button class="plain" id="trials-more" type="button">show all</button></div>
<div class="scroll"><table id="trials"></table></div></section>"""


def header(summary: StudySummary) -> str:
    """Name of the study, what was searched, the facts in numbers, the space."""
    return (
        f"<h1>{escape(summary.name)}</h1>\n"
        f'<p class="lead">{_searched(summary)}</p>\n'
        f'<div class="facts">{"".join(_facts(summary))}</div>\n'
        f"<details><summary>The search space</summary>{_space_table(summary)}</details>\n"
    )


def navigation(sections: Sequence[tuple[str, str]]) -> str:
    """Links to the sections."""
    links = (f'<a href="#{key}">{escape(title)}</a>' for key, title in sections)
    return f"<nav>{' '.join(links)}</nav>"


def winners(summary: StudySummary) -> str:
    """The front or the best trials, with the recommendation."""
    many = len(summary.directions) > 1
    rows = summary.front if many else summary.ranked
    title = "The front" if many else "The best trials"
    if not rows:
        reason = "No feasible trial has finished yet." if summary.rows else "No trial yet."
        return f'<div class="card"><h2>{title}</h2><p class="caption">{reason}</p></div>'
    knee = summary.knee
    shown = rows[:_TOP]
    if knee is not None and knee not in shown:
        shown = [*shown[:-1], knee]
    lines = [cells(summary, row) for row in shown]
    marked = {k for k, row in enumerate(shown) if knee is not None and row.number == knee.number}
    more = f" {len(shown)} of {len(rows)} are shown." if len(rows) > len(shown) else ""
    if summary.constraint_names:
        more += " Constraints are shown as value minus bound: met at 0 and below."
    body = _table(headings(summary), lines, marked)
    return (
        f'<div class="card"><h2>{title}</h2><p class="caption">{_recommendation(summary)}{more}</p>'
        f'<div class="scroll">{body}</div></div>'
    )


def plot_section(key: str, title: str, explanation: str, note: str | None) -> str:
    """A section with one plot, or with a note that says why there is none."""
    plot = f'<div class="plot" data-figure="{key}"></div>'
    return (
        f'<section id="{key}"><h2>{escape(title)}</h2><p class="caption">{escape(explanation)}</p>'
        f"{plot if note is None else f'<p>{escape(note)}</p>'}</section>"
    )


def confirmed(summary: StudySummary) -> str:
    """The best trained again on the validation data: means and intervals."""
    if summary.confirmation is None:
        return ""
    chosen, searched = summary.confirmation.recommended, {r.number: r for r in summary.rows}
    titles = ["trial", "seeds"]
    for name in summary.objectives:
        titles += [name, "95 % interval", "in the search"]
    lines: list[list[str]] = []
    marked: set[int] = set()
    for candidate in summary.confirmation.candidates:
        line = [str(candidate.number), candidate.seeds_in_words]
        row = searched.get(candidate.number)
        for name in summary.objectives:
            if candidate.n_seeds:
                low, high = candidate.interval(name)
                line += [number(candidate.mean(name)), f"{number(low)} to {number(high)}"]
            else:
                line += ["", "; ".join(candidate.failures[:1])]
            line.append(number(row.objectives[name]) if row else "")
        if candidate is chosen:
            marked.add(len(lines))
        lines.append(line)
    return (
        '<section id="confirmed"><h2>The best over seeds</h2><p class="caption">The best '
        "configurations trained again with fresh seeds, on the validation data: mean and Student's "
        f"t interval of the mean. {escape(summary.confirmed)}</p>"
        f'<div class="scroll">{_table(titles, lines, marked)}</div></section>'
    )


def retrained(summary: StudySummary) -> str:
    """Winners trained again: mean and standard deviation over seeds."""
    wanted = ["test_accuracy", *summary.objectives]
    there = dict.fromkeys(name for record in summary.retrained for name in record["metrics"])
    names = [name for name in wanted if name in there] or list(there)
    lines = [
        [str(record["label"]), str(len(record["seeds"]))]
        + [_over_seeds(record["metrics"].get(name, ())) for name in names]
        for record in summary.retrained
    ]
    return (
        '<section id="retrained"><h2>Winners over seeds</h2><p class="caption">Configurations '
        "trained again with fresh seeds: mean ± standard deviation. Nothing else on this page "
        "comes from the test split.</p>"
        f'<div class="scroll">{_table(["configuration", "seeds", *names], lines)}</div></section>'
    )


def footer(summary: StudySummary) -> str:
    """Versions, seed and git state."""
    facts = [
        f"{key}: {_flat(value)}"
        for key, value in summary.provenance.items()
        if value not in (None, "") and not key.startswith("base_folder")
    ]
    return f"<p>{' · '.join(map(escape, facts))}</p>"


def _searched(summary: StudySummary) -> str:
    goals = " and ".join(f"{name} ({way})" for name, way in summary.directions.items())
    bounds = f", subject to {', '.join(summary.constraints)}" if summary.constraints else ""
    sentence = (
        f"Searched {len(summary.space)} parameters for {goals}{bounds}, "
        f"with the sampler {summary.sampler}. Budget: {summary.budget}."
    )
    return escape(" ".join(filter(None, [sentence, summary.probed])))


def _facts(summary: StudySummary) -> list[str]:
    states = ", ".join(f"{count} {state}" for state, count in summary.n_by_state.items())
    facts = [
        (str(len(summary.rows)), f"trials: {states}" if states else "trials"),
        (duration(summary.cost_s), "of work, all workers together"),
        (duration(summary.wall_s), f"from start to end, in {_sessions(len(summary.sessions))}"),
        (share(summary.utilisation), "of the workers' time in use"),
        (share(summary.lost_share), "of the work in silent and failed trials"),
        (_times(len(summary.test_openings)), "the test split was opened"),
    ]
    return [f'<div class="fact"><b>{escape(v)}</b><span>{escape(w)}</span></div>' for v, w in facts]


def _sessions(n: int) -> str:
    return {0: "no session", 1: "one session"}.get(n, f"{n} sessions")


def _times(n: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(n, f"{n} times")


def _recommendation(summary: StudySummary) -> str:
    knee = summary.knee
    if knee is None:
        return ""
    values = ", ".join(f"{name} {number(knee.objectives[name])}" for name in summary.objectives)
    caution = _CAUTION if summary.confirmation is None else summary.confirmed
    if len(summary.directions) == 1:
        return escape(f"Trial {knee.number} is the best: {values}. {caution}")
    return escape(f"Trial {knee.number} is the knee, a good first pick: {values}. {caution}")


def _space_table(summary: StudySummary) -> str:
    if not summary.space:
        return '<p class="soft">Nothing is searched.</p>'
    lines = [
        [name, *_described(parameter), "sometimes" if summary.space.is_conditional(name) else ""]
        for name, parameter in summary.space.items()
    ]
    rules = "".join(f"<p>Required: {escape(rule.text)}</p>" for rule in summary.space.require)
    titles = ["parameter", "kind", "range", "scale", "active"]
    return f'<div class="scroll">{_table(titles, lines)}</div>{rules}'


def _described(parameter: Parameter) -> tuple[str, str, str]:
    if isinstance(parameter, Choice):
        return "choice", ", ".join(map(text, parameter.options)), ""
    kind = type(parameter).__name__.lower()
    return kind, f"{number(parameter.low)} to {number(parameter.high)}", parameter.scale


def _over_seeds(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{number(statistics.fmean(values))} ± {number(spread)}"


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(inner)}" for key, inner in value.items() if inner)
    return str(value)


def _table(
    titles: Sequence[str], lines: Sequence[Sequence[str]], marked: set[int] | None = None
) -> str:
    numeric = [all(_is_number(line[c]) for line in lines) for c in range(len(titles))]
    kinds = [' class="number"' if right else "" for right in numeric]
    head = "".join(f"<th{k}>{escape(t)}</th>" for k, t in zip(kinds, titles, strict=True))
    body = []
    for i, line in enumerate(lines):
        inner = "".join(f"<td{k}>{escape(v)}</td>" for k, v in zip(kinds, line, strict=True))
        body.append(f"<tr{' class=knee' if i in (marked or ()) else ''}>{inner}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _is_number(shown: str) -> bool:
    try:
        float(shown.split(" ± ")[0] or 0)
    except ValueError:
        return False
    return True
