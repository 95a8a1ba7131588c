"""What every executor must do; a new one is added to `EXECUTORS`."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spiketune.clock import VirtualClock
from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.executors.base import Executor
from spiketune.executors.inline import InlineExecutor
from spiketune.executors.local import LocalExecutor
from spiketune.executors.lsf import Lsf
from spiketune.executors.ranks import ranks
from spiketune.executors.scheduler_jobs import SchedulerJobsExecutor
from spiketune.executors.simulated import SimulatedExecutor
from spiketune.executors.slurm import Slurm
from spiketune.messages import Failure, Job, Message, Report, Result
from spiketune.objectives.execution import execute
from tests.executors.clusters import need, shared_cluster

TESTS = str(Path(__file__).parents[1])


def job(folder, number=0, function="number", attempt=1, **fields):
    place = folder / f"{number:05d}"
    slow_s = fields.pop("slow_s", 0.2)
    params = {"x": fields.pop("x", 0.25), "log": str(folder / "log"), "slow_s": slow_s}
    return Job(
        study="contract",
        number=number,
        attempt=attempt,
        section={"function": f"targets:{function}"},
        params=params,
        seed=number,
        study_seed=0,
        folder=str(place / f"attempt-{attempt}"),
        checkpoint_folder=str(place / "checkpoints"),
        base_folder=TESTS,
        objectives=fields.pop("objectives", ("loss",)),
        **fields,
    )


def _simulated() -> Executor:
    def script(job: Job):
        kinds = {"killed": "worker_lost", "raises": "crash", "hangs": "timeout"}
        name = job.section["function"].partition(":")[2]
        if name in kinds:
            return [(1.0, Failure(job.number, job.attempt, kinds[name], "as the script says"))]
        if name == "waits_for_stop":
            return [(1e6, Result(job.number, job.attempt, {"loss": 0.0}))]
        delay_s = 1.0 if job.params["x"] < 0.5 else 4.0
        return [(delay_s, Result(job.number, job.attempt, {"loss": job.params["x"]}))]

    return SimulatedExecutor(script, 2, VirtualClock())


def _scheduler_jobs(name: str) -> Callable[[], Executor]:
    def make() -> Executor:
        need(name)
        config = ExecutorConfig(name=name, jobs=2, poll=0.5, memory="200M")
        scheduler = {"slurm": Slurm, "lsf": Lsf}[name]()
        return SchedulerJobsExecutor(scheduler, config, base_folder=TESTS, settle_s=0.5)

    return make


def _mpi() -> Executor:
    if ranks()[0] < 2:
        pytest.skip("this is no rank of an MPI job; test_mpi.py runs these tests in one")
    from spiketune.executors.mpi import MpiExecutor

    return MpiExecutor(base_folder=TESTS)


def _dask() -> Executor:
    from spiketune.executors.dask import DaskExecutor
    from spiketune.executors.dask_workers import ExistingWorkers

    return DaskExecutor(ExistingWorkers(shared_cluster()), base_folder=TESTS)


EXECUTORS: dict[str, Callable[[], Executor]] = {
    "inline": lambda: InlineExecutor(execute),
    "local": lambda: LocalExecutor(2, base_folder=TESTS),
    "simulated": _simulated,
    "slurm": _scheduler_jobs("slurm"),
    "lsf": _scheduler_jobs("lsf"),
    "mpi": _mpi,
    "dask": _dask,
}
# An attempt that dies does not take the asker with it.
SUPERVISED = ("local", "simulated", "slurm", "lsf", "mpi", "dask")


@pytest.fixture(params=EXECUTORS)
def executor(request) -> Iterator[Executor]:
    made = EXECUTORS[request.param]()
    yield made
    made.close()


@pytest.fixture(params=SUPERVISED)
def supervised(request) -> Iterator[Executor]:
    made = EXECUTORS[request.param]()
    yield made
    made.close()


def collect(executor: Executor, n_ends: int, limit_s: float = 30.0) -> list[Message]:
    messages: list[Message] = []
    deadline_s = time.monotonic() + limit_s
    while sum(not isinstance(m, Report) for m in messages) < n_ends:
        if time.monotonic() > deadline_s:
            pytest.fail(f"only {messages} within {limit_s} s")
        messages += executor.events(1.0)
    return messages


def ends(messages):
    return [m for m in messages if not isinstance(m, Report)]


def test_an_attempt_ends_in_its_result_and_frees_its_slot(executor, tmp_path):
    free = executor.free_slots
    assert free == executor.n_workers
    executor.submit(job(tmp_path))
    assert executor.free_slots == free - 1
    (end,) = ends(collect(executor, 1))
    assert isinstance(end, Result)
    assert end.metrics["loss"] == 0.25
    assert executor.free_slots == free


def test_without_work_there_are_no_events(executor):
    assert list(executor.events(0.01)) == []


def test_an_objective_that_raises_is_a_crash(executor, tmp_path):
    executor.submit(job(tmp_path, function="raises"))
    (end,) = ends(collect(executor, 1))
    assert isinstance(end, Failure)
    assert end.kind == "crash"


def test_completions_come_out_of_order(supervised, tmp_path):
    here = isinstance(supervised, LocalExecutor | SimulatedExecutor)
    slow_s = 0.2 if here else 4.0  # elsewhere workers start slowly, and not at once
    supervised.submit(job(tmp_path, 0, "slow_if_large", x=0.9, slow_s=slow_s))
    supervised.submit(job(tmp_path, 1, "slow_if_large", x=0.1))
    assert [end.number for end in ends(collect(supervised, 2))] == [1, 0]


def test_a_worker_killed_in_a_trial_is_told_and_others_go_on(supervised, tmp_path):
    supervised.submit(job(tmp_path, 0, "killed"))
    supervised.submit(job(tmp_path, 1, "number"))
    found = {end.number: end for end in ends(collect(supervised, 2))}
    assert isinstance(found[0], Failure)
    assert found[0].kind == "worker_lost"
    assert isinstance(found[1], Result)


def test_a_trial_that_hangs_past_its_limit_is_ended(supervised, tmp_path, monkeypatch):
    monkeypatch.setattr("spiketune.executors.local.KILL_GRACE_S", 0.2)
    supervised.submit(job(tmp_path, 0, "hangs", time_limit_s=0.3))
    (end,) = ends(collect(supervised, 1))
    assert isinstance(end, Failure)
    assert end.kind == "timeout"


def test_a_cancelled_trial_leaves_as_preempted(supervised, tmp_path):
    supervised.submit(job(tmp_path, 0, "waits_for_stop"))
    if not isinstance(supervised, SimulatedExecutor):
        assert isinstance(supervised.events(20.0)[0], Report)
    supervised.cancel(0)
    (end,) = ends(collect(supervised, 1))
    assert isinstance(end, Failure)
    assert end.kind == "preempted"


def test_a_trial_cancelled_at_once_still_ends(supervised, tmp_path):
    supervised.submit(job(tmp_path, 0, "waits_for_stop"))
    supervised.cancel(0, kill=True)
    (end,) = ends(collect(supervised, 1))
    assert isinstance(end, Failure)
    assert end.kind == "worker_lost"


def test_cancelling_a_trial_that_does_not_run_is_passed_over(executor):
    executor.cancel(99)
    executor.cancel(99, kill=True)
    assert list(executor.events(0.01)) == []


def test_closing_ends_work_in_flight_and_can_be_repeated(executor, tmp_path):
    executor.submit(job(tmp_path, 0, "number"))
    executor.close()
    executor.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().split()[2] != "Z"
