"""Arguments and options that mean the same in several verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spiketune.errors import InputError

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of the study.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run.")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="RUN|NETWORK",
        help="Folder of a run, a network.safetensors, or a network that comes along.",
    ),
]


def folder_named(text: str) -> Path:
    """The folder of a `--folder`; an empty text (a shell variable that is unset) names none.

    Raises:
        InputError: If it is empty.
    """
    if not text:
        raise InputError("--folder: must name a folder, got an empty text; leave the option out")
    return Path(text)


Epoch = Annotated[
    int | None, typer.Option(min=0, help="Epoch of a snapshot; the latest if not given.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override any leaf of the file; repeatable."),
]
New = Annotated[
    bool, typer.Option("--new", help="If the folder exists, use a dated sibling of it.")
]
Snapshots = Annotated[
    str | None, typer.Option(metavar="A,B,C", help="Epochs after which to keep a snapshot.")
]
Plot = Annotated[bool, typer.Option("--plot", help="Draw accuracies while it runs.")]
TextOutput = Annotated[
    Path | None, typer.Option("--output", "-o", help="Where to; stdout if not given.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
