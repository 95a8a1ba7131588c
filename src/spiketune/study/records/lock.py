"""One asker at a time: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Self, final

from spiketune.errors import InputError, StudyLockedError

_PATIENCE_S = 0.2  # who only looks whether the lock is held has it for microseconds
_POLL_S = 0.01


@final
class StudyLock:
    """An exclusive lock on a file, to be released or used as a context.

    Args:
        path: The file; made if absent.

    Raises:
        InputError: If the file cannot be opened, locked or written.
        StudyLockedError: If another process holds it; names its host and pid.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(f"{path}: cannot be opened: {error.strerror}") from error
        try:
            self._take()
        except OSError as error:
            self.release()
            raise InputError(f"{path}: cannot be locked: {error.strerror}") from error
        except BaseException:
            self.release()
            raise

    def _take(self) -> None:
        """Lock the file and write into it who did."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not self._is_free():
            if time.monotonic() > deadline_s:
                raise StudyLockedError(
                    f"{self._path.parent}: another process runs this study "
                    f"({self.holder(self._path)}); wait for it, or stop it first"
                )
            time.sleep(_POLL_S)
        os.ftruncate(self._file, 0)
        text = f"host {socket.gethostname()}, pid {os.getpid()}\n"
        os.pwrite(self._file, text.encode(), 0)

    def _is_free(self) -> bool:
        """Whether nobody held the lock; it is ours from now on."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @staticmethod
    def holder(path: Path) -> str:
        """Who holds the lock, as text."""
        return path.read_text(encoding="utf-8").strip() or "host unknown"

    @staticmethod
    def is_held(path: Path) -> bool:
        """Whether some process holds the lock."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # others may look as well
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
