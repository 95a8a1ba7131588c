"""What every executor must do; a new one is added to `EXECUTORS`."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spiketune.clock import VirtualClock
from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.executors.attempt_folder import make_free
from spiketune.executors.base import Executor
from spiketune.executors.inline import InlineExecutor
from spiketune.executors.lease import read_end, read_lease
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
# An attempt that dies does not take the asker with it. `inline` has only the asker's process: it
# cannot be ended from outside, and runs one attempt after another.
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


def collect(executor: Executor, n_ends: int, limit_s: float = 60.0) -> list[Message]:
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


def test_a_trial_that_leaves_when_its_time_is_over_is_a_timeout(supervised, tmp_path):
    """It would be tried again as a preempted one, and take its whole time again."""
    if isinstance(supervised, SimulatedExecutor):
        pytest.skip("it has no time limits")
    supervised.submit(job(tmp_path, 0, "waits_for_stop", time_limit_s=0.5))
    (end,) = ends(collect(supervised, 1))
    assert isinstance(end, Failure)
    assert end.kind == "timeout"
    assert read_end(tmp_path / "00000/attempt-1").kind == "timeout"


def test_a_cancelled_trial_leaves_as_preempted(supervised, tmp_path):
    supervised.submit(job(tmp_path, 0, "waits_for_stop"))
    if not isinstance(supervised, SimulatedExecutor):
        assert isinstance(supervised.events(60.0)[0], Report)
    supervised.cancel(0)
    (end,) = ends(collect(supervised, 1))
    assert isinstance(end, Failure)
    assert end.kind == "preempted"


@pytest.mark.parametrize(("kill", "kind"), [(False, "preempted"), (True, "worker_lost")])
def test_a_trial_cancelled_before_it_began_still_ends(supervised, tmp_path, kill, kind):
    supervised.submit(job(tmp_path, 0, "waits_for_stop"))
    supervised.cancel(0, kill=kill)
    (end,) = ends(collect(supervised, 1))
    assert isinstance(end, Failure)
    assert end.kind == kind
    assert supervised.free_slots == supervised.n_workers


def test_an_inline_trial_that_waits_leaves_when_it_is_cancelled(tmp_path):
    executor = InlineExecutor(execute)
    executor.submit(job(tmp_path, 0, "waits_for_stop"))
    executor.cancel(0)
    (end,) = ends(executor.events(0.0))
    assert (end.kind, executor.free_slots) == ("preempted", 1)


def test_an_inline_trial_hears_of_a_second_signal_once_its_report_is_written(tmp_path):
    executor, written = InlineExecutor(execute), []

    def hear(report):
        executor.interrupt()
        executor.interrupt()
        written.append(report)

    executor.listen(hear)
    executor.submit(job(tmp_path, 0, "quick"))
    (end,) = executor.events(0.0)
    assert (end.message, len(written)) == ("ended by a second signal", 1)


def test_cancelling_a_trial_that_does_not_run_is_passed_over(executor):
    executor.cancel(99)
    executor.cancel(99, kill=True)
    assert list(executor.events(0.01)) == []


@pytest.mark.parametrize("name", [name for name in SUPERVISED if name != "simulated"])
def test_an_attempt_that_a_close_cut_short_can_be_made_again_in_its_folder(name, tmp_path):
    """As `confirm` and `retrain` do, which count no attempts."""
    first = EXECUTORS[name]()
    first.submit(job(tmp_path, 0, "waits_for_stop"))
    assert isinstance(first.events(60.0)[0], Report)
    first.close()
    folder = tmp_path / "00000/attempt-1"
    lease = read_lease(folder)
    deadline_s = time.monotonic() + 10.0
    while lease.alive() and read_end(folder) is None and time.monotonic() < deadline_s:
        time.sleep(0.05)
    make_free(folder)
    second = EXECUTORS[name]()
    second.submit(job(tmp_path, 0))
    (end,) = ends(collect(second, 1))
    second.close()
    assert isinstance(end, Result)


def test_a_result_that_arrives_twice_is_told_once(supervised, tmp_path):
    if isinstance(supervised, SimulatedExecutor):
        pytest.skip("it plays what it is given, also twice: the study loop is tested with that")
    supervised.submit(job(tmp_path, 0, "ends_twice"))
    messages = collect(supervised, 1)
    supervised.submit(job(tmp_path, 1, "slow_if_large", x=0.9, slow_s=2.0))
    messages += collect(supervised, 1)
    assert [end.number for end in ends(messages)] == [0, 1]
    assert all(isinstance(end, Result) for end in ends(messages))


def test_closing_forgets_what_has_not_begun_and_can_be_repeated(executor, tmp_path):
    executor.submit(job(tmp_path, 0, "number"))
    executor.close()
    executor.close()
    if not isinstance(executor, InlineExecutor | SimulatedExecutor):
        return  # they hold processes or connections, which are gone
    assert executor.free_slots == executor.n_workers
    assert list(executor.events(0.01)) == []


@pytest.mark.parametrize("asked_before", [False, True])
def test_closing_ends_the_process_of_a_trial(supervised, tmp_path, asked_before):
    """A trial that ignores the request to leave is ended if it was asked before the end."""
    if isinstance(supervised, SimulatedExecutor):
        pytest.skip("it has no processes")
    supervised.submit(job(tmp_path, 0, "hangs" if asked_before else "waits_for_stop"))
    pid = pid_of(supervised, tmp_path / "00000/attempt-1")
    assert alive(pid)
    if asked_before:
        supervised.cancel(0)
        assert ends(supervised.events(0.5)) == []
    supervised.close()
    deadline_s = time.monotonic() + 20.0
    while alive(pid) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not alive(pid)


def pid_of(executor, folder: Path, limit_s: float = 60.0) -> int:
    """Process of the attempt in a folder, once it is at work."""
    deadline_s = time.monotonic() + limit_s
    while (lease := read_lease(folder)) is None:
        assert time.monotonic() < deadline_s, "the attempt did not begin"
        assert ends(executor.events(0.1)) == []
    return lease.pid


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    try:
        return not state.exists() or state.read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False  # it ended between the two looks
