"""Programs as objectives: real scripts, in every way that they can end."""

import contextlib
import json
import os
import sys
import time
from pathlib import Path

import pytest

from spiketune.errors import ConfigError
from spiketune.executors.local import LocalExecutor
from spiketune.messages import Failure, Job, Result
from spiketune.objectives.command import check_command
from spiketune.objectives.execution import execute
from tests.executors.test_contract import collect, ends

PYTHON = [sys.executable, "-S"]  # starts in 10 ms
SAY = 'import os, sys, pathlib; out = pathlib.Path(os.environ["SPIKETUNE_OUT_DIR"]); '
DONE = '(out / "s.txt").write_text("acc 0.5\\nfinished 1\\n")'


def job(folder, code, params=None, result=None, number=0, time_limit_s=None, **section):
    trial = {
        "command": [*PYTHON, "-c", SAY.replace("{", "{{") + code],
        "params": params or {},
        "result": result or {"file": "s.txt"},
        **section,
    }
    place = folder / f"{number:05d}"
    return Job(
        study="test",
        number=number,
        attempt=1,
        section=trial,
        params=trial["params"],
        seed=7,
        study_seed=3,
        folder=str(place / "attempt-1"),
        checkpoint_folder=str(place / "checkpoints"),
        base_folder=str(folder),
        objectives=("acc",),
        time_limit_s=time_limit_s,
    )


def run(folder, code, stop=lambda: False, **fields):
    reports = []
    return execute(job(folder, code, **fields), reports.append, stop), reports


def test_values_reach_the_program_whole_and_its_figures_come_back(tmp_path):
    text = "a b\"c' $(d)\n*"
    code = (
        'import json; (out / "args.json").write_text(json.dumps([sys.argv[1:], os.getcwd(), '
        f'os.environ["RATE"], os.environ["SPIKETUNE_SEED"], "HOME" in os.environ])); {DONE}'
    )
    end, _ = run(
        tmp_path,
        code,
        params={"lr": 1e-05, "text": text, "bn": True, "no": False},
        env={"RATE": "{lr}", "HOME": None},
    )
    assert isinstance(end, Result), end
    assert end.metrics == {"acc": 0.5}
    out = tmp_path / "00000" / "output"
    args, cwd, rate, seed, home = json.loads((out / "args.json").read_text())
    assert args == ["--lr", "1e-05", "--text", text, "--bn"]
    assert (cwd, rate, seed, home) == (str(tmp_path), "1e-05", "7", False)
    assert end.details["output_dir"] == str(out)


def test_a_shell_line_runs_with_its_pipe(tmp_path):
    (tmp_path / "sub").mkdir()
    end, _ = run(
        tmp_path,
        "",
        command="printf 'acc %s\\n' {x} | tee {out_dir}/s.txt; pwd",
        params={"x": 0.25, "unused": 1},
        shell=True,
        append=False,
        cwd="sub",
    )
    assert end.metrics == {"acc": 0.25}
    log = (tmp_path / "00000/output/attempt-1.out").read_text()
    assert log.splitlines() == ["acc 0.25", str(tmp_path / "sub")]


def test_figures_come_from_json_and_from_standard_output(tmp_path):
    code = 'print("loss=2e-3"); (out / "r.json").write_text("{{\\"acc\\": 1, \\"per\\": [1, 2]}}")'
    result = {"file": "r.json", "stdout": {"loss": r"loss=(\S+)"}}
    end, _ = run(tmp_path, code, result=result)
    assert end.metrics == {"acc": 1.0, "loss": 0.002}
    assert end.details["per"] == (1.0, 2.0)


def test_what_the_program_prints_becomes_its_learning_curve(tmp_path):
    code = f'[print("epoch", e, "acc", e / 10, flush=True) for e in (1, 2, 3)]; {DONE}'
    reports = r"epoch (?P<fidelity>\d+) acc (?P<acc>\S+)"
    end, told = run(tmp_path, code, result={"file": "s.txt", "reports": reports})
    assert [(r.fidelity, r.metrics["acc"]) for r in told] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert end.fidelity == 3


def test_a_program_that_says_it_did_not_finish_counts_as_stopped(tmp_path):
    end, _ = run(tmp_path, DONE.replace("finished 1", "finished 0"))
    assert (end.ended, end.metrics) == ("stopped", {"acc": 0.5})


@pytest.mark.parametrize(("keep", "kept"), [("acc > 0.4", True), ("acc > x", False)])
def test_the_output_of_a_trial_that_is_not_worth_it_goes(tmp_path, keep, kept):
    result = {"file": "s.txt", "keep": keep}
    end, _ = run(tmp_path, DONE, params={"x": 1}, result=result)
    assert end.metrics == {"acc": 0.5}
    assert end.details["kept"] is kept
    assert (tmp_path / "00000" / "output").exists() is kept


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("sys.exit(3)", "crash", "exited with status 3, and said nothing"),
        ('sys.exit("no such layer")', "crash", "exited with status 1: no such layer"),
        ('raise ValueError("bad rate")', "crash", "ValueError: bad rate"),
        ('raise MemoryError("no more")', "oom", "MemoryError: no more"),
        ("os.kill(os.getpid(), 9)", "worker_lost", "died by SIGKILL"),
        ("os.abort()", "crash", "died by SIGABRT"),
        ("os.kill(os.getpid(), 40)", "crash", "died by signal 40"),
        ("pass", "crash", "the program ended without writing"),
        ('(out / "s.txt").write_text("")', "crash", "is empty"),
        ('(out / "s.txt").write_text("???")', "crash", "line 1 is no 'keyword value'"),
        ('(out / "s.txt").write_text("loss 1")', "missing", "'acc' is missing from the result"),
        ('(out / "s.txt").write_text("acc good")', "crash", "'acc' is no number: 'good'"),
        ('(out / "s.txt").write_text("acc nan")', "nan", "'acc' is nan"),
    ],
)
def test_each_way_to_fail_has_its_kind_and_its_words(tmp_path, code, kind, words):
    end, _ = run(tmp_path, code)
    assert isinstance(end, Failure)
    assert (end.kind, words in end.message) == (kind, True), end


def test_a_program_behind_a_shell_that_was_killed_is_known_by_its_signal(tmp_path):
    end, _ = run(tmp_path, "", command="sh -c 'kill -9 $$'; exit $?", shell=True)
    assert (end.kind, "SIGKILL" in end.message) == ("worker_lost", True), end


def test_a_status_above_all_signals_is_told_as_a_status(tmp_path):
    end, _ = run(tmp_path, "", command="exit 255", shell=True)
    assert (end.kind, "exited with status 255" in end.message) == ("crash", True), end
    end, _ = run(tmp_path, "", command="exit 192", shell=True)
    assert "died by SIGRTMAX" in end.message, end


def test_a_summary_of_an_earlier_attempt_is_not_taken_for_this_one(tmp_path):
    run(tmp_path, DONE)
    end, _ = run(tmp_path, "pass")
    assert "ended without writing" in end.message


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "00000").write_text("in the way")
    end, _ = run(tmp_path, DONE)
    assert (end.kind, "output folder" in end.message) == ("crash", True), end


def test_a_metric_that_standard_output_lacks_is_named_with_its_pattern(tmp_path):
    end, _ = run(tmp_path, "pass", result={"stdout": {"acc": "acc (.*)"}})
    assert end.kind == "missing"
    assert "nothing matches 'acc (.*)' for 'acc'" in end.message


def test_a_program_that_vanished_after_the_first_check_is_named(tmp_path):
    end, _ = run(tmp_path, "", command="./gone --x 1")
    assert "'./gone' cannot be found" in end.message


# A program and a child of it, both deaf to SIGTERM, say who they are and wait for ever.
DEAF = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); pid = os.fork(); "
    "(out / str(os.getpid())).touch(); time.sleep(600)"
)


def pids_in(folder):
    return [int(path.name) for path in (folder / "00000/output").glob("[0-9]*")]


def gone(pid):
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.02)
                continue
        return True
    return False


def clean_up(folder):
    for pid in pids_in(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def test_a_time_limit_ends_the_program_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr("spiketune.objectives.program.TERM_GRACE_S", 0.2)
    try:
        end, _ = run(tmp_path, DEAF, time_limit_s=0.6)
        assert (end.kind, end.message) == ("timeout", "the program took longer than 0.6 s")
        pids = pids_in(tmp_path)
        assert len(pids) == 2
        assert all(map(gone, pids))
    finally:
        clean_up(tmp_path)


def test_a_trial_asked_to_leave_lets_its_program_say_goodbye(tmp_path):
    code = (
        'import signal, time; signal.signal(15, lambda *a: ((out / "bye").touch(), sys.exit(0)));'
        '(out / "up").touch(); time.sleep(600)'
    )
    up = tmp_path / "00000/output/up"
    end, _ = run(tmp_path, code, stop=up.exists)
    assert end.kind == "preempted"
    assert (tmp_path / "00000/output/bye").exists()


@pytest.mark.parametrize("kill", [False, True])
def test_a_cancelled_worker_takes_its_program_along(tmp_path, kill):
    executor = LocalExecutor(1, preload=["spiketune.objectives.command"])
    try:
        executor.submit(job(tmp_path, DEAF if kill else "import time; time.sleep(600)"))
        deadline_s = time.monotonic() + 20
        wanted = 2 if kill else 0
        while len(pids_in(tmp_path)) < wanted and time.monotonic() < deadline_s:
            executor.events(0.02)
        executor.cancel(0, kill=kill)
        (end,) = ends(collect(executor, 1))
        assert end.kind == ("worker_lost" if kill else "preempted")
        assert all(map(gone, pids_in(tmp_path)))
    finally:
        executor.close()
        clean_up(tmp_path)


def test_a_worker_that_exits_leaves_nothing_of_its_program_behind(tmp_path):
    code = f"{DONE}; os.fork() or ((out / str(os.getpid())).touch(), __import__('time').sleep(600))"
    executor = LocalExecutor(1, preload=["spiketune.objectives.command"])
    try:
        executor.submit(job(tmp_path, code + "; __import__('time').sleep(0.2)"))
        (end,) = ends(collect(executor, 1))
        assert isinstance(end, Result)
        assert all(map(gone, pids_in(tmp_path)))
        assert len(pids_in(tmp_path)) == 1
    finally:
        executor.close()
        clean_up(tmp_path)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"command": "no-such-program --x"}, "'no-such-program' cannot be found on the PATH"),
        ({"command": "./train.sh"}, "'./train.sh' cannot be found from"),
        ({"command": "{python} gone.py"}, "no script 'gone.py' in"),
        ({"command": "{python}", "cwd": "gone"}, "trial.cwd: no folder"),
        ({"command": "{python} {x:d}", "params": {"x": 0.5}}, "{x:d}: Unknown format code"),
        ({"command": "{python} {x}", "params": {"x": [{}]}}, "trial.params.x: {} cannot stand"),
    ],
)
def test_what_is_missing_is_known_before_the_first_trial(tmp_path, section, message):
    with pytest.raises(ConfigError) as error:
        check_command({"result": {"file": "s.txt"}, **section}, str(tmp_path))
    assert message in str(error.value)
    check_command({"result": {"file": "s.txt"}, "command": "{python} -c 0"}, str(tmp_path))
