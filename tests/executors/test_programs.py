"""A program as a trial behaves alike under every executor, and dies with its trial."""

import time

import pytest

from spiketune.messages import Result
from tests.executors.test_contract import EXECUTORS, collect, ends
from tests.objectives.test_command import DEAF, DONE, clean_up, gone, job, pids_in

SLEEPS = '(out / str(os.getpid())).touch(); __import__("time").sleep(600)'


@pytest.fixture(params=[name for name in EXECUTORS if name != "simulated"])
def executor(request):
    made = EXECUTORS[request.param]()
    yield made
    made.close()


def test_a_program_runs_and_its_figures_come_back(executor, tmp_path):
    code = f"print(sys.argv[1:]); assert sys.argv[1:] == ['--lr', '1e-05', '--bn']; {DONE}"
    executor.submit(job(tmp_path, code, params={"lr": 1e-05, "bn": True}))
    (end,) = ends(collect(executor, 1))
    assert isinstance(end, Result), end
    assert end.metrics["acc"] == 0.5
    assert "1e-05" in (tmp_path / "00000/output/attempt-1.out").read_text()


@pytest.mark.parametrize(("code", "kill"), [(SLEEPS, False), (DEAF, True)])
def test_a_program_ends_with_its_trial_and_takes_its_children_along(executor, tmp_path, code, kill):
    if executor.submit(job(tmp_path, code)) == "inline":
        pytest.skip("nothing can be cancelled while it runs in this process")
    try:
        n_processes = 2 if kill else 1
        deadline_s = time.monotonic() + 30.0
        while len(pids_in(tmp_path)) < n_processes and time.monotonic() < deadline_s:
            executor.events(0.1)
        executor.cancel(0, kill=kill)
        (end,) = ends(collect(executor, 1))
        assert end.kind == ("worker_lost" if kill else "preempted")
        assert len(pids_in(tmp_path)) == n_processes
        assert all(map(gone, pids_in(tmp_path)))
    finally:
        clean_up(tmp_path)


def test_a_program_past_its_time_limit_is_ended_with_its_children(executor, tmp_path):
    try:
        executor.submit(job(tmp_path, DEAF, time_limit_s=1.5))
        (end,) = ends(collect(executor, 1))
        assert end.kind == "timeout"
        assert all(map(gone, pids_in(tmp_path)))
    finally:
        clean_up(tmp_path)
