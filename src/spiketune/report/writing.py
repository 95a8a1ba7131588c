"""A file of a report, written in one step."""

from __future__ import annotations

from pathlib import Path

from spiketune.drafts import draft_of
from spiketune.errors import InputError


def write_whole(path: Path, text: str) -> Path:
    """Write a file, replacing an older one in one step; its folder is made.

    Returns:
        The path written.

    Raises:
        InputError: If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(path) as draft:
            draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    return path
