"""Files that are seen whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes its place if the block ends without an error.

    Whoever reads sees the old file or the new one. Who may read it is for the umask to say, so
    that a study on a shared disk can be looked at by others. The suffix is that of `path`.

    A link stays one, and what it leads to is replaced; a pipe or a device is written to directly.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    draft = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
