"""Fetching a file from the first mirror that has it."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Final, Protocol

from spiketune.drafts import draft_of
from spiketune.errors import DatasetError

_CHUNK_BYTES: Final = 1 << 18
_TIMEOUT_S: Final = 30.0

_log = logging.getLogger(__name__)


class _Progress(Protocol):
    def __call__(self, name: str, done: int, total: int | None, /) -> None: ...


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    check: Callable[[Path], object],
    remedy: str,
    progress: _Progress | None = None,
) -> Path:
    """Download to `target`, which appears whole and checked or not at all.

    Args:
        urls: Where the file may be had, tried in turn.
        target: Where it goes.
        check: Raises DatasetError if the file is not what it should be.
        remedy: What the user can do if no address works.
        progress: Called as the bytes come in.

    Returns:
        `target`.

    Raises:
        DatasetError: If no address gives the right file, or the folder cannot be written.
    """
    problems = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot write to {target.parent}: {error}; {remedy}") from error
    for url in urls:
        try:
            with draft_of(target) as draft:
                _download(url, draft, target.name, progress)
                check(draft)
            return target
        except (OSError, HTTPException, DatasetError) as error:
            _log.info("%s: %s", url, error)
            problems.append(f"{url}: {error}")
    raise DatasetError(f"cannot download {target.name} ({'; '.join(problems)}); {remedy}")


def _download(url: str, path: Path, name: str, progress: _Progress | None) -> None:
    if not url.startswith(("http://", "https://")):
        raise DatasetError("not an http address")
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:
        length = answer.headers.get("Content-Length")
        total = int(length) if length else None
        done = 0
        while chunk := answer.read(_CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(name, done, total)
