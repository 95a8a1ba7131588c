"""Verbs on single trainings: train, retrain."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from spiketune.api import Study
from spiketune.cli.arguments import Json, New, Overrides, Plot, Snapshots, folder_named
from spiketune.cli.output import out, print_json, say
from spiketune.config.loading import Configuration, load, without_parameters
from spiketune.errors import ConfigError, InputError, StudyExistsError
from spiketune.messages import Failure, Message, Report, Result
from spiketune.report.live_chart import LiveChart
from spiketune.runs import RunFolder, is_study, train_once
from spiketune.study.over_seeds.retraining import Retrained, refuse_if_all_failed
from spiketune.study.over_seeds.trainings import Candidate
from spiketune.study.over_seeds.winners import retrain_sections
from spiketune.study.preparing import prepare
from spiketune.study.records.folder import dated_sibling, now_text, write_atomically

_SHOWN = ("test_accuracy", "validation_accuracy", "spikes_per_sample", "silent_share", "cost_s")


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.command("train", rich_help_panel="Train")(train)
    app.command("retrain", rich_help_panel="Train")(retrain)


def train(
    source: Annotated[str, typer.Argument(metavar="FILE|RECIPE", help="A file without ranges.")],
    overrides: Overrides = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            parser=folder_named,
            metavar="PATH",
            help="Folder of the run; runs/<file name> if not given.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of weights and order; 0 if the file has none.")
    ] = None,
    snapshots: Snapshots = None,
    plot: Plot = False,
    new: New = False,
    json: Json = False,
) -> None:
    """Train one network, with every leaf of the file fixed.

    Ctrl-C writes a checkpoint; the same command goes on from it.

    `--snapshots 0,10,100` keeps the training as it stands after those epochs; `--plot` draws
    accuracies into an HTML file while it runs, which a browser follows.

    Example: [bold]spiketune train mine.yaml --set trial.training.epochs=3 --plot[/bold]
    """
    given = list(overrides or ())
    if snapshots is not None:
        given.append(f"trial.training.snapshots={epochs_in(snapshots)}")
    configuration = load(source, given)
    if seed is not None and configuration.kind == "network":
        configuration = load(source, [*given, f"trial.seed={seed}"])
    _refuse_ranges(configuration)
    path = folder or Path("runs") / Path(source).stem
    if new and path.exists():
        path = dated_sibling(path)
    run = RunFolder(path)
    if run.result is not None:
        raise StudyExistsError(f"{path}: is finished already; start a dated sibling with `--new`")
    prepare(configuration)
    go(configuration, run, configuration.trial.get("seed") or seed or 0, plot=plot, json=json)


def go(configuration: Configuration, run: RunFolder, seed: int, *, plot: bool, json: bool) -> None:
    """Train to the end and print what came of it; exit status 1 where it did not end."""
    chart = LiveChart(run.path / "live.html", run.path.name) if plot else None
    if chart is not None:
        say(f"live plot: {chart.path}")

    def listen(report: Report) -> None:
        say(_line(report))
        if chart is not None:
            chart.add(report)

    end = train_once(configuration, run, seed, listen)
    path = run.path
    if chart is not None:
        chart.finish()
    if isinstance(end, Failure):
        say(f"{end.kind}: {end.message}")
        if end.kind == "preempted":
            say("go on with the same command")
        raise typer.Exit(1)
    if json:
        print_json({"run": str(path), "ended": end.ended, "metrics": dict(end.metrics)})
    else:
        out().print(_metrics_table(end))
        say(f"{end.ended}; run folder: {path}")


def retrain(
    target: Annotated[
        str, typer.Argument(metavar="FILE|RUN|STUDY", help="A file, or a run or study folder.")
    ],
    trial: Annotated[
        str, typer.Option(help="Of a study: best, knee, front or a trial number.")
    ] = "best",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings with fresh seeds.")] = 5,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Train a chosen configuration again over seeds, and measure it on the test split.

    This is the only door to the test split; each opening is on record. What an interrupted
    call finished is not repeated.

    Example: [bold]spiketune retrain runs/quickstart --trial knee --seeds 5[/bold]
    """
    if is_study(Path(target)):
        if overrides:
            raise InputError("--set does not go with a study; retrain a file, or one of its trials")
        found = Study(target).retrain(trial, seeds=seeds, listen=_listen)
        place = Path(target) / "retrain"
    else:
        found, place = _retrain_file(target, seeds, overrides or [])
    if json:
        print_json([one.as_record() for one in found])
    else:
        out().print(_retrained_table(found))
        say(f"weights and predictions: {place}")
    lost = [one.loss_in_words for one in found if one.loss_in_words]
    for words in lost:
        say(f"error: {words}")
    raise typer.Exit(1 if lost else 0)


def _retrain_file(target: str, seeds: int, overrides: list[str]) -> tuple[list[Retrained], Path]:
    path = Path(target)
    source = RunFolder(path).configuration_file if path.is_dir() else path
    configuration = load(source if path.is_dir() else target, overrides)
    _refuse_ranges(configuration)
    prepare(configuration)
    place = (path if path.is_dir() else Path("runs") / path.stem) / "retrain"
    reason = f"retrain {target} over {seeds} seeds"
    section = without_parameters(configuration.trial)
    place.mkdir(parents=True, exist_ok=True)
    with (place / "test-openings.jsonl").open("a", encoding="utf-8") as record:
        record.write(json_module.dumps({"reason": reason, "opened_at": now_text()}) + "\n")
    candidates = [Candidate("run", section)]
    found = retrain_sections(candidates, seeds, place, configuration, reason=reason, listen=_listen)
    records = [one.as_record() for one in found]
    write_atomically(place / "retrained.json", json_module.dumps(records, indent=2))
    refuse_if_all_failed(found)
    return found, place


def epochs_in(text: str) -> list[int]:
    """The epochs of an option such as `0,10,100`.

    Raises:
        InputError: If it is no such list.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise InputError(f"--snapshots {text}: must be epochs such as 0,10,100")
    return sorted({int(part) for part in parts})


def _refuse_ranges(configuration: Configuration) -> None:
    if len(configuration.space):
        names = ", ".join(list(configuration.space)[:5])
        raise ConfigError(
            "trial", f"has ranges ({names}); `spiketune run` searches them, or fix each with --set"
        )


def _listen(label: str, seed: int, message: Message) -> None:
    if isinstance(message, Result):
        known = {k: message.metrics[k] for k in _SHOWN if k in message.metrics}
        values = known or message.metrics
        say(f"{label} seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in values.items()))
    elif isinstance(message, Failure):
        say(f"{label} seed {seed}: {message.kind}: {message.message}")


def _line(report: Report) -> str:
    values = ", ".join(f"{name} {value:.4g}" for name, value in report.metrics.items())
    return f"epoch {report.fidelity:g}: {values}"


def _metrics_table(result: Result) -> Table:
    table = Table("metric", "value", box=None)
    table.columns[1].justify = "right"
    for name, value in result.metrics.items():
        table.add_row(name, f"{value:.6g}")
    for name, value in result.constraints.items():
        table.add_row(f"constraint {name}", f"{value:.6g}")
    return table


def _retrained_table(found: list[Retrained]) -> Table:
    table = Table("configuration", "metric", "mean", "std", "sem", "min", "max", "seeds", box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for one in found:
        shown: list[Any] = list(_SHOWN if set(_SHOWN) <= set(one.metrics) else one.metrics)
        for name in shown:
            values = one.metrics[name]
            numbers = (one.mean(name), one.std(name), one.sem(name), min(values), max(values))
            table.add_row(one.label, name, *(f"{n:.4f}" for n in numbers), one.seeds_in_words)
        if not shown:
            table.add_row(one.label, *[""] * 6, one.seeds_in_words)
    return table
