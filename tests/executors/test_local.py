import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.executors.lease import read_lease
from spiketune.executors.local import LocalExecutor, modules_to_preload
from spiketune.executors.registry import make_executor
from spiketune.executors.supervision import supervise
from spiketune.messages import Failure, Report, Result
from spiketune.study.attempts import read_end, read_reports
from tests.executors.test_contract import TESTS, alive, collect, ends, job


@pytest.fixture
def local():
    executor = LocalExecutor(2, base_folder=TESTS)
    yield executor
    executor.close()


def end_of(executor, submitted):
    executor.submit(submitted)
    (end,) = ends(collect(executor, 1))
    return end


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        ("raises", "crash", "ValueError: the objective does not like this"),
        ("not_a_number", "nan", "'loss' is nan"),
        ("lacks_objective", "missing", "'loss' is missing from the result; it holds accuracy"),
        ("out_of_memory", "oom", "MemoryError: no more"),
        ("out_of_numpys_memory", "oom", "MemoryError: Unable to allocate"),
        ("out_of_torchs_memory", "oom", "can't allocate memory"),
        ("out_of_cuda_memory", "oom", "OutOfMemoryError: CUDA out of memory"),
        ("exits", "crash", "SystemExit: 3"),
        ("killed", "worker_lost", "SIGKILL"),
        ("segfaults", "crash", "SIGSEGV"),
        ("dies_of_a_nameless_signal", "crash", "the worker died by signal 40"),
        ("absent", "crash", "module 'targets' has no 'absent'"),
    ],
)
def test_each_way_to_fail_has_its_kind_and_its_words(local, tmp_path, function, kind, words):
    end = end_of(local, job(tmp_path, 0, function))
    assert isinstance(end, Failure)
    assert (end.kind, words in end.message) == (kind, True), end


def test_a_module_that_cannot_be_imported_is_named(local, tmp_path):
    broken = job(tmp_path)
    object.__setattr__(broken, "section", {"function": "no_such_module:f"})
    end = end_of(local, broken)
    assert "cannot import 'no_such_module'" in end.message


@pytest.mark.parametrize(
    "function", ["forks_a_pool", "closes_its_output", "leaves_a_thread", "changes_folder"]
)
def test_an_objective_may_do_as_it_likes_with_its_own_process(local, tmp_path, function):
    assert isinstance(end_of(local, job(tmp_path, 0, function)), Result)
    assert isinstance(end_of(local, job(tmp_path, 1, "number")), Result)


def test_an_objective_that_exits_past_python_is_a_crash(local, tmp_path):
    end = end_of(local, job(tmp_path, 0, "exits_at_once"))
    assert (end.kind, end.message) == ("crash", "the worker exited with status 7")


def test_what_a_trial_prints_is_in_its_folder(local, tmp_path):
    submitted = job(tmp_path, 0, "talks", threads=3)
    end = end_of(local, submitted)
    folder = Path(submitted.folder)
    assert (folder / "stdout").read_text().splitlines() == ["to stdout", "from a shell"]
    assert (folder / "stderr").read_text() == "to stderr\n"
    assert end.metrics["threads"] == 3.0


def test_a_traceback_is_kept_in_stderr(local, tmp_path):
    submitted = job(tmp_path, 0, "raises")
    end_of(local, submitted)
    assert "Traceback" in (Path(submitted.folder) / "stderr").read_text()


def test_the_attempt_folder_holds_the_result_and_the_reports(local, tmp_path):
    submitted = job(tmp_path, 0, "quick")
    local.submit(submitted)
    messages = collect(local, 1)
    folder = Path(submitted.folder)
    assert read_end(folder) == messages[-1]
    assert read_reports(folder) == [m for m in messages if isinstance(m, Report)]
    assert len(messages) == 4


def test_an_attempt_that_is_claimed_already_is_not_run_again(local, tmp_path):
    submitted = job(tmp_path, 0, "quick")
    folder = Path(submitted.folder)
    folder.mkdir(parents=True)
    (folder / "lease.json").write_text("elsewhere 1\n")
    end = end_of(local, submitted)
    assert isinstance(end, Failure)
    assert not (tmp_path / "log").exists()


def test_processes_that_an_objective_leaves_behind_are_ended(local, tmp_path):
    end = end_of(local, job(tmp_path, 0, "leaves_a_grandchild"))
    assert isinstance(end, Result)
    pid = int((tmp_path / "log").read_text())
    deadline_s = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline_s:
        local.events(0.05)
    assert not alive(pid)


def test_a_killed_fork_server_is_replaced_and_its_trials_are_lost_not_forgotten(local, tmp_path):
    local.submit(job(tmp_path, 0, "waits_for_stop"))
    assert isinstance(local.events(60.0)[0], Report)
    pid = int((tmp_path / "00000/attempt-1/lease.json").read_text().split()[1])
    os.kill(local._server.pid, signal.SIGKILL)
    (end,) = ends(collect(local, 1))
    assert isinstance(end, Failure)
    assert end.kind == "worker_lost"
    deadline_s = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline_s:
        local.events(0.05)
    assert not alive(pid)
    assert isinstance(end_of(local, job(tmp_path, 1, "number")), Result)


_ASKER = """
import sys, time
from pathlib import Path
from spiketune.executors.local import LocalExecutor
from tests.executors.test_contract import job, TESTS
executor = LocalExecutor(1, base_folder=TESTS)
executor.submit(job(Path(sys.argv[1]), 0, sys.argv[2]))
executor.events(1.0)
print(executor._server.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("function", ["waits_for_stop", "hangs"])
def test_no_child_outlives_its_asker_by_more_than_two_seconds(tmp_path, function):
    root = str(Path(TESTS).parent)
    asker = subprocess.Popen(
        [sys.executable, "-c", _ASKER, str(tmp_path), function],
        stdout=subprocess.PIPE,
        cwd=root,
    )
    server = int(asker.stdout.readline())
    lease = tmp_path / "00000/attempt-1/lease.json"
    started_s = time.monotonic()
    while not (lease.exists() and lease.read_text()) and time.monotonic() < started_s + 30:
        time.sleep(0.01)
    child = int(lease.read_text().split()[1])
    assert alive(child)
    asker.kill()
    killed_s = time.monotonic()
    asker.wait()
    asker.stdout.close()
    while (alive(child) or alive(server)) and time.monotonic() < killed_s + 20:
        time.sleep(0.01)
    assert time.monotonic() - killed_s < 10  # 2 s, and some for a loaded machine


def test_installed_imports_of_a_function_are_preloaded_but_not_its_own_folder(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nimport helper\nfrom torch import nn\nimport not_installed_at_all\n"
    )
    (tmp_path / "helper.py").write_text("")
    assert modules_to_preload("mine:f", str(tmp_path)) == ("numpy", "torch")
    assert modules_to_preload("absent:f", str(tmp_path)) == ()


def test_more_workers_than_cores_are_warned_of(monkeypatch):
    monkeypatch.setattr("spiketune.executors.registry.n_cores", lambda: 1)
    with pytest.warns(UserWarning, match="2 workers share 1 cores; trials will slow each other"):
        executor = make_executor(ExecutorConfig(workers=2), {"function": "targets:number"}, TESTS)
    executor.close()


def test_a_supervisor_does_not_outlive_its_fork_server_that_another_thread_closes(tmp_path):
    """As on a Dask worker whose asker leaves: a thread that stays takes a place for ever."""
    for number in range(4):
        local = LocalExecutor(1, base_folder=TESTS)
        attempt = job(tmp_path, number, "waits_for_stop")

        def run(attempt=attempt, local=local):
            with contextlib.suppress(RuntimeError, ValueError, OSError):
                supervise(attempt, local)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        deadline_s = time.monotonic() + 60.0
        while read_lease(Path(attempt.folder)) is None and time.monotonic() < deadline_s:
            time.sleep(0.01)
        local.close()
        thread.join(20.0)
        assert not thread.is_alive()
