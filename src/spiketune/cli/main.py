"""The `spiketune` command: its verbs, and what it does with errors."""

from __future__ import annotations

import os
import sys
import warnings

import typer

from spiketune import __version__
from spiketune.cli import information, studies, trainings
from spiketune.cli.output import say
from spiketune.errors import InputError, SpiketuneError

app = typer.Typer(
    name="spiketune",
    help="Tune spiking neural networks: accuracy against spikes against cost.",
    epilog="Start with: spiketune run quickstart",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
studies.register(app)
trainings.register(app)
information.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"spiketune {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Tune spiking neural networks: accuracy against spikes against cost."""


def main() -> None:
    """Run the command line: exit status 0, 1 (ran and failed) or 2 (bad input)."""
    warnings.showwarning = lambda message, *rest: say(f"warning: {message}")
    try:
        app()
    except InputError as error:
        say(f"error: {error}")
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (SpiketuneError, OSError) as error:  # such as a full disk
        say(f"error: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
