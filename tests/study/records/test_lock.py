import errno
import fcntl
import os
import subprocess
import sys

import pytest

from spiketune.errors import InputError, StudyLockedError
from spiketune.study.records import lock as lock_module
from spiketune.study.records.lock import StudyLock
from tests.study.support import n_open_files


def test_a_second_asker_is_refused_and_told_who_holds_the_study(tmp_path):
    lock = StudyLock(tmp_path / "study.lock")
    assert StudyLock.is_held(tmp_path / "study.lock")
    with pytest.raises(StudyLockedError, match=f"pid {os.getpid()}"):
        StudyLock(tmp_path / "study.lock")
    lock.release()
    assert not StudyLock.is_held(tmp_path / "study.lock")
    StudyLock(tmp_path / "study.lock").release()


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code = (
        "import os, sys, pathlib; from spiketune.study.records.lock import StudyLock;"
        "lock = StudyLock(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "study.lock")], check=False)
    StudyLock(tmp_path / "study.lock").release()


def test_who_only_looks_at_the_lock_keeps_nobody_from_taking_it(tmp_path, monkeypatch):
    path = tmp_path / "study.lock"
    path.touch()
    with path.open("rb") as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)  # as `is_held` does for a moment
        monkeypatch.setattr(lock_module.time, "sleep", lambda s: fcntl.flock(looker, fcntl.LOCK_UN))
        with StudyLock(path):
            assert StudyLock.is_held(path)


def test_who_may_only_read_the_lock_sees_that_it_is_held(tmp_path):
    path = tmp_path / "study.lock"
    opens = os.open

    def open_as_another_user(name, flags, *mode, **kwargs):
        if flags & (os.O_WRONLY | os.O_RDWR):  # root may write to any file
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(name))
        return opens(name, flags, *mode, **kwargs)

    with StudyLock(path), pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", open_as_another_user)
        assert StudyLock.is_held(path)
    assert not StudyLock.is_held(path)


def test_a_lock_that_cannot_be_written_into_is_given_back(tmp_path, monkeypatch):
    path = tmp_path / "study.lock"

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = n_open_files()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(InputError, match=r"study\.lock: .*No space left on device"):
            StudyLock(path)
    assert n_open_files() == before
    StudyLock(path).release()
