"""Schedulers that tests submit to: there only where someone started one for them."""

import atexit
import fcntl
import functools
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

LSF_STAND_IN = Path(__file__).parent / "lsf_stand_in"
_PATIENCE_S = 60.0


def is_there(name: str) -> bool:
    """Whether someone started the scheduler for tests."""
    started = os.environ.get("SPIKETUNE_TEST_SLURM") == "1" and shutil.which("sbatch") is not None
    return started and name in ("slurm", "lsf")


def need(name: str) -> None:
    """Skip the test unless the scheduler is there; LSF is a stand-in on top of SLURM."""
    if not is_there(name):
        pytest.skip("SPIKETUNE_TEST_SLURM=1 is not set; `make cluster-up` starts a test SLURM")
    if not _alone():
        pytest.fail("another process tests on this SLURM, and would preempt the jobs of this one")
    if name == "lsf" and str(LSF_STAND_IN) not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] += f"{os.pathsep}{LSF_STAND_IN}"


@functools.cache
def _alone() -> bool:
    """Whether no other process tests on this machine's SLURM; it is kept out from now on."""
    lock = (Path(tempfile.gettempdir()) / f"spiketune-slurm-tests-{os.getuid()}").open("w")
    atexit.register(lock.close)
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.5)
        else:
            return True
    return False


@functools.cache
def shared_cluster() -> str:
    """Address of a Dask cluster of two workers that all tests of a session share."""
    pytest.importorskip("distributed")
    import dask
    from distributed import LocalCluster

    # A worker that a test kills is given time to come back, on a busy machine too.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "600s"})
    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    )
    atexit.register(cluster.close)
    return cluster.scheduler_address
