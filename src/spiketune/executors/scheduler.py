"""What a batch scheduler must be able to do, and the script of a job."""

from __future__ import annotations

import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.errors import InputError
from spiketune.messages import FailureKind

Phase = Literal["queued", "running", "ended"]
_COMMAND_LIMIT_S: Final = 60.0


class SubmissionRefusedError(Exception):
    """The scheduler did not take a job.

    Args:
        message: Its own words.
        hopeless: Whether trying again cannot help: something asked for does not exist.
    """

    def __init__(self, message: str, *, hopeless: bool = False) -> None:
        super().__init__(message)
        self.hopeless = hopeless


@dataclass(frozen=True, slots=True)
class Observed:
    """What the scheduler says of a job.

    Attributes:
        phase: Where it is in its life.
        words: The scheduler's own name of the state.
        kind: Why it ended, where the scheduler knows.
    """

    phase: Phase
    words: str
    kind: FailureKind | None = None


class Scheduler(ABC):
    """Submits, watches and ends jobs by the commands of the site."""

    name: str

    @abstractmethod
    def directives(self, config: ExecutorConfig, name: str, folder: Path) -> Sequence[str]:
        """Directive lines of a job's script.

        Args:
            config: The executor section.
            name: Name of the job.
            folder: Takes the files `stdout` and `stderr`.
        """

    @abstractmethod
    def submit(self, script: Path) -> str:
        """Submit a script, and return the job's id.

        Raises:
            SubmissionRefusedError: If the scheduler does not take it, or does not answer.
        """

    @abstractmethod
    def observe(self, ids: Sequence[str]) -> Mapping[str, Observed] | None:
        """What became of jobs, in one question; None if the scheduler does not answer.

        Jobs that it no longer knows are left out.
        """

    @abstractmethod
    def find(self, name: str) -> str | None:
        """Id of the job of that name, queued or running."""

    @abstractmethod
    def stop(self, job_id: str) -> None:
        """Remove a job that is queued; send SIGUSR1 to the worker of one that runs."""

    @abstractmethod
    def kill(self, job_id: str) -> None:
        """End a job at once."""


def script_of(lines: Sequence[str], config: ExecutorConfig, command: Sequence[str]) -> str:
    """The script of a job.

    The worker replaces the shell, which would keep the scheduler's signals from it. Until it
    listens, SIGUSR1 is passed over: schedulers send their warning up to a minute early, and
    what it asks for is in the attempt's folder and in the worker's own clock as well.

    Args:
        lines: The scheduler's directives.
        config: The executor section: prologue and launcher.
        command: What to run.
    """
    run = f"exec {config.launcher} {shlex.join(command)}".replace("exec  ", "exec ")
    return "\n".join(["#!/bin/bash", *lines, "trap '' USR1", *config.prologue, run, ""])


def ask(command: Sequence[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the scheduler.

    Args:
        command: The command and its arguments.
        text: Its standard input.

    Raises:
        InputError: If there is no such command here.
        TimeoutError: If the scheduler does not answer.
    """
    try:
        return subprocess.run(
            command,
            input=text or "",
            capture_output=True,
            text=True,
            timeout=_COMMAND_LIMIT_S,
            check=False,
        )
    except FileNotFoundError:
        raise InputError(
            f"study.executor: the command `{command[0]}` is not on this machine; start the "
            "study where the scheduler's commands are (a login node), or take the executor local"
        ) from None
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"`{command[0]}` did not answer within {_COMMAND_LIMIT_S:g} s") from None
