"""Verbs on a study: run, resume, status, best, report, export, dashboard."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from spiketune.api import Study, create
from spiketune.cli.arguments import Json, New, Overrides, StudyPath, TextOutput, folder_named
from spiketune.cli.checks import confirmed_as_json
from spiketune.cli.output import out, print_json, row_as_json, say
from spiketune.config.loading import load
from spiketune.config.study import seconds
from spiketune.errors import ConfigError, InputError
from spiketune.study.feasibility import closest_in_words
from spiketune.study.over_seeds.sweeps import n_combinations
from spiketune.study.records.folder import dated_sibling
from spiketune.study.records.lock import StudyLock
from spiketune.study.records.results import TrialRow, eligible, front, hypervolume, ranked

_WATCH_S = 2.0
_MOST_TRIALS = 10**9
_ENDINGS = {
    "budget": "the budget is spent",
    "time": "the time budget is spent",
    "interrupted": "interrupted; nothing is lost",
    "exhausted": "every combination was tried",
    "failing": "every trial failed in the same way",
    "unsatisfiable": "no configuration met `study.require` with kernels that fit their input",
}


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    panel = "Search"
    app.command("run", rich_help_panel=panel)(run)
    app.command("resume", rich_help_panel=panel)(resume)
    app.command("status", rich_help_panel=panel)(status)
    app.command("best", rich_help_panel=panel)(best)
    app.command("report", rich_help_panel=panel)(report)
    app.command("export", rich_help_panel=panel)(export)
    app.command("dashboard", rich_help_panel=panel)(dashboard)


def run(
    source: Annotated[str, typer.Argument(metavar="FILE|RECIPE", help="A YAML file, or a recipe.")],
    overrides: Overrides = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            parser=folder_named,
            metavar="PATH",
            help="Folder of the study; runs/<its name> if not given.",
        ),
    ] = None,
    new: New = False,
    json: Json = False,
) -> None:
    """Start a search and end with the best trade-offs found.

    The file describes a network, a Python function (`function:`), or any program (`command:`).

    Ctrl-C once: workers write checkpoints, everything is stored, `resume` goes on.

    Example: [bold]spiketune run quickstart --set study.budget.trials=10[/bold]
    """
    configuration = load(source, overrides or ())
    if configuration.study is None:
        raise ConfigError("study", f"missing in {source}; a file for one training is for `train`")
    path = folder or Path("runs") / configuration.study.name
    if new and path.exists():
        path = dated_sibling(path)
    study = create(configuration, path)
    say(f"study {study.path}: {len(configuration.space)} parameters, {_purpose(study)}")
    if why := study.why_this_sampler:
        say(why)
    _go(study, json)


def resume(
    path: StudyPath,
    add_trials: Annotated[
        int | None,
        typer.Option(
            min=1, max=_MOST_TRIALS, help="So many trials more; lifts a time budget that is spent."
        ),
    ] = None,
    add_time: Annotated[
        str | None,
        typer.Option(
            help="So much time more, such as 90m; lifts a number of trials that is spent."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Go on with a search that was interrupted, or that shall have more.

    Example: [bold]spiketune resume runs/quickstart --add-trials 20[/bold]
    """
    study = Study(path)
    if add_time is not None:
        _duration(add_time)
    if add_trials or add_time:
        study.extend(add_trials, add_time)
        say(f"budget: {study.budget}")
    _go(study, json)


def _duration(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise InputError(f"--add-time: {error}") from error


def _go(study: Study, json: bool) -> None:
    """Run a session, then print what was found."""
    study.run()
    session, rows = study.session, study.rows()
    reason = session.reason if session else "interrupted"
    if json:
        print_json({"ended": reason, **_as_json(study, rows)})
    else:
        out().print(_found(study, rows))
    say(_ENDINGS[reason])
    if session and session.first_failure and reason == "failing":
        say(f"the first failure was: {session.first_failure}")
    if reason in ("interrupted", "failing"):
        say(f"go on with: spiketune resume {study.path}")
    if reason == "time":
        say(f"go on with: spiketune resume {study.path} --add-time 10m")
    if rows and reason != "interrupted":
        _report(study)
    if eligible(rows) and reason in ("budget", "exhausted"):
        say(f"next: spiketune confirm {study.path}, then spiketune retrain {study.path} --seeds 5")
    succeeded = reason in ("budget", "time", "exhausted") and any(r.objectives for r in rows)
    raise typer.Exit(0 if succeeded else 1)


def _report(study: Study) -> None:
    try:
        say(f"report: {study.report()}")
    except KeyboardInterrupt:
        say(f"the report was not written; write it with: spiketune report {study.path}")
        raise


def status(
    path: StudyPath,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 2 s.")] = False,
    json: Json = False,
) -> None:
    """Say how a study stands, whether or not it is running.

    Example: [bold]spiketune status runs/quickstart --watch[/bold]
    """
    study = Study(path)
    if json:
        print_json(_status_as_json(study))
        return
    if not watch:
        out().print(_status_page(study))
        return
    with Live(_status_page(study), console=out(), auto_refresh=False) as live:
        while study.is_running():
            time.sleep(_WATCH_S)
            live.update(_status_page(study), refresh=True)


def best(
    path: StudyPath,
    pareto: Annotated[bool, typer.Option("--pareto", help="The whole front.")] = False,
    top: Annotated[int, typer.Option(min=1, help="How many, with one objective.")] = 5,
    any_fidelity: Annotated[
        bool, typer.Option(help="Count stopped and silent trials as well.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the best trials: the front, or the top ones with one objective.

    Only feasible trials at full fidelity count, unless asked otherwise.

    Example: [bold]spiketune best runs/quickstart --pareto[/bold]
    """
    study = Study(path)
    rows = study.rows()
    if pareto or len(study.directions) > 1:
        chosen = front(rows, study.directions, any_fidelity=any_fidelity)
    else:
        chosen = ranked(rows, study.directions, any_fidelity=any_fidelity)[:top]
    if json:
        print_json([_chosen_as_json(study, row) for row in chosen])
    elif chosen:
        out().print(_table(study, chosen))
        say(study.summary().confirmed)
    else:
        say(_nothing(rows))
    raise typer.Exit(0 if chosen else 1)


def report(
    path: StudyPath,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to.")] = None,
) -> None:
    """Write the report: one HTML file that opens without a network.

    Example: [bold]spiketune report runs/quickstart[/bold]
    """
    typer.echo(str(Study(path).report(output)))


def export(
    path: StudyPath,
    format_: Annotated[
        Literal["csv", "parquet", "json"], typer.Option("--format", help="csv, parquet or json.")
    ] = "csv",
    output: TextOutput = None,
) -> None:
    """Write all trials as a table.

    Example: [bold]spiketune export runs/quickstart --format csv -o trials.csv[/bold]
    """
    study = Study(path)
    if format_ == "json":
        _write(output, "[\n" + ",\n".join(_json_lines(study.rows())) + "\n]\n")
    elif format_ == "csv":
        _write(output, study.frame().to_csv(index=False))
    else:
        _write_parquet(study, output)


def dashboard(
    path: StudyPath,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8080,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
) -> None:
    """Open the study in optuna-dashboard (extra `dashboard`).

    Example: [bold]spiketune dashboard runs/quickstart[/bold]
    """
    from spiketune.study.records.storage import stock_storage

    try:
        from optuna_dashboard import run_server
    except ImportError:
        raise InputError(
            "optuna-dashboard is not installed; pip install 'spiketune[dashboard]'"
        ) from None
    study = Study(path)
    say(f"http://{host}:{port} (Ctrl-C ends it)")
    run_server(stock_storage(study.folder), host=host, port=port)


# What is printed.


def _purpose(study: Study) -> str:
    aims = ", ".join(f"{direction} {name}" for name, direction in study.directions.items())
    return f"{aims}; sampler {study.section.sampler.name}"


def _found(study: Study, rows: list[TrialRow]) -> RenderableType:
    several = len(study.directions) > 1
    chosen = front(rows, study.directions) if several else ranked(rows, study.directions)[:5]
    return _table(study, chosen) if chosen else Text(_nothing(rows))


def _table(study: Study, chosen: list[TrialRow]) -> Table:
    from spiketune.report.tables import trial_table

    title = "Front" if len(study.directions) > 1 else "Best"
    return trial_table(study.summary(), chosen, title)


def _nothing(rows: list[TrialRow]) -> str:
    if any(row.feasible for row in rows):
        return "no trial at full fidelity yet; see `--any-fidelity`"
    closest = closest_in_words(rows)
    if closest is None:
        return "no trial has ended with a result yet"
    return f"no feasible trial yet; {closest}"


def _counts(rows: list[TrialRow]) -> dict[str, int]:
    return dict(Counter(row.state for row in rows))


def _status_as_json(study: Study) -> dict[str, Any]:
    rows = study.rows()
    return {"running": study.is_running(), **_as_json(study, rows)}


def _as_json(study: Study, rows: list[TrialRow]) -> dict[str, Any]:
    several = len(study.directions) > 1
    chosen = front(rows, study.directions) if several else ranked(rows, study.directions)[:1]
    return {
        "study": str(study.path),
        "trials": _counts(rows),
        "budget": study.section.budget.model_dump(),
        "combinations": _grid_size(study),
        "hypervolume": hypervolume(rows, study.directions) if several else None,
        "best": [_chosen_as_json(study, row) for row in chosen],
    }


def _chosen_as_json(study: Study, row: TrialRow) -> dict[str, Any]:
    """A trial, and what it reached over fresh seeds if it was confirmed."""
    confirmation = study.confirmation()
    found = confirmation.of(row.number) if confirmation else None
    if confirmation is None or found is None:
        return {**row_as_json(row), "confirmed": None}
    return {**row_as_json(row), "confirmed": confirmed_as_json(confirmation, found)}


def _status_page(study: Study) -> RenderableType:
    rows = study.rows()
    counts = _counts(rows)
    alive = study.is_running()
    running = [row for row in rows if row.state == "running"]
    lines = [
        Text(f"{study.path}  ({_purpose(study)})", style="bold"),
        Text(
            f"running now ({StudyLock.holder(study.folder.lock)})"
            if alive
            else f"not running; `spiketune resume {study.path}` goes on"
        ),
        Text(" · ".join(f"{state} {n}" for state, n in sorted(counts.items())) or "no trial yet"),
        Text(f"budget: {study.summary().budget}"),
    ]
    if (n_grid := _grid_size(study)) is not None:
        done = len({str(sorted(row.params.items())) for row in rows if row.full})
        lines.append(Text(f"combinations: {done} of {n_grid} finished"))
    summary = study.summary()
    lines += [Text(words) for words in (summary.confirmed, summary.probed) if words]
    if running:
        numbers = ", ".join(str(row.number) for row in running)
        lines.append(Text(f"{'at work on' if alive else 'to be repeated:'} trials {numbers}"))
    return Group(*lines, _found(study, rows))


def _grid_size(study: Study) -> int | None:
    """How many combinations a grid study has; None for other samplers."""
    if study.section.sampler.name != "grid":
        return None
    levels = study.section.sampler.options.get("levels")
    return n_combinations(study.configuration.space, levels)


def _json_lines(rows: list[TrialRow]) -> list[str]:
    import json

    return [json.dumps(row_as_json(row)) for row in rows]


def _write(output: Path | None, text: str) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from error
    say(f"wrote {output}")


def _write_parquet(study: Study, output: Path | None) -> None:
    if output is None:
        raise InputError("--format parquet needs --output")
    try:
        study.frame().to_parquet(output, index=False)
    except ImportError:
        raise InputError("parquet needs an extra; pip install 'spiketune[parquet]'") from None
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from error
    say(f"wrote {output}")
