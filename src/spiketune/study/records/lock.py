"""One asker at a time: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path
from typing import Self, final

from spiketune.errors import InputError, StudyLockedError


@final
class StudyLock:
    """An exclusive lock on a file, to be released or used as a context.

    Args:
        path: The file; made if absent.

    Raises:
        InputError: If the file cannot be opened.
        StudyLockedError: If another process holds it; names its host and pid.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(f"{path}: cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self.holder(path)
            os.close(self._file)
            raise StudyLockedError(
                f"{path.parent}: another process runs this study ({holder}); "
                "wait for it, or stop it first"
            ) from None
        os.ftruncate(self._file, 0)
        text = f"host {socket.gethostname()}, pid {os.getpid()}\n"
        os.pwrite(self._file, text.encode(), 0)

    @staticmethod
    def holder(path: Path) -> str:
        """Who holds the lock, as text."""
        return path.read_text(encoding="utf-8").strip() or "host unknown"

    @staticmethod
    def is_held(path: Path) -> bool:
        """Whether some process holds the lock."""
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def release(self) -> None:
        """Give the lock back."""
        with contextlib.suppress(OSError):
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
