"""One error tree: who has to act when something goes wrong.

SpiketuneError
├── InputError              the user: a file, an option or a name is wrong (exit status 2)
│   ├── ConfigError         a leaf of a configuration; carries the path in the file
│   ├── ExpressionError     a `when:`, `require:` or constraint that cannot be read
│   ├── UnknownNameError    no sampler, data set, recipe, ... of that name; suggests one
│   ├── DatasetError        a data file is missing, cut short or has a wrong checksum
│   ├── DeviceError         a device was asked for that this machine lacks
│   ├── StudyExistsError    the study folder is there already: `resume` or `--new`
│   ├── StudyLockedError    another process is running this study
│   └── StudyNotFoundError  no study or run in that folder
├── TestSplitError          the user: the test split was asked for outside `retrain`
└── TrialError              the study loop: a trial could not be finished; carries its kind
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpiketuneError(Exception):
    """Root of everything spiketune raises on purpose."""


class InputError(SpiketuneError):
    """Something the user gave is wrong; the message names the place and the remedy."""


class ConfigError(InputError):
    """A leaf of a configuration is wrong.

    Args:
        path: Dotted path of the leaf, as in the file (`trial.training.learning_rate`).
        problem: The rule that was broken, the value, and the remedy.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class ExpressionError(InputError):
    """An expression cannot be parsed or evaluated."""


class UnknownNameError(InputError):
    """A name that nothing is registered under.

    Args:
        noun: What was looked for (`sampler`).
        name: The name given.
        known: The names there are.
    """

    def __init__(self, noun: str, name: object, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        super().__init__(f"No {noun} named '{name}'.{hint} Known: {', '.join(names) or 'none'}.")


class DatasetError(InputError):
    """A data file is missing, cut short, or not what its checksum says."""


class DeviceError(InputError):
    """The device asked for is not on this machine."""


class StudyExistsError(InputError):
    """The study folder exists already, or holds a study of another space."""


class StudyLockedError(InputError):
    """Another process holds the study's lock."""


class StudyNotFoundError(InputError):
    """There is no study or run in that folder."""


class TestSplitError(SpiketuneError):
    """The test split was asked for by something other than `spiketune retrain`."""

    __test__ = False  # its name looks like a test class to pytest


class TrialError(SpiketuneError):
    """A trial could not be finished.

    Args:
        kind: One of `spiketune.messages.FAILURE_KINDS`.
        message: What happened, for a person.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
