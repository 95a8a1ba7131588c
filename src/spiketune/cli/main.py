"""The `spiketune` command: its verbs, and what it does with errors."""

from __future__ import annotations

import os
import sys
import warnings
from io import TextIOWrapper

import typer

from spiketune import __version__
from spiketune.__main__ import INTERRUPTED
from spiketune.cli import (
    checks,
    experiments,
    information,
    steering,
    studies,
    sweeps,
    trainings,
)
from spiketune.cli.output import say
from spiketune.errors import InputError, SpiketuneError
from spiketune.executors.ranks import ranks

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
sweeps.register(app)
checks.register(app)
steering.register(app)
trainings.register(app)
experiments.register(app)
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
    """Run the command line: exit status 0, 1 (ran and failed), 2 (bad input) or 130 (Ctrl-C)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # letters that a terminal lacks end no command
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = lambda message, *rest: say(f"warning: {message}")
    try:
        if ranks()[0] > 1:
            _as_rank(ranks()[1])
        else:
            app()
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what Typer makes of Ctrl-C
            say("interrupted")
        raise
    except InputError as error:
        say(f"error: {error}")
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (SpiketuneError, OSError) as error:  # such as a full disk
        say(f"error: {error}")
        sys.exit(1)


def _as_rank(rank: int) -> None:
    """Under `mpirun`, be the command on rank 0 and a worker of it on the others."""
    try:
        from spiketune.executors.mpi import release, serve
    except ImportError as error:
        raise InputError(
            f"running under mpirun needs an MPI library and an extra ({error}); "
            "pip install 'spiketune[mpi]'"
        ) from error
    if rank > 0:
        serve()
        return
    try:
        app()
    finally:
        release()


if __name__ == "__main__":
    main()
