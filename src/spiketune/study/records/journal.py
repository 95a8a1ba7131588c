"""Optuna's journal on one file, crash-safe: one append per batch, a torn tail cut on opening.

The stock file backend is lost for good after one torn line, and stalls for 30 s on a lock whose
holder was killed. This one writes with O_APPEND, so that a stock writer beside it loses
nothing.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
import weakref
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any, final

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.storages.journal._storage import JournalOperation
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from spiketune.errors import InputError, SpiketuneError

_TAIL_PATIENCE_S = 2.0  # a live writer finishes its line in milliseconds
_TAIL_POLL_S = 0.02


@final
class JournalFile(BaseJournalBackend):
    """Journal lines in a file.

    Args:
        path: The file; made if absent and `writable`.
        writable: Whether this process may append.

    Raises:
        InputError: If the file cannot be opened.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND if writable else os.O_RDONLY
        try:
            self._file = os.open(path, flags | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(f"{path}: cannot be opened: {error.strerror}") from error
        self._close = weakref.finalize(self, os.close, self._file)
        self._n_read = 0
        self._offset = 0

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Whole lines from `log_number_from` on; a torn last line is left for later."""
        if log_number_from != self._n_read:  # a second reader on this object starts anew
            self._n_read, self._offset = 0, 0
        size = os.fstat(self._file).st_size
        data = (
            os.pread(self._file, size - self._offset, self._offset) if size > self._offset else b""
        )
        end = data.rfind(b"\n") + 1
        lines = data[:end].split(b"\n")[:-1]
        skip = log_number_from - self._n_read
        self._offset += end
        self._n_read += len(lines)
        for number, line in enumerate(lines[skip:], start=log_number_from):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InputError(
                    f"{self._path}: line {number + 1} is damaged; cut the file before it "
                    "to keep what comes earlier"
                ) from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines in one write, and wait until they are on disk."""
        data = b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
        self.cut_torn_tail()
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(self._file)
        except OSError as error:
            os.ftruncate(self._file, size)  # half a line would be in the way of other readers
            raise SpiketuneError(
                f"{self._path}: cannot be written: {error.strerror}; what came before is safe, "
                "`spiketune resume` goes on"
            ) from error

    def cut_torn_tail(self) -> None:
        """Cut a last line without its end, left by a writer that died.

        A line is given time to become whole first, for the sake of a stock writer at work.
        """
        deadline_s = time.monotonic() + _TAIL_PATIENCE_S
        while (size := os.fstat(self._file).st_size) and os.pread(self._file, 1, size - 1) != b"\n":
            if time.monotonic() > deadline_s:
                os.ftruncate(self._file, self._end_of_last_line(size))
                return
            time.sleep(_TAIL_POLL_S)

    def _end_of_last_line(self, size: int) -> int:
        start = size
        while start > 0:
            start = max(0, start - (1 << 20))
            if (found := os.pread(self._file, size - start, start).rfind(b"\n")) >= 0:
                return start + found + 1
        return 0

    def close(self) -> None:
        """Close the file; it closes by itself with the last that refers to this object."""
        self._close()


@final
class BatchedStorage(JournalStorage):
    """Optuna's journal storage, with several operations in one append."""

    def __init__(self, journal: JournalFile) -> None:
        self._batch: list[dict[str, Any]] | None = None
        self._listed: tuple[tuple[int, int], list[FrozenTrial]] | None = None
        super().__init__(journal)
        self._replay_result._last_created_trial_id_by_this_process = -1  # set on the first one only

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Operations inside reach the file together when the block ends without an error.

        Their effects, and what they return, can only be seen afterwards (but for a study's id).
        """
        self._batch = []
        try:
            yield
            logs = self._batch
        finally:
            self._batch = None
        if logs:
            self._backend.append_logs(logs)
            with self._thread_lock:
                self._sync_with_backend()

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Make a study and say its id; in a batch, the id that it gets as the batch ends."""
        if self._batch is None or study_name is None:
            return super().create_new_study(directions, study_name)
        named = {"study_name": study_name, "directions": directions}
        self._write_log(JournalOperation.CREATE_STUDY, named)
        return self._replay_result._next_study_id

    def _write_log(self, op_code: int, extra_fields: dict[str, Any]) -> None:
        if self._batch is None:
            super()._write_log(op_code, extra_fields)
        else:
            worker_id = self._replay_result.worker_id
            self._batch.append({"op_code": op_code, "worker_id": worker_id, **extra_fields})

    def _sync_with_backend(self) -> None:
        if self._batch is None:
            super()._sync_with_backend()

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """All trials; the same list as before while nothing new is in the file."""
        if deepcopy or states is not None:
            return super().get_all_trials(study_id, deepcopy, states)
        with self._thread_lock:
            self._sync_with_backend()
            key = (study_id, self._replay_result.log_number_read)
            if self._listed is None or self._listed[0] != key:
                by_id = self._replay_result._trials.__getitem__
                ids = self._replay_result._study_id_to_trial_ids[study_id]
                self._listed = (key, list(map(by_id, ids)))  # Optuna's own loop is 10 x slower
            return self._listed[1]

    @property
    def last_created_trial_id(self) -> int:
        """Id of the trial that this process created last."""
        return self._replay_result._last_created_trial_id_by_this_process
