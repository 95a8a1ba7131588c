"""A program as an objective: values in as arguments, figures out of what it writes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

from spiketune.config.checking import check
from spiketune.config.command import FIDELITY, GIVEN, CommandTrial
from spiketune.config.command_template import (
    ARGUMENTS,
    as_options,
    fill,
    fill_arguments,
    fill_shell,
    pieces,
)
from spiketune.errors import ConfigError, ExpressionError, TrialError
from spiketune.messages import FailureKind
from spiketune.objectives.deaths import FROM_OUTSIDE, signal_name
from spiketune.objectives.oom_kills import oom_kills
from spiketune.objectives.program import Program, last_lines
from spiketune.objectives.summary import read_file, read_stdout, reports_in
from spiketune.objectives.trial import Preempted, Trial
from spiketune.space import parse

_FINISHED: Final = "finished"  # keyword by which a program says whether it came to its end
_OUT_OF_MEMORY: Final = re.compile(r"MemoryError|OutOfMemoryError|out of memory", re.IGNORECASE)


def parameters(params: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a command by their own names, those of chosen sections included.

    Args:
        params: Below `params:`, every range replaced by its value.
        values: The values asked, by parameter name: they name the sections chosen.
    """
    return _flat(params, values, "")


def _flat(node: Mapping[str, Any], values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, child in node.items():
        place = f"{prefix}{key}"
        if isinstance(child, Mapping) and place in values:
            flat[key] = values[place]
            flat |= _flat(child, values, f"{place}.{values[place]}.")
        elif isinstance(child, Mapping):
            flat |= _flat(child, values, f"{place}.")
        else:
            flat[key] = child
    return flat


def command_line(
    config: CommandTrial, params: Mapping[str, Any], given: Mapping[str, Any]
) -> str | list[str]:
    """The command with its values: one string per argument, or a line for the shell.

    Raises:
        ConfigError: If a value cannot stand on a command line.
    """
    texts = [config.command] if isinstance(config.command, str) else list(config.command)
    used = {piece.name for text in texts for piece in pieces(text)}
    rest = {name: value for name, value in params.items() if name not in used}
    options = as_options(rest) if config.append else []
    values = {**params, **given, ARGUMENTS: options}
    if config.shell:
        line = fill_shell(str(config.command), values)
        return line if ARGUMENTS in used or not options else f"{line} {shlex.join(options)}"
    arguments = fill_arguments(config.template, values)
    return arguments if ARGUMENTS in used else [*arguments, *options]


def check_command(section: Mapping[str, Any], folder: str) -> None:
    """Refuse a program that is not there, before the first trial.

    Nothing is looked for with `shell: true`: a shell may find what this process cannot.

    Args:
        section: A resolved trial section.
        folder: The configuration file's folder.

    Raises:
        ConfigError: Naming what is missing, and where it was looked for.
    """
    config = check(CommandTrial, section, "trial")
    cwd = Path(folder, config.cwd)
    if not cwd.is_dir():
        raise ConfigError(
            "trial.cwd",
            f"no folder {cwd}; a study that was moved looks from `provenance.base_folder` in its "
            "study.yaml",
        )
    given = {**dict.fromkeys(GIVEN, "1"), "python": sys.executable}
    line = command_line(config, parameters(config.params, {}), given)
    if isinstance(line, str):
        return
    program = line[0] if line else ""
    search = config.env.get("PATH")
    has_folder = os.sep in program
    found = shutil.which(
        str(cwd / program) if has_folder else program,
        path=fill(search, given) if isinstance(search, str) else None,
    )
    if found is None:
        where = f"from {cwd}" if has_folder else "on the PATH"
        raise ConfigError("trial.command", f"'{program}' cannot be found {where}, or is no program")
    script = line[1] if len(line) > 1 else ""
    is_python = Path(found).name.startswith("python") and script.endswith(".py")
    if is_python and not (cwd / script).exists():
        raise ConfigError("trial.command", f"no script '{script}' in {cwd}")


@final
class Command:
    """The objective of a trial section with `command:`.

    Args:
        folder: The configuration file's folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        """Run the program, and read what it measured.

        Raises:
            TrialError: With the kind of its failure: its status, a signal, its time limit, or
                what is wrong with its summary.
            Preempted: If the trial was asked to leave.
        """
        config = check(CommandTrial, trial.section, "trial")
        params = parameters(config.params, trial.params)
        out = _made(trial.output_dir)
        given: dict[str, Any] = {
            "out_dir": str(out),
            "seed": trial.seed,
            "study_seed": trial.study_seed,
            "trial": trial.number,
            "attempt": trial.attempt,
            "folder": self._folder,
            "python": sys.executable,
        }
        program = Program(
            command_line(config, params, given),
            Path(self._folder, config.cwd),
            _environment(config, {**params, **given}),
            stdout=out / f"attempt-{trial.attempt}.out",
            stderr=out / f"attempt-{trial.attempt}.err",
        )
        line = program.command
        trial.note(command=line if isinstance(line, str) else shlex.join(line), output_dir=str(out))
        if config.result.file is not None:
            (out / config.result.file).unlink(missing_ok=True)  # of an attempt before this one
        watch = _Watch(trial, config, program.stdout)
        n_oom_kills = oom_kills()
        status = program.run(watch.wanted)
        if watch.too_long:
            raise TrialError("timeout", f"the program took longer than {trial.time_limit_s:g} s")
        if status is None:
            raise Preempted
        if status:
            killed = status == -signal.SIGKILL and oom_kills() > n_oom_kills
            raise TrialError(*_post_mortem(status, program, killed=killed))
        watch.report()
        return _measured(trial, config, program.stdout, params)


@final
class _Watch:
    """Tells whether a program may go on, and passes on what it reports."""

    def __init__(self, trial: Trial, config: CommandTrial, stdout: Path) -> None:
        self._trial, self._pattern, self._stdout = trial, config.result.reports, stdout
        self._offset, self._rest = 0, b""
        self.too_long = False

    def wanted(self) -> bool:
        limit_s = self._trial.time_limit_s
        if limit_s is not None and self._trial.elapsed_s >= limit_s:
            self.too_long = True
        self.report()
        return not self.too_long and not self._trial.should_stop()

    def report(self) -> None:
        """Report what was printed since the last call, whole lines of it."""
        if self._pattern is None:
            return
        with self._stdout.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        lines, newline, self._rest = (self._rest + new).rpartition(b"\n")
        text = (lines + newline).decode("utf-8", "replace")
        for fidelity, metrics in reports_in(text, self._pattern, FIDELITY):
            self._trial.report(fidelity, **metrics)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrialError(
            "crash", f"output folder {folder}: cannot be made: {error.strerror}"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TrialError("crash", f"output folder {folder}: cannot be written")
    return folder


def _environment(config: CommandTrial, values: Mapping[str, Any]) -> dict[str, str]:
    told = {
        "SPIKETUNE_OUT_DIR": values["out_dir"],
        "SPIKETUNE_SEED": values["seed"],
        "SPIKETUNE_TRIAL": values["trial"],
    }
    environment = {**os.environ, **{name: str(value) for name, value in told.items()}}
    for name, value in config.env.items():
        if value is None:
            environment.pop(name, None)
        elif isinstance(value, bool):
            environment[name] = "true" if value else "false"
        else:
            environment[name] = fill(value, values, f"trial.env.{name}")
    return environment


def _post_mortem(status: int, program: Program, *, killed: bool) -> tuple[FailureKind, str]:
    """Kind and message of a program that did not end by itself, or not well."""
    said = last_lines(program.stderr) or last_lines(program.stdout)
    tail = f": {said}" if said else ", and said nothing"
    if killed:
        return "oom", f"the program was killed by the kernel: out of memory{tail}"
    kind: FailureKind = "oom" if _OUT_OF_MEMORY.search(said) else "crash"
    if status > 0:
        return kind, f"the program exited with status {status}{tail}"
    if -status in FROM_OUTSIDE:
        kind = "worker_lost"
    return kind, f"the program died by {signal_name(-status)}{tail}"


def _measured(
    trial: Trial, config: CommandTrial, stdout: Path, params: Mapping[str, Any]
) -> dict[str, float]:
    """The metrics of a program that ended well."""
    result, values = config.result, dict[str, Any]()
    if result.file is not None:
        path = trial.output_dir / result.file
        values |= read_file(path, is_json=result.is_json)
    if result.stdout:
        values |= read_stdout(stdout.read_text("utf-8", "replace"), result.stdout)
    metrics = {name: value for name, value in values.items() if isinstance(value, float)}
    others = {name: value for name, value in values.items() if name not in metrics}
    for name in trial.needed:
        if name in others:
            raise TrialError("crash", f"'{name}' is no number: {others[name]!r}")
        if name in result.stdout and name not in metrics:
            raise TrialError(
                "missing", f"stdout: nothing matches '{result.stdout[name]}' for '{name}'"
            )
    if others:
        trial.note(**others)
    if metrics.pop(_FINISHED, 1.0) <= 0:
        trial.end("stopped")
    if result.keep is not None:
        _keep_or_discard(result.keep, {**params, **metrics}, trial)
    return metrics


def _keep_or_discard(rule: str, values: Mapping[str, Any], trial: Trial) -> None:
    """Remove the output folder of a trial that is not worth it; its figures stay."""
    try:
        keep = bool(parse(rule)(values))
    except ExpressionError as error:
        raise TrialError("crash", f"trial.result.keep: {error}") from error
    if not keep:
        shutil.rmtree(trial.output_dir, ignore_errors=True)
    trial.note(kept=keep)
