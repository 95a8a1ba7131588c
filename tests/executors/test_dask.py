"""Dask workers that die, close or are not there, and askers that die before them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.errors import InputError, SpiketuneError
from spiketune.executors.lease import claim, read_end, write_result
from spiketune.executors.registry import make_executor
from spiketune.messages import Failure, Report, Result, to_json
from tests.executors.clusters import shared_cluster
from tests.executors.test_contract import TESTS, collect, ends, job
from tests.study.support import document, loop_of, make

pytest.importorskip("distributed")

from distributed import Client, LocalCluster

from spiketune.executors import dask, dask_attempt, dask_workers
from spiketune.executors.dask import DaskExecutor
from spiketune.executors.dask_workers import ExistingWorkers, LocalWorkers

ROOT = Path(TESTS).parent
# Starting a cluster takes five processes with all of Dask: two minutes where ten want a core.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def own_cluster():
    """A cluster of one worker that a test may maltreat, and an executor on it."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    ) as cluster:
        executor = DaskExecutor(ExistingWorkers(cluster.scheduler_address), base_folder=TESTS)
        yield cluster, executor
        executor.close()


def worker_pid(folder):
    return int((folder / "00000/attempt-1/supervisor.json").read_text().split()[1])


def test_a_killed_worker_loses_its_attempt_once_and_is_replaced(own_cluster, tmp_path):
    _, executor = own_cluster
    executor.submit(job(tmp_path, 0, "lasts"))
    assert isinstance(executor.events(60.0)[0], Report)
    os.kill(worker_pid(tmp_path), signal.SIGKILL)
    (end,) = ends(collect(executor, 1))
    assert isinstance(end, Failure)
    assert (end.kind, "went away" in end.message) == ("worker_lost", True)
    executor.submit(job(tmp_path, 1, "number"))
    assert isinstance(ends(collect(executor, 1))[0], Result)
    assert not (tmp_path / "log").exists()  # the engine ran the task again, but not the trial


def test_a_child_that_saw_its_worker_die_and_wrote_a_checkpoint_is_preempted(own_cluster, tmp_path):
    _, executor = own_cluster
    executor.submit(job(tmp_path, 0, "waits_for_stop"))
    assert isinstance(executor.events(60.0)[0], Report)
    os.kill(worker_pid(tmp_path), signal.SIGKILL)
    (end,) = ends(collect(executor, 1))
    assert (end.kind, (tmp_path / "00000/checkpoints/step").exists()) == ("preempted", True)


@pytest.mark.parametrize(("lifetime", "kind"), [("4s", "walltime"), (None, "preempted")])
def test_a_worker_that_closes_waits_for_the_checkpoint_and_says_why(tmp_path, lifetime, kind):
    with LocalCluster(
        n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        extra = ("--lifetime", lifetime) if lifetime else ()
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address),
                *("--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard", *extra),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        try:
            executor = DaskExecutor(ExistingWorkers(cluster.scheduler_address), base_folder=TESTS)
            executor.submit(job(tmp_path, 0, "leaves_slowly"))
            assert isinstance(executor.events(60.0)[0], Report)
            if not lifetime:
                worker.send_signal(signal.SIGTERM)
            (end,) = ends(collect(executor, 1))
            assert end.kind == kind
            assert (tmp_path / "00000/checkpoints/step").exists()
            worker.wait(timeout=20)
            executor.close()
        finally:
            worker.kill()
            worker.wait()


def test_an_attempt_that_was_claimed_is_not_run_again_but_told(tmp_path):
    attempt = job(tmp_path)
    folder = Path(attempt.folder)
    folder.mkdir(parents=True)
    claim(folder, "dask", dask_attempt.SUPERVISOR)
    written = Result(0, 1, {"loss": 0.5})
    write_result(folder, written)
    assert dask_attempt.run(to_json(attempt), "", 1.0) == to_json(written)


def test_a_claim_whose_worker_is_gone_is_a_lost_worker(tmp_path):
    attempt = job(tmp_path)
    folder = Path(attempt.folder)
    folder.mkdir(parents=True)
    (folder / dask_attempt.SUPERVISOR).write_text("another-host 1 dask\n")
    os.utime(folder / dask_attempt.SUPERVISOR, (0, 0))
    end = dask_attempt.end_of_another(attempt, settle_s=0.0)
    assert (end.kind, end.message) == ("worker_lost", "the Dask worker on another-host went away")


def test_what_became_of_a_killed_child_is_in_its_folder_should_dask_lose_it(tmp_path):
    executor = DaskExecutor(ExistingWorkers(shared_cluster()), base_folder=TESTS)
    executor.submit(job(tmp_path, 0, "killed"))
    (end,) = ends(collect(executor, 1))
    executor.close()
    assert end.kind == "worker_lost"
    assert read_end(tmp_path / "00000/attempt-1") == end


def test_a_client_that_closed_is_not_asked_for_an_end(tmp_path):
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as client,
    ):
        future = client.submit(dask_attempt.run, "", "", 1.0)
    assert dask._end(job(tmp_path), future) is None


def test_an_attempt_that_its_asker_took_back_keeps_no_worker_waiting(tmp_path):
    attempt = job(tmp_path)
    folder = Path(attempt.folder)
    folder.mkdir(parents=True)
    claim(folder, "", dask_attempt.SUPERVISOR)  # as an asker does, which lives on
    text = dask_attempt.run(to_json(attempt), "", 1.0)
    assert '"preempted"' in text
    assert "taken back before it began" in text


def test_a_worker_that_does_not_see_the_studys_folder_says_so(tmp_path):
    text = dask_attempt.run(to_json(job(tmp_path / "nowhere")), "", 1.0)
    assert "must lie on a file system that asker and workers share" in text


_ASKER = """
import sys, time
from pathlib import Path
from spiketune.executors.dask import DaskExecutor
from spiketune.executors.dask_workers import ExistingWorkers
from tests.executors.test_contract import job, TESTS
executor = DaskExecutor(ExistingWorkers(sys.argv[2]), base_folder=TESTS)
executor.submit(job(Path(sys.argv[1]), 0, "lasts", time_limit_s=60.0))
while not executor.events(60.0):  # its first report
    pass
print("begun", flush=True)
time.sleep(600)
"""


def test_an_attempt_outlives_its_killed_asker_and_is_adopted(own_cluster, tmp_path):
    cluster, executor = own_cluster  # the shared one may be busy with what other tests left
    asker = subprocess.Popen(
        [sys.executable, "-c", _ASKER, str(tmp_path), cluster.scheduler_address],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    asker.stdout.readline()
    asker.kill()
    asker.wait()
    asker.stdout.close()
    assert executor.adopt(job(tmp_path, 0, "lasts")) == "0"
    assert executor.adopt(job(tmp_path, 7)) is None
    messages = collect(executor, 1)
    assert [type(message).__name__ for message in messages] == ["Report", "Result"]
    assert (tmp_path / "log").read_text() == "0\n"


def test_an_attempt_that_nobody_began_is_not_adopted_and_can_no_longer_begin(tmp_path):
    executor = DaskExecutor(ExistingWorkers(shared_cluster()), base_folder=TESTS)
    attempt = job(tmp_path)
    Path(attempt.folder).mkdir(parents=True)
    assert executor.adopt(attempt) is None
    with pytest.raises(FileExistsError):
        claim(Path(attempt.folder), "dask", dask_attempt.SUPERVISOR)
    executor.close()


def test_an_attempt_that_waits_for_a_worker_is_cancelled_at_once(own_cluster, tmp_path):
    _, executor = own_cluster
    executor.submit(job(tmp_path, 0, "waits_for_stop"))
    assert isinstance(executor.events(60.0)[0], Report)
    executor.submit(job(tmp_path, 1, "number"))
    executor.cancel(1)
    (end,) = ends(collect(executor, 1))
    assert (end.number, end.kind, end.message) == (1, "preempted", "cancelled before it began")


def test_a_study_runs_on_workers_of_its_own_that_listen_on_loopback(tmp_path):
    make(tmp_path / "s", document("killed_once", budget={"trials": 3}))
    workers = LocalWorkers(2)
    assert {listener.listen_address for listener in workers._cluster.scheduler.listeners} == {
        workers._cluster.scheduler_address
    }
    assert "127.0.0.1" in workers._cluster.scheduler_address
    loop, storage = loop_of(tmp_path / "s", DaskExecutor(workers, base_folder=TESTS))
    assert loop.run() == "budget"
    for trial in storage.trials():
        assert trial.state == TrialState.COMPLETE
        outcomes = [attempt["outcome"] for attempt in trial.user_attrs["attempts"]]
        assert outcomes == ["worker_lost", "finished"]


def test_a_worker_that_dask_gives_up_is_replaced(tmp_path, monkeypatch):
    import dask

    monkeypatch.setattr(dask_workers, "_REPLACE_EVERY_S", 0.2)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "10ms"}):
        workers = LocalWorkers(1)
        executor = DaskExecutor(workers, base_folder=TESTS)
        executor.submit(job(tmp_path, 0, "lasts"))
        assert isinstance(executor.events(60.0)[0], Report)
        os.kill(worker_pid(tmp_path), signal.SIGKILL)
        assert ends(collect(executor, 1))[0].kind == "worker_lost"
        executor.submit(job(tmp_path, 1))
        assert isinstance(ends(collect(executor, 1, limit_s=90.0))[0], Result)
        executor.close()


def test_a_cluster_that_goes_away_ends_the_session_with_the_remedy(own_cluster, tmp_path):
    cluster, executor = own_cluster
    assert executor.free_slots == 1
    cluster.close()
    client, deadline_s = executor._workers.client, time.monotonic() + 60.0
    while client.status != "closed" and time.monotonic() < deadline_s:
        time.sleep(0.05)
    executor._workers._counted_s = float("-inf")
    assert executor.free_slots == 1  # the last answer stands
    with pytest.raises(SpiketuneError, match=r"scheduler went away; .* `spiketune resume` goes on"):
        executor.submit(job(tmp_path))
    executor.close()


def test_an_address_where_nobody_answers_is_told_in_bounded_time(monkeypatch):
    monkeypatch.setattr(dask_workers, "CONNECT_S", 0.3)
    config = ExecutorConfig(name="dask", address="tcp://127.0.0.1:9")
    began_s = time.monotonic()
    with pytest.raises(InputError, match="no Dask scheduler answers at tcp://127"):
        make_executor(config, {"function": "targets:number"}, TESTS)
    assert time.monotonic() - began_s < 20.0


def test_a_cluster_without_workers_is_told(monkeypatch):
    monkeypatch.setattr(dask_workers, "_FIRST_WORKER_S", 0.1)
    with (
        LocalCluster(
            n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        pytest.raises(InputError, match="has no worker; start some with `dask worker tcp://"),
    ):
        ExistingWorkers(cluster.scheduler_address)


@pytest.mark.parametrize(
    "config",
    [ExecutorConfig(name="dask"), ExecutorConfig(name="slurm", mode="workers", memory="1G")],
)
def test_a_missing_extra_is_named(monkeypatch, config):
    for name in [n for n in sys.modules if n.startswith("spiketune.executors.dask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs an extra .*pip install 'spiketune\[cluster\]'"):
        make_executor(config, {"function": "targets:number"}, TESTS)
