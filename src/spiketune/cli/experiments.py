"""Verbs on a run: continue, inference, evaluate."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from spiketune.cli.arguments import Epoch, Json, Plot, RunPath, Snapshots, Source
from spiketune.cli.output import out, print_json, say
from spiketune.cli.trainings import epochs_in, go
from spiketune.config.loading import without_parameters
from spiketune.errors import InputError
from spiketune.runs import RunFolder, rewind
from spiketune.study.preparing import prepare
from spiketune.study.records.stored_tests import StoredTest, stored_tests
from spiketune.trained import trained_network

if TYPE_CHECKING:
    from spiketune.objectives.measuring import Trained


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    app.command("continue", rich_help_panel="Train")(continue_)
    app.command("inference", rich_help_panel="Train")(inference)
    app.command("evaluate", rich_help_panel="Train")(evaluate)


def continue_(
    run: RunPath,
    start: Annotated[
        int | None,
        typer.Option("--from", min=0, help="Epoch of a snapshot; where it got to if not given."),
    ] = None,
    snapshots: Snapshots = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs in all, the first ones included.")
    ] = None,
    plot: Plot = False,
    json: Json = False,
) -> None:
    """Go on with a training from a snapshot, as if it had never stopped.

    Without --epochs it trains as far as it was to, or up to the last of --snapshots.

    Example: [bold]spiketune continue runs/mine --from 100 --snapshots 150,200[/bold]
    """
    folder = RunFolder(run)
    wanted = epochs_in(snapshots) if snapshots is not None else []
    before = folder.configuration.trial.get("training") or {}
    configuration = rewind(folder, start, epochs=epochs, snapshots=wanted)
    after = configuration.trial["training"]
    scheduler = after.get("scheduler") or {}
    if scheduler.get("name") == "cosine" and before.get("epochs") != after["epochs"]:
        say(
            "note: a cosine learning rate depends on the number of epochs: from here on it is that "
            f"of a training of {after['epochs']}"
        )
    prepare(configuration)
    go(configuration, folder, folder.seed, plot=plot, json=json)


def inference(
    source: Source,
    epoch: Epoch = None,
    repeat: Annotated[
        int, typer.Option(min=1, help="Measure so often; encodings and noise are drawn anew.")
    ] = 1,
    split: Annotated[
        Literal["validation", "test"],
        typer.Option(help="`test` shows what `retrain` stored, and opens nothing."),
    ] = "validation",
    json: Json = False,
) -> None:
    """Load a trained network and measure it.

    Example: [bold]spiketune inference yin-yang-h30-ws --repeat 10[/bold]
    """
    seconds: list[float] = []
    if split == "test":
        values = {"accuracy": _stored_accuracies(source)}
    else:
        values, seconds = _measured(source, epoch, repeat)
    found: dict[str, Any] = {"source": source, "split": split, "metrics": values}
    if seconds:
        found["seconds"] = seconds
    if json:
        print_json(found)
        return
    out().print(_table(values))
    if seconds:
        say(f"{1000 * min(seconds):.1f} ms for the {split} split, at best")


def evaluate(
    source: Source,
    epoch: Epoch = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the pages; the run's.")
    ] = None,
    json: Json = False,
) -> None:
    """Draw what a trained network tells, when its neurons spike, and what it learned.

    Writes `evaluation-validation.html`, and for each network that `retrain` measured on the
    test split `evaluation-test-<k>.html`, from what is stored.

    Example: [bold]spiketune evaluate runs/mine[/bold]
    """
    from spiketune.objectives.measuring import inspect
    from spiketune.report.networks.page import write_network_page
    from spiketune.report.networks.record import NetworkRecord

    path, trained = Path(source), load_trained(source, epoch)
    is_run = path.is_dir()
    place = output or (path if is_run else path.parent if path.is_file() else Path())
    arrays = inspect(trained, RunFolder(path).snapshots if is_run else None)
    record = NetworkRecord(arrays, trained.history)
    pages = [
        write_network_page(record, place / "evaluation-validation.html", path.name, "validation")
    ]
    for number, stored in enumerate(_stored(path) if is_run and epoch is None else []):
        pages.append(
            write_network_page(
                NetworkRecord(stored.arrays),
                place / f"evaluation-test-{number}.html",
                f"{path.name}, retrained, {stored.folder.name}",
                "test",
            )
        )
    if json:
        print_json({"source": source, "pages": [str(page) for page in pages]})
    else:
        for page in pages:
            say(str(page))


def _stored(run: Path) -> list[StoredTest]:
    """What is stored of the test split, which may be nothing."""
    return stored_tests(run) if (run / "retrain").exists() else []


def _measured(
    source: str, epoch: int | None, repeat: int
) -> tuple[dict[str, list[float]], list[float]]:
    from spiketune.objectives.measuring import measure

    measured = list(measure(load_trained(source, epoch), repeat))
    names = measured[0][0]
    values = {name: [float(metrics[name]) for metrics, _ in measured] for name in names}
    return values, [seconds for _, seconds in measured]


def load_trained(source: str, epoch: int | None) -> Trained:
    """The network of a run, of a file, or one that comes with the package.

    Raises:
        InputError: If there is none.
    """
    from spiketune.objectives.measuring import from_checkpoint, from_network_file

    path = Path(source)
    if path.is_dir():
        run = RunFolder(path)
        section = without_parameters(run.configuration.trial)
        if "network" not in section:
            raise InputError(f"{path}: is the run of a function; there is no network to load")
        return from_checkpoint(section, run.at(epoch), run.seed)
    if epoch is not None:
        raise InputError(f"--epoch {epoch}: only a run has snapshots")
    return from_network_file(path if path.is_file() else trained_network(source).path)


def _stored_accuracies(source: str) -> list[float]:
    path = Path(source)
    if not path.is_dir():
        return [float(trained_network(source).facts["test_accuracy"])]
    return [stored.accuracy for stored in stored_tests(path)]


def _table(values: dict[str, list[float]]) -> Table:
    table = Table("metric", "mean", "std", "n", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, numbers in values.items():
        spread = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
        table.add_row(name, f"{statistics.fmean(numbers):.6g}", f"{spread:.3g}", str(len(numbers)))
    return table
