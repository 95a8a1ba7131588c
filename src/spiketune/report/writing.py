"""A file of a report, written in one step."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from spiketune.errors import InputError


def write_whole(path: Path, text: str) -> Path:
    """Write a file, replacing an older one in one step; its folder is made.

    Returns:
        The path written.

    Raises:
        InputError: If the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    return path
