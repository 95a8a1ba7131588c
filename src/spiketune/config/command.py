"""The checked model of a trial section that runs a program (`trial:` with `command:`)."""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from spiketune.config.command_template import ARGUMENTS, check_names, fill_shell, pieces
from spiketune.config.inline import range_kind
from spiketune.config.section import Section
from spiketune.errors import ConfigError, ExpressionError
from spiketune.space import parse

GIVEN: Final = ("out_dir", "seed", "study_seed", "trial", "attempt", "folder", "python", ARGUMENTS)
FIDELITY: Final = "fidelity"  # the group of `reports` that says how far the program has come


def _as_text(argument: Any) -> Any:
    is_number = isinstance(argument, int | float) and not isinstance(argument, bool)
    return str(argument) if is_number else argument


Argument = Annotated[str, BeforeValidator(_as_text)]


class CommandResult(Section):
    """Where a program's figures are found.

    `file`: in the output folder, as lines `keyword value` or as JSON (`format:`, by default by
    the name's ending). `stdout`: by metric a regular expression, whose last match on standard
    output counts. `reports`: one with named groups, `fidelity` and metrics, each match of which
    is a point of the learning curve. `keep`: the output folder goes if this is false.
    """

    file: str | None = None
    format: Literal["keywords", "json"] | None = None
    stdout: dict[str, str] = {}
    reports: str | None = None
    keep: str | None = None

    @property
    def is_json(self) -> bool:
        """Whether the file is JSON."""
        return (self.format or ("json" if str(self.file).endswith(".json") else "")) == "json"

    @field_validator("stdout")
    @classmethod
    def _one_group(cls, patterns: dict[str, str]) -> dict[str, str]:
        for name, pattern in patterns.items():
            if _compiled(pattern).groups != 1:
                raise ValueError(f"'{name}': needs one group (...) around the number: '{pattern}'")
        return patterns

    @field_validator("reports")
    @classmethod
    def _named_groups(cls, pattern: str | None) -> str | None:
        if pattern is not None and FIDELITY not in _compiled(pattern).groupindex:
            raise ValueError(
                f"needs named groups, such as '(?P<{FIDELITY}>\\d+) (?P<accuracy>\\S+)'"
            )
        return pattern

    @field_validator("keep")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                parse(text)
            except ExpressionError as error:
                raise ValueError(str(error)) from error
        return text

    @model_validator(mode="after")
    def _found_somewhere(self) -> Self:
        if self.file is None and not self.stdout:
            raise ValueError("needs `file:` (in the output folder), or `stdout:`")
        return self


class CommandTrial(Section):
    """`command: "python train.py --lr {lr}"`, run with these `params` in its arguments.

    `cwd` is relative to the file's folder, and is that folder by default. `append`: whether
    parameters that no placeholder uses follow as `--name value`.
    """

    command: Argument | tuple[Argument, ...] = Field(union_mode="left_to_right")
    shell: bool = False
    cwd: str = "."
    env: dict[str, Argument | bool | None] = {}
    params: dict[str, Any] = {}
    append: bool = True
    result: CommandResult

    @property
    def template(self) -> list[str]:
        """The command, one text per argument."""
        return shlex.split(self.command) if isinstance(self.command, str) else list(self.command)

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        try:
            words = self.template
            if self.shell:
                if not isinstance(self.command, str):
                    raise ValueError("`command` is one text where `shell` is true")
                fill_shell(self.command, {ARGUMENTS: []})
        except ConfigError as error:
            raise ValueError(error.problem) from error
        except ValueError as error:
            raise ValueError(f"the command cannot be read: {error}") from error
        if not words or not words[0]:
            raise ValueError("the command is empty")
        return self


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise ValueError(f"'{pattern}' is no regular expression: {error}") from error


def parameter_names(params: Mapping[str, Any], path: str = "trial.params") -> Iterator[str]:
    """The names below `params:`, those in chosen sections included.

    Raises:
        ConfigError: If a name has a meaning already, or a `choose` another name than its key.
    """
    for key, child in params.items():
        kind = range_kind(child, f"{path}.{key}")
        if key in GIVEN:
            raise ConfigError(f"{path}.{key}", "is a placeholder already; take another name")
        if kind == "choose":
            if "name" in child:
                raise ConfigError(f"{path}.{key}.name", "goes with no `choose` of a command")
            yield key
            for option, section in child["choose"].items():
                if isinstance(section, Mapping):
                    yield from parameter_names(section, f"{path}.{key}.{option}")
        elif kind is None and isinstance(child, Mapping):
            yield from parameter_names(child, f"{path}.{key}")
        else:
            yield key


def check_placeholders(trial: Mapping[str, Any]) -> None:
    """Refuse a placeholder that nothing fills; warn of a parameter that never gets out.

    Args:
        trial: The trial section as written, ranges included.

    Raises:
        ConfigError: Naming the placeholder, and what there is.
    """
    params = trial.get("params") or {}
    if not isinstance(params, Mapping):
        return  # the model says so
    names = list(dict.fromkeys(parameter_names(params)))
    known = [*names, *GIVEN]
    command = trial["command"]
    texts = command if isinstance(command, list | tuple) else [command]
    used = {n for text in texts if isinstance(text, str) for n in check_names(text, known)}
    for variable, text in (trial.get("env") or {}).items():
        if isinstance(text, str):
            used |= check_names(text, known, f"trial.env.{variable}")
    unused = [name for name in names if name not in used]
    if unused and trial.get("append") is False:
        warnings.warn(
            f"trial.params: the command does not use {', '.join(unused)}, and `append` is false",
            stacklevel=2,
        )


def uses_seed(trial: Mapping[str, Any]) -> bool:
    """Whether the program is told its seed on the command line or by a variable of its own."""
    command = trial["command"]
    texts = [*(command if isinstance(command, list | tuple) else [command])]
    texts += (trial.get("env") or {}).values()
    return any(
        piece.name == "seed" for text in texts if isinstance(text, str) for piece in pieces(text)
    )
