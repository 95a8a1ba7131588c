"""Scheduler jobs: scripts and verdicts anywhere, whole studies where a SLURM is there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from spiketune.api import Study
from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.errors import InputError
from spiketune.executors.lease import claim, read_lease
from spiketune.executors.lsf import Lsf
from spiketune.executors.scheduled import Watch, asker_file
from spiketune.executors.scheduled import main as scheduled
from spiketune.executors.scheduler import script_of
from spiketune.executors.scheduler_jobs import SchedulerJobsExecutor
from spiketune.executors.slurm import Slurm
from spiketune.messages import Failure, Report, Result, to_json
from spiketune.study.attempts import read_end
from spiketune.study.records.folder import StudyFolder
from tests.executors.clusters import need
from tests.executors.test_contract import collect, ends, job
from tests.study.support import TESTS, document, loop_of, make
from tests.study.test_crash import finish, start

ALL_KEYS = {
    "walltime": "26h30m",
    "memory": "1.5GB",
    "cores_per_job": 4,
    "gpus_per_job": 2,
    "queue": "gpu",
    "account": "neuro",
    "constraint": "a100",
    "prologue": ["module load cuda"],
    "launcher": "apptainer exec x.sif",
}


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A folder first on the path, where a test puts commands of a scheduler that misbehaves."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name, body):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)

    return write


def executor(scheduler=None, **keys):
    config = ExecutorConfig(**{"name": "slurm", "jobs": 2, "poll": 0.3, "memory": "200M", **keys})
    return SchedulerJobsExecutor(scheduler or Slurm(), config, base_folder=TESTS, settle_s=0.3)


def test_a_slurm_script_asks_for_everything_that_was_configured(tmp_path):
    config = ExecutorConfig(
        **{"name": "slurm", "qos": "long", "directives": ["--exclusive"], **ALL_KEYS}
    )
    lines = Slurm().directives(config, "a-name", tmp_path / "100%")
    text = script_of(lines, config, ["python", "-m", "x", "a b"])
    for option in (
        "--job-name=a-name",
        f"--output={tmp_path}/100%%/stdout",
        "--time=1-02:30:00",
        "--signal=B:USR1@120",
        "--mem=1536M",
        "--cpus-per-task=4",
        "--gres=gpu:2",
        "--partition=gpu",
        "--account=neuro",
        "--constraint=a100",
        "--qos=long",
        "--exclusive",
        "--no-requeue",
    ):
        assert option in text
    assert text.endswith("module load cuda\nexec apptainer exec x.sif python -m x 'a b'\n")
    assert text.startswith("#!/bin/bash\n#SBATCH ")


def test_an_lsf_script_asks_for_everything_that_was_configured(tmp_path):
    config = ExecutorConfig(**{"name": "lsf", "directives": ["-G team"], **ALL_KEYS})
    text = script_of(Lsf().directives(config, "a-name", tmp_path), config, ["python"])
    for option in (
        "-J a-name",
        "-W 26:30",
        "-wa USR1",
        "-wt 2",
        "-M 1536MB",
        "-n 4",
        "-gpu num=2",
        "-q gpu",
        "-P neuro",
        "-R 'select[a100]'",
        "-G team",
    ):
        assert f"#BSUB {option}\n" in text


def test_a_machine_without_the_scheduler_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="`sbatch` is not on this machine; start the study where"):
        executor().submit(job(tmp_path))


def test_a_refused_submission_is_kept_and_repeated_with_growing_pauses(
    tmp_path, commands, monkeypatch
):
    monkeypatch.setattr("spiketune.executors.scheduler_jobs._BACK_OFF_S", (0.05, 0.1))
    commands("sbatch", "echo 'Batch job submission failed: Socket timed out' >&2; exit 1")
    commands("squeue", "true")
    made = executor()
    with pytest.warns(UserWarning, match=r"Socket timed out; trying again in 0.05 s"):
        made.submit(job(tmp_path, 3))
    assert made.free_slots == 0  # nothing else is tried meanwhile
    refused = tmp_path / "00003/attempt-1/refused"
    assert refused.read_text() == "Batch job submission failed: Socket timed out\n"
    with pytest.warns(UserWarning, match=r"trying again in 0.1 s"):
        assert made.events(0.3) == []
    commands("sbatch", "echo 7")
    assert made.events(0.3) == []
    assert made.free_slots == 1
    assert (tmp_path / "00003/attempt-1/scheduler_job").read_text() == "7\n"


def test_a_first_job_that_can_never_run_ends_the_session_with_the_schedulers_words(
    tmp_path, commands
):
    commands("sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    with pytest.raises(InputError, match=r"slurm refused a job: .*invalid partition.*nope"):
        executor().submit(job(tmp_path))


def test_a_job_cancelled_before_it_was_accepted_ends(tmp_path, commands):
    commands("sbatch", "exit 1")
    made = executor()
    with pytest.warns(UserWarning, match="refused"):
        made.submit(job(tmp_path))
    made.cancel(0)
    (end,) = made.events(1.0)
    assert end.kind == "preempted"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("OUT_OF_MEMORY", "oom"),
        ("TIMEOUT", "walltime"),
        ("PREEMPTED", "preempted"),
        ("NODE_FAIL", "worker_lost"),
        ("FAILED", "crash"),
    ],
)
def test_a_job_that_left_no_result_fails_as_the_scheduler_says(tmp_path, commands, state, kind):
    commands("sbatch", "echo 7")
    commands("squeue", f"echo '7|{state}'")
    made = executor()
    made.submit(job(tmp_path))
    (tmp_path / "00000/attempt-1/stderr").write_text("module: command not found\n")
    (end,) = collect(made, 1)
    assert isinstance(end, Failure)
    assert end.kind == kind
    assert f"job 7 ({state})" in end.message
    if kind == "crash":
        assert "did not start: module: command not found" in end.message


def test_a_worker_that_started_and_left_nothing_is_lost(tmp_path, commands):
    commands("sbatch", "echo 7")
    commands("squeue", "echo '7|FAILED'")
    made = executor()
    made.submit(job(tmp_path))
    claim(tmp_path / "00000/attempt-1", "7")
    (end,) = collect(made, 1)
    assert end.kind == "worker_lost"


def test_a_silent_scheduler_says_nothing_about_its_jobs(tmp_path, commands):
    commands("sbatch", "echo 7")
    commands("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    made = executor()
    made.submit(job(tmp_path))
    assert made.events(1.2) == []
    folder = tmp_path / "00000/attempt-1"
    whole = to_json(Report(0, 1, 1.0, {"loss": 1.0})) + "\n"
    (folder / "metrics.jsonl").write_text(whole + whole[:20])
    (report,) = made.events(1.0)
    assert report.fidelity == 1.0
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(whole[20:])
    (folder / "result.json").write_text(to_json(Result(0, 1, {"loss": 0.5})))
    assert [type(m).__name__ for m in made.events(1.0)] == ["Report", "Result"]


def test_states_of_all_jobs_are_asked_for_at_once(tmp_path, commands):
    commands("sbatch", "echo $$")
    commands("squeue", f'echo "$@" >> {tmp_path}/asked; false')
    made = executor(jobs=5, poll=30.0)
    for number in range(5):
        made.submit(job(tmp_path, number))
    made.events(0.5)
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.partition("--jobs=")[2].count(",") == 4


def test_an_attempt_that_is_claimed_is_left_to_its_job(tmp_path):
    attempt = job(tmp_path, function="raises")
    folder = Path(attempt.folder)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(to_json(attempt))
    claim(folder, "6")
    done = subprocess.run(
        [sys.executable, "-m", "spiketune.executors.scheduled", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "another job has claimed" in done.stderr
    assert read_end(folder) is None
    assert read_lease(folder).job == "6"


def run_worker(attempt, *options, wait_for_report=True):
    folder = Path(attempt.folder)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(to_json(attempt))
    command = [sys.executable, "-m", "spiketune.executors.scheduled", str(folder), *options]
    worker = subprocess.Popen(command)
    deadline_s = time.monotonic() + 20
    while wait_for_report and time.monotonic() < deadline_s:
        if (folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").read_text():
            break
        time.sleep(0.02)
    return worker, folder


@pytest.mark.parametrize(
    ("options", "number", "kind"),
    [
        ((), signal.SIGUSR1, "preempted"),
        ((), signal.SIGTERM, "preempted"),
        (("--walltime=180", "--lead=120"), signal.SIGUSR1, "walltime"),
        (("--walltime=3600",), signal.SIGUSR1, "preempted"),
        (("--walltime=121", "--lead=120"), None, "walltime"),
        (("--grace=1",), None, "preempted"),
    ],
)
def test_a_worker_leaves_with_a_checkpoint_and_says_why(tmp_path, options, number, kind):
    worker, folder = run_worker(job(tmp_path, function="waits_for_stop"), *options)
    if number:
        worker.send_signal(number)
    assert worker.wait(timeout=20) == 0
    assert read_end(folder).kind == kind
    assert (folder.parent / "checkpoints/step").exists()


def test_a_warning_that_comes_before_the_worker_listens_does_not_end_its_job(tmp_path):
    """A prologue that takes its time gets the signal, then the worker starts all the same."""
    config = ExecutorConfig(name="slurm", prologue=["kill -USR1 $$", "echo still here"])
    script = tmp_path / "job.sh"
    script.write_text(script_of((), config, [sys.executable, "-c", "print('started')"]))
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split("\n")[:2]) == (0, ["still here", "started"])


def test_an_asker_that_lives_keeps_its_workers(tmp_path):
    folder = tmp_path / "trials/00000/attempt-1"
    folder.mkdir(parents=True)
    watch = Watch(folder, None, 0.0, 120.0, grace_s=0.2)
    for second in range(5):
        asker_file(folder).touch()
        os.utime(asker_file(folder), (second, second))
        watch.look()
        assert watch.reason() is None
        time.sleep(0.1)
    time.sleep(0.15)
    watch.look()
    assert watch.reason() == ("preempted", "no asker for 0.2 s")


def test_a_folder_without_a_job_is_an_error(tmp_path):
    (tmp_path / "job.json").write_text(to_json(Result(0, 1, {})))
    assert scheduled([str(tmp_path)]) == 2


# With a real SLURM.


@pytest.fixture
def slurm():
    need("slurm")


def study(path, function, n_trials, **keys):
    section = {"name": "slurm", "jobs": 2, "poll": 0.5, "memory": "200M", **keys}
    return make(path, document(function, budget={"trials": n_trials}, executor=section, seed=1))


def outcomes(trial):
    return [attempt["outcome"] for attempt in trial.user_attrs["attempts"]]


def test_a_study_runs_as_slurm_jobs_and_a_killed_job_is_tried_again(slurm, tmp_path):
    study(tmp_path / "s", "killed_once", 12)
    loop, storage = loop_of(tmp_path / "s", executor())
    assert loop.run() == "budget"
    assert [t.state for t in storage.trials()] == [TrialState.COMPLETE] * 12
    assert [outcomes(t) for t in storage.trials()] == [["worker_lost", "finished"]] * 12


def test_a_queued_job_is_cancelled(slurm, tmp_path):
    made = executor(directives=["--begin=now+1hour"])
    made.submit(job(tmp_path))
    made.cancel(0)
    (end,) = collect(made, 1)
    assert end.kind == "preempted"
    made.close()


def test_a_preempted_job_and_an_scancelled_one_are_preempted(slurm, tmp_path):
    made = executor()
    made.submit(job(tmp_path, 0, "waits_for_stop"))
    assert isinstance(made.events(60.0)[0], Report)
    job_id = (tmp_path / "00000/attempt-1/scheduler_job").read_text().strip()
    subprocess.run(["scancel", job_id], check=True)
    (end,) = ends(collect(made, 1))
    assert end.kind == "preempted"
    assert (tmp_path / "00000/checkpoints/step").exists()
    made.close()


def test_a_partition_that_does_not_exist_is_told_and_the_study_stays_resumable(slurm, tmp_path):
    study(tmp_path / "s", "number", 1)
    loop, storage = loop_of(tmp_path / "s", executor(queue="nowhere"))
    with pytest.raises(InputError, match="invalid partition specified: nowhere"):
        loop.run()
    storage.close()
    loop, storage = loop_of(tmp_path / "s", executor())
    assert loop.run() == "budget"
    assert [t.state for t in storage.trials()] == [TrialState.COMPLETE]


def test_jobs_outlive_a_killed_asker_and_are_adopted(slurm, tmp_path):
    path, log = tmp_path / "s", tmp_path / "log"
    section = {"name": "slurm", "jobs": 2, "poll": 0.5, "memory": "200M"}
    params = {"x": {"float": [0.0, 1.0]}, "log": {"choice": [str(log)]}}
    make(path, document("lasts", params, budget={"trials": 3}, executor=section))
    asker = start(path)
    folder = StudyFolder(path)
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        if (folder.attempt(0, 1) / "metrics.jsonl").exists():
            break
        time.sleep(0.05)
    asker.kill()
    asker.wait()
    asker.stdout.close()
    assert read_end(folder.attempt(0, 1)) is None
    assert read_lease(folder.attempt(0, 1)).alive()
    assert finish(start(path))[-1] == "budget"
    trials = Study(path).storage.trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 3
    assert [outcomes(t) for t in trials] == [["finished"]] * 3  # the first attempts, adopted
    assert sorted(log.read_text().split()) == ["0", "1", "2"]  # and none ran twice
    assert trials[0].user_attrs["reports"]["fidelity"] == [1.0]


def test_a_job_that_another_preempts_leaves_its_checkpoint(slurm, tmp_path):
    made = executor(jobs=1)
    made.submit(job(tmp_path, 0, "waits_for_stop"))
    assert isinstance(made.events(60.0)[0], Report)
    urgent = subprocess.run(
        ["sbatch", "--parsable", "--partition=urgent", "--exclusive", "--wrap=sleep 60"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    ).stdout.strip()
    try:
        (end,) = ends(collect(made, 1))
    finally:
        subprocess.run(["scancel", urgent], check=True)
    assert isinstance(end, Failure)
    assert end.kind == "preempted"
    assert (tmp_path / "00000/checkpoints/step").exists()
    made.close()


@pytest.mark.timeout(240)
def test_a_job_that_its_walltime_overtakes_is_told(slurm, tmp_path):
    made = executor(jobs=2, walltime="60s", lead="2s")
    made.submit(job(tmp_path, 0, "hangs"))
    made.submit(job(tmp_path, 1, "waits_for_stop"))
    found = {end.number: end for end in ends(collect(made, 2, limit_s=200.0))}
    assert found[1].kind == "walltime"  # left in time
    assert (tmp_path / "00001/checkpoints/step").exists()
    assert found[0].kind == "walltime"  # was ended by SLURM
    assert "job " in found[0].message
    made.close()
