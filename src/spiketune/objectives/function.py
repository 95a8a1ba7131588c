"""Python functions as objectives: `module:name` on the import path of the file's folder."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from spiketune.errors import InputError

PICKLED: Final = "cloudpickle"  # `cloudpickle:<file>` names a function kept by value


def load_function(target: str, base_folder: str) -> Callable[..., Any]:
    """The function that `module:name` names.

    Args:
        target: `package.module:name`, or `cloudpickle:<file>` for a function from a notebook.
        base_folder: First on the import path; where such a file lies.

    Raises:
        InputError: If it cannot be imported, or is no function; the message says why.
    """
    module_name, _, name = target.partition(":")
    if module_name == PICKLED:
        return _load_pickled(Path(base_folder, name))
    if base_folder and base_folder not in sys.path:
        sys.path.insert(0, base_folder)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module raises on import
        raise InputError(
            f"trial.function: cannot import '{module_name}' (looked in {base_folder} first, which "
            "a study keeps as `provenance.base_folder` in its study.yaml): "
            f"{type(error).__name__}: {error}"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(f"trial.function: module '{module_name}' has no '{name}'")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(
            f"trial.function: '{target}' is not a function, but {type(found).__name__}"
        )
    return found  # type: ignore[no-any-return]


def _load_pickled(path: Path) -> Callable[..., Any]:
    import cloudpickle

    try:
        return cloudpickle.loads(path.read_bytes())  # type: ignore[no-any-return]
    except Exception as error:  # unpickling runs the imports of the function's module
        raise InputError(
            f"{path}: the notebook's function cannot be loaded ({type(error).__name__}: {error}); "
            "go on from Python with spiketune.tune(...)"
        ) from error


def dump_function(function: Callable[..., Any]) -> bytes:
    """A function by value, for `cloudpickle:<file>`."""
    import cloudpickle

    return cloudpickle.dumps(function)  # type: ignore[no-any-return]
