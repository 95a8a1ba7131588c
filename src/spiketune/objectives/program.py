"""One run of a program: watched, asked to leave, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spiketune.errors import TrialError
from spiketune.objectives.deaths import LARGEST_SIGNAL

TERM_GRACE_S: Final = 4.0  # between SIGTERM and SIGKILL; executors allow a timed-out worker 5 s
_FIRST_POLL_S: Final = 0.005
_POLL_S: Final = 0.1
_SHELL_SIGNALS: Final = 128  # a shell reports a program killed by signal n as 128 + n


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    Attributes:
        command: One string per argument, or one line for the shell.
        cwd: Where it runs.
        env: All of its environment.
        stdout: File that takes its standard output.
        stderr: File that takes its standard error.
    """

    command: str | Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    stdout: Path
    stderr: Path

    def run(self, wanted: Callable[[], bool]) -> int | None:
        """Run it to its end.

        A worker that leads a session of its own shares its process group with the program, so
        that whoever ends the worker ends the program; elsewhere the program gets a group.

        Args:
            wanted: Asked again and again; false ends the program, by SIGTERM to its group, and by
                SIGKILL after a grace time.

        Returns:
            Its exit status, negative if a signal ended it; None if it was not wanted any more.

        Raises:
            TrialError: If it cannot be started.
        """
        shared = os.getsid(0) == os.getpid()
        try:
            with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
                process = subprocess.Popen(
                    self.command,
                    shell=isinstance(self.command, str),
                    cwd=self.cwd,
                    env=dict(self.env),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    process_group=None if shared else 0,
                )
        except OSError as error:
            raise TrialError("crash", self._not_started(error)) from error
        try:
            return self._wait(process, wanted, shared)
        finally:
            _end(process, shared)

    def _wait(
        self, process: subprocess.Popen[bytes], wanted: Callable[[], bool], shared: bool
    ) -> int | None:
        poll_s = _FIRST_POLL_S
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(poll_s)
                number = status - _SHELL_SIGNALS
                from_shell = isinstance(self.command, str) and 0 < number <= LARGEST_SIGNAL
                return -number if from_shell else status
            poll_s = min(2 * poll_s, _POLL_S)
            if not wanted():
                _signal(process, signal.SIGTERM, shared)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TERM_GRACE_S)
                return None

    def _not_started(self, error: OSError) -> str:
        program = self.command if isinstance(self.command, str) else self.command[0]
        if not self.cwd.is_dir():
            return f"trial.cwd: no folder {self.cwd}"
        if isinstance(error, FileNotFoundError):
            return f"trial.command: '{program}' cannot be found from {self.cwd}"
        return f"trial.command: '{program}' cannot be started: {error.strerror or error}"


def _signal(process: subprocess.Popen[bytes], number: signal.Signals, shared: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(0 if shared else process.pid, number)


def _end(process: subprocess.Popen[bytes], shared: bool) -> None:
    """Kill what is left of it; what it left in a shared group ends with the worker."""
    if not shared:
        _signal(process, signal.SIGKILL, shared)
    if process.poll() is None:
        process.kill()
        process.wait()


def last_lines(path: Path, n_lines: int = 5, n_bytes: int = 4096) -> str:
    """The end of a log, for a message; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - n_bytes))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-n_lines:])
