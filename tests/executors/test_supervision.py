"""Attempts in a child of a worker that others started, and file servers that hang for a moment."""

import errno
import os
from pathlib import Path

import pytest

from spiketune.executors.attempt_folder import STOP_FILE, asked
from spiketune.executors.local import LocalExecutor
from spiketune.executors.scheduled import Watch
from spiketune.executors.supervision import supervise
from spiketune.messages import Result
from tests.executors.test_contract import TESTS, job


@pytest.fixture
def local():
    made = LocalExecutor(1, base_folder=TESTS)
    yield made
    made.close()


@pytest.fixture
def stale(monkeypatch):
    """The file server knows none of the words of an asker while this is true."""
    stat, hangs = os.stat, [True]

    def answer(path, *arguments, **options):
        if hangs[0] and str(path).endswith(("/stop", "/kill")):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", answer)
    return hangs


def test_a_file_server_that_does_not_answer_has_not_asked(tmp_path, stale):
    (tmp_path / STOP_FILE).touch()
    assert not asked(tmp_path, STOP_FILE)
    stale[0] = False
    assert asked(tmp_path, STOP_FILE)
    assert not asked(tmp_path / ("x" * 1000), STOP_FILE)  # no server is needed for an error


def test_a_child_ends_in_its_result_while_the_file_server_hangs(tmp_path, local, stale):
    end = supervise(job(tmp_path), local)
    assert isinstance(end, Result)


def test_the_watch_of_a_scheduled_job_outlives_a_file_server_that_hangs(tmp_path, stale):
    watch = Watch(tmp_path, None, 0.0, 0.0, grace_s=60.0)
    (tmp_path / STOP_FILE).touch()
    watch.look()
    assert watch.reason() is None
    stale[0] = False
    watch.look()
    assert watch.reason() == ("preempted", "asked to leave")


def test_a_supervisor_that_fails_leaves_its_worker_free_for_the_next_attempt(tmp_path, local):
    def broken():
        raise OSError("the worker's state cannot be read")

    with pytest.raises(OSError, match="cannot be read"):
        supervise(job(tmp_path, 0, "waits_for_stop"), local, broken)
    assert local.free_slots == 1
    assert isinstance(supervise(job(tmp_path, 1), local), Result)
    assert not Path(tmp_path, "00000/attempt-1/result.json").exists()
