"""Verbs on a grid study read as a sweep: sweep-table, sweep-plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from spiketune.api import Study
from spiketune.cli.arguments import Json, StudyPath
from spiketune.cli.output import out, print_json, say
from spiketune.errors import InputError, UnknownNameError
from spiketune.report.wording import number, text
from spiketune.study.over_seeds.sweeps import (
    STATISTICS,
    Swept,
    epoch_table,
    seed_parameter,
    statistics_of,
    swept,
    table,
)
from spiketune.study.records.output_times import sorted_output_times

_METRICS = ("validation_error", "train_error", "n_parameters")
_SHOWN = ("mean", "std", "median", "q25", "q75")
Over = Annotated[
    str | None,
    typer.Option(metavar="PARAMETER", help="Sum up over this parameter; `seed` if not given."),
]


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.command("sweep-table", rich_help_panel="Search")(sweep_table)
    app.command("sweep-plot", rich_help_panel="Search")(sweep_plot)


def sweep_table(
    path: StudyPath,
    over: Over = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="What to sum up; repeatable. `..._error` is 1 minus the accuracy."),
    ] = None,
    by_epoch: Annotated[
        bool, typer.Option("--by-epoch", help="A line per configuration and epoch.")
    ] = False,
    output_times: Annotated[
        bool,
        typer.Option(
            "--output-times",
            help="Mean times of the first, second, ... output spike (`keep: {checkpoints: all}`).",
        ),
    ] = False,
    metadata: Annotated[
        bool, typer.Option("--metadata", help="Trial numbers, folder, seconds, versions.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a CSV file instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Sum up every configuration of a grid study over its seeds.

    Mean, standard deviation, median and quartiles of the error, and the number of parameters,
    best configuration first; seeds without a finished run are listed.

    Example: [bold]spiketune sweep-table runs/yin-yang-sweep -o sweep.csv[/bold]
    """
    study = Study(path)
    found = _swept(study, over)
    metrics = list(metric or _METRICS)
    _check_metrics(found, metrics, given=metric is not None)
    if by_epoch:
        lines = epoch_table(found, [m for m in metrics if m != "n_parameters"])
    else:
        lines = table(found, metrics)
        for line in lines:
            own = next(c for c in found if all(line.get(k) == v for k, v in c.params.items()))
            if output_times:
                line |= _output_times(study, own)
            if metadata:
                line |= _metadata(study, own)
    if output is not None:
        _write_csv(lines, output)
        say(str(output))
    elif json:
        print_json(lines)
    else:
        out().print(_terminal_table(lines, metrics))
    missing = [(one.params, one.missing) for one in found if one.missing]
    for params, seeds in missing:
        named = ", ".join(f"{name} {text(value)}" for name, value in params.items())
        gone = ", ".join(text(seed) for seed in seeds if seed is not None)
        say(f"missing: {named or 'the configuration'}{': ' + gone if gone else ''}")
    if missing:
        say(f"go on with: spiketune resume {path}")


def sweep_plot(
    path: StudyPath,
    over: Over = None,
    along: Annotated[
        str | None,
        typer.Option(metavar="PARAMETER", help="Along x; the first numeric one if not given."),
    ] = None,
    line: Annotated[
        str | None,
        typer.Option(metavar="PARAMETER", help="A line per value; the first one not numeric."),
    ] = None,
    metric: Annotated[str, typer.Option(help="Along y; shares in percent.")] = "validation_error",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file; sweep.html in the study.")
    ] = None,
) -> None:
    """Draw the error of a grid study against a parameter, the network's size, and epochs.

    Median and quartiles over seeds, one line per kind; or `--metric` instead of the error.

    Example: [bold]spiketune sweep-plot runs/yin-yang-sweep --along neurons --line delay[/bold]
    """
    from spiketune.report.figure_page import Section, write_figures
    from spiketune.report.plots import sweeping

    study = Study(path)
    found = _swept(study, over)
    for name in (along, line):
        if name is not None and name not in study.configuration.space:
            raise UnknownNameError("parameter", name, study.configuration.space)
    if along is not None:
        values = [one.params[along] for one in found if along in one.params]
        if not sweeping.are_numbers(values):
            raise InputError(
                f"--along {along}: wants a parameter of numbers, and its values are "
                f"{', '.join(dict.fromkeys(map(text, values)))}; `--line {along}` draws a line each"
            )
    _check_metrics(found, [metric], given=True)
    x = along or sweeping.numeric_parameter(found)
    kind = line or sweeping.kind_parameter(found)
    caption = "Median and quartiles over seeds."
    sections = [
        Section(
            "size",
            "Against the number of parameters",
            caption,
            sweeping.metric_against(found, metric, "n_parameters", kind),
        ),
        Section(
            "epochs",
            "Over the epochs",
            caption,
            sweeping.metric_over_epochs(found, metric, x, kind),
        ),
    ]
    if x is not None:
        against = sweeping.metric_against(found, metric, x, kind)
        sections.insert(0, Section("parameter", f"Against {x}", caption, against))
    n_done = sum(len(one.rows) for one in found)
    lead = f"{n_done} runs of {len(found)} configurations: {metric}"
    page = write_figures(output or study.path / "sweep.html", study.section.name, lead, sections)
    say(str(page))


def _swept(study: Study, over: str | None) -> list[Swept]:
    space = study.configuration.space
    unbounded = [name for name, parameter in space.items() if parameter.n_values is None]
    if unbounded:
        raise InputError(
            f"{study.path}: '{unbounded[0]}' is a range without steps; a sweep is a study whose "
            "ranges are all `{grid: [...]}`, with `sampler: {name: grid}`"
        )
    found = swept(study.rows(), space, seed_parameter(space, over))
    if not any(one.rows for one in found):
        raise InputError(f"{study.path}: no run is finished yet; see `spiketune status`")
    return found


def _check_metrics(found: list[Swept], metrics: list[str], *, given: bool) -> None:
    """Refuse a metric asked for that no run has; a usual one is left out."""
    for metric in list(metrics):
        if any(one.values(metric) for one in found):
            continue
        if given:
            known = dict.fromkeys(name for one in found for row in one.rows for name in row.metrics)
            raise UnknownNameError("metric", metric, known)
        metrics.remove(metric)


def _output_times(study: Study, one: Swept) -> dict[str, float]:
    told = [sorted_output_times(study.folder, study.configuration, row) for row in one.rows]
    ranks = zip(*told, strict=True)
    found: dict[str, float] = {}
    for rank, values in enumerate(ranks, start=1):
        found |= statistics_of(f"output_time_{rank}", [v for v in values if v == v])
    return found


def _metadata(study: Study, one: Swept) -> dict[str, Any]:
    versions = study.summary().provenance.get("versions", {})
    return {
        "trials": [row.number for row in one.rows],
        "folder": str(study.path),
        **statistics_of("cost_s", [row.cost_s for row in one.rows]),
        "spiketune": versions.get("spiketune"),
    }


def _write_csv(lines: list[dict[str, Any]], path: Path) -> None:
    import pandas as pd

    try:
        pd.DataFrame(lines).to_csv(path, index=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _terminal_table(lines: list[dict[str, Any]], metrics: list[str]) -> Table:
    """The statistics that fit a terminal; CSV and JSON hold all."""
    ends = {f"{metric}_{key}": (metric, key) for metric in metrics for key in STATISTICS}
    names = dict.fromkeys(name for line in lines for name in line)
    shown = [name for name in names if name not in ends or _is_shown(*ends[name])]
    if not any(line.get("missing") for line in lines):
        shown = [name for name in shown if name != "missing"]
    heads = [name if name not in ends else _heading(*ends[name]) for name in shown]
    listed = Table(*heads, box=None)
    for column in listed.columns:
        column.justify = "right"
    for line in lines:
        cells = [line.get(name) for name in shown]
        listed.add_row(*(number(c) if isinstance(c, float) else _cell(c) for c in cells))
    return listed


def _is_shown(metric: str, key: str) -> bool:
    return key == "mean" if metric == "n_parameters" else key in _SHOWN


def _heading(metric: str, key: str) -> str:
    """The metric over its mean, and the name of the statistic alone over what follows."""
    return metric if key == "mean" else key


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else text(value)
