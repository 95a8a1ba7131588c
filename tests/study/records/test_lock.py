import os
import subprocess
import sys

import pytest

from spiketune.errors import StudyLockedError
from spiketune.study.records.lock import StudyLock


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
