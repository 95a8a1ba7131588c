"""Verbs that tell: recipes, datasets, doctor."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from spiketune.cli.arguments import Json
from spiketune.cli.output import out, print_json, say
from spiketune.config.checking import check
from spiketune.config.loading import recipe_text, recipes
from spiketune.config.training import Dataset
from spiketune.errors import InputError

_PACKAGES = ("spiketune", "torch", "optuna", "numpy", "numba", "snntorch", "optuna-dashboard")

recipes_app = typer.Typer(help="Ready-made searches.", no_args_is_help=True)
datasets_app = typer.Typer(help="Data sets and where they lie.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these verbs."""
    panel = "Find out"
    app.add_typer(recipes_app, name="recipes", rich_help_panel=panel)
    app.add_typer(datasets_app, name="datasets", rich_help_panel=panel)
    app.command("doctor", rich_help_panel=panel)(doctor)


@recipes_app.command("list")
def list_recipes(json: Json = False) -> None:
    """List the recipes that come with the package.

    Example: [bold]spiketune recipes list[/bold]
    """
    if json:
        print_json(recipes())
        return
    table = Table("recipe", "what it searches", box=None)
    for name, text in recipes().items():
        table.add_row(name, text)
    out().print(table)


@recipes_app.command("show")
def show_recipe(name: str) -> None:
    """Print a recipe.

    Example: [bold]spiketune recipes show quickstart[/bold]
    """
    typer.echo(recipe_text(name), nl=False)


@recipes_app.command("copy")
def copy_recipe(
    name: str,
    target: Annotated[Path | None, typer.Argument(help="File; ./<name>.yaml if not given.")] = None,
) -> None:
    """Copy a recipe to edit it.

    Example: [bold]spiketune recipes copy quickstart mine.yaml[/bold]
    """
    path = target or Path(f"{name}.yaml")
    if path.exists():
        raise InputError(f"{path}: exists already; give another name")
    try:
        path.write_text(recipe_text(name), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    say(f"wrote {path}; run it with: spiketune run {path}")


@datasets_app.command("list")
def list_datasets(json: Json = False) -> None:
    """List the data sets there are.

    Example: [bold]spiketune datasets list[/bold]
    """
    from spiketune.data.registry import datasets

    known = {name: data_set.summary for name, data_set in datasets().items()}
    if json:
        print_json(known)
        return
    table = Table("data set", "what it is", box=None)
    for name, summary in sorted(known.items()):
        table.add_row(name, summary)
    out().print(table)


@datasets_app.command("prepare")
def prepare_dataset(
    name: str,
    root: Annotated[Path | None, typer.Option(help="Folder that holds its files.")] = None,
) -> None:
    """Fetch, check and convert a data set, so that trials load it in milliseconds.

    Example: [bold]spiketune datasets prepare mnist --root ~/data/mnist[/bold]
    """
    from spiketune.data.registry import load, prepare

    fields = {"name": name, **({"root": str(root)} if root else {})}
    config = check(Dataset, fields, "trial.dataset")

    def progress(what: str, done: int, total: int | None) -> None:
        if total and done >= total:
            say(f"{what}: {done / 1e6:.1f} MB")

    prepare(config, progress)
    splits = load(config)
    say(
        f"{name}: {len(splits.train)} training and {len(splits.validation)} validation samples, "
        f"{splits.n_classes} classes"
    )


def doctor(json: Json = False) -> None:
    """Check this machine: versions, cores, devices, folders, how fast a trial starts.

    Example: [bold]spiketune doctor[/bold]
    """
    facts = {**_versions(), **_machine(), **_trial_start()}
    if json:
        print_json(facts)
        return
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name, str(value))
    out().print(table)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _machine() -> dict[str, str]:
    from spiketune.executors.registry import n_cores

    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return {
        "cores": str(n_cores()),
        "devices": ", ".join(_devices()),
        "this folder": "writable" if os.access(Path.cwd(), os.W_OK) else "NOT writable",
        "free disk": f"{free_gb:.1f} GB",
        "sbatch": shutil.which("sbatch") or "not found",
        "mpirun": shutil.which("mpirun") or "not found",
    }


def _devices() -> list[str]:
    if find_spec("torch") is None:
        return ["torch is not installed"]
    import torch

    found = ["cpu"]
    found += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [*found, *(["mps"] if torch.backends.mps.is_available() else [])]


def _trial_start() -> dict[str, str]:
    """Seconds from submitting a trial to its result, through the local executor."""
    from spiketune.executors.local import LocalExecutor
    from spiketune.messages import Job

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "nothing.py").write_text("def objective(trial):\n    return 0.0\n")
        executor = LocalExecutor(1, base_folder=folder)
        try:
            started_s = time.monotonic()
            place = str(Path(folder) / "attempt-1")
            section = {"function": "nothing:objective"}
            executor.submit(
                Job("doctor", 0, 1, section, {}, 0, 0, place, place, folder, ("value",))
            )
            ended = executor.events(30.0)
            took_s = time.monotonic() - started_s
        finally:
            executor.close()
    kind = type(ended[-1]).__name__ if ended else "nothing within 30 s"
    return {"empty trial": f"{kind} after {1000 * took_s:.0f} ms"}
