"""Dask workers as scheduler jobs: scripts anywhere, whole studies where a SLURM is there."""

import os
import subprocess
import time

import pytest
from optuna.trial import TrialState

from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.errors import InputError
from spiketune.executors.registry import make_executor
from spiketune.messages import Failure, Report, Result
from tests.executors.clusters import need
from tests.executors.test_contract import TESTS, collect, ends, job
from tests.study.support import document, loop_of, make

pytest.importorskip("dask_jobqueue")

import dask

from spiketune.executors import jobqueue


@pytest.fixture(autouse=True)
def usual_patience():
    """The cluster that other tests share waits ten minutes for a worker that went away."""
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "15s"}):
        yield


KEYS = {
    "mode": "workers",
    "walltime": "26h30m",
    "memory": "1.5GB",
    "cores_per_job": 4,
    "gpus_per_job": 2,
    "prologue": ["module load cuda"],
    "launcher": "apptainer exec x.sif",
    "interface": "lo",
}
SITE = {"queue": "gpu", "account": "neuro"}


def script(**keys):
    config = ExecutorConfig(**{**KEYS, **keys})
    options = jobqueue.cluster_options(config, "/base")
    del options["scheduler_options"]
    job_class = jobqueue._CLASSES[config.name].job_cls
    return job_class("tcp://127.0.0.1:1", "name", **options).job_script()


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        (
            {"name": "slurm", "qos": "long", "constraint": "a100", **SITE},
            (
                *("#SBATCH -p gpu", "#SBATCH -A neuro", "#SBATCH -t 26:30:00"),
                *("#SBATCH --mem=2G", "#SBATCH --cpus-per-task=4", "#SBATCH --gres=gpu:2"),
                *("#SBATCH --qos=long", "#SBATCH --constraint=a100", "#SBATCH --no-requeue"),
            ),
        ),
        (
            {"name": "lsf", "constraint": "a100", **SITE},
            (
                *("#BSUB -q gpu", '#BSUB -P "neuro"', "#BSUB -W 26:30", "#BSUB -n 4"),
                *("#BSUB -gpu num=2", "#BSUB -R 'select[a100]'"),
            ),
        ),
        (
            {"name": "pbs", **SITE},
            (
                *("#PBS -q gpu", "#PBS -A neuro", "#PBS -l walltime=26:30:00"),
                "#PBS -l select=1:ncpus=4:mem=1536mb:ngpus=2",
            ),
        ),
        (
            {"name": "oar", "constraint": "cluster='chifflot'", **SITE},
            (
                *("#OAR -q gpu", "#OAR --project neuro"),
                "#OAR -l /nodes=1/gpu=2/core=4,walltime=26:30:00",
                """#OAR -p 'cluster='"'"'chifflot'"'"''""",
            ),
        ),
        (
            {"name": "sge", **SITE},
            (
                *("#$ -q gpu", "#$ -P neuro", "#$ -l h_vmem=1536M", "#$ -l h_rt=26:30:00"),
                *("#$ -l gpu=2", "#$ -pe smp 4"),
            ),
        ),
        (
            {"name": "htcondor", "directives": ["+Group = neuro"]},
            (
                "request_gpus = 2",
                "+Group = neuro",
                "+MaxRuntime = 95400",
                "RequestCpus = MY.DaskWorkerCores",
            ),
        ),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_a_workers_script_asks_for_everything_that_was_configured(keys, lines):
    text = script(**keys)
    for line in lines:
        assert line in text.splitlines()
    for words in ("module load cuda", "apptainer exec x.sif", "export PYTHONPATH=/base"):
        assert words in text
    assert "--lifetime 95280s" in text  # leaves 120 s before the walltime
    assert text.rindex("--nthreads 1") > text.rindex("--nthreads 4")  # one attempt at a time
    assert "--interface lo" in text


def test_a_machine_without_the_scheduler_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    config = ExecutorConfig(name="oar", memory="1G")
    with pytest.raises(InputError, match="`oarsub` is not on this machine; start the study where"):
        make_executor(config, {"function": "targets:number"}, TESTS)


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """A folder first on the path: an `sbatch` that a test writes, and a silent `scancel`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(body, name="sbatch"):
        (folder / f"{name}.new").write_text(f"#!/bin/sh\n{body}\n")
        (folder / f"{name}.new").chmod(0o755)
        (folder / f"{name}.new").replace(folder / name)

    write("exit 0", "scancel")
    return write


def workers(**keys):
    config = ExecutorConfig(**{"name": "slurm", "mode": "workers", "memory": "300M", **keys})
    return make_executor(config, {"function": "targets:number"}, TESTS)


def test_a_first_job_that_is_refused_ends_the_session_with_the_schedulers_words(tmp_path, sbatch):
    sbatch("echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    made = workers(jobs=1)
    made.submit(job(tmp_path / "trials"))
    with pytest.raises(InputError, match=r"slurm refused a job: .*partition specified: nope; corr"):
        made.events(60.0)
    made.close()


def test_a_later_job_that_is_refused_is_submitted_again(tmp_path, sbatch, monkeypatch):
    monkeypatch.setattr(jobqueue, "_BACK_OFF_S", (0.05, 0.1))
    log = tmp_path / "log"
    refuse = "echo 'sbatch: error: Socket timed out' >&2; exit 1"
    first = f"[ $(wc -l < {log}) = 1 ]"
    sbatch(f"echo x >> {log}; {first} && echo Submitted batch job 7 || {{ {refuse}; }}")
    made = workers(adaptive={"min": 1, "max": 1})
    made.submit(job(tmp_path / "trials"))
    deadline_s = time.monotonic() + 20
    while not made._workers._submissions.accepted and time.monotonic() < deadline_s:
        made.events(0.1)
    made._workers._cluster.scale(2)
    with pytest.warns(UserWarning, match="Socket timed out; trying again"):
        made.events(2.0)
    n_before = len(log.read_text().split())
    with pytest.warns(UserWarning, match="Socket timed out; trying again"):
        made.events(2.0)
    made.close()
    assert n_before >= 2


# With a real SLURM.


@pytest.fixture
def slurm():
    need("slurm")


def test_a_study_runs_on_slurm_workers_and_a_killed_trial_is_tried_again(slurm, tmp_path):
    section = {"name": "slurm", "mode": "workers", "jobs": 2, "memory": "300M"}
    make(tmp_path / "s", document("killed_once", budget={"trials": 12}, executor=section))
    loop, storage = loop_of(tmp_path / "s", workers(jobs=2))
    assert loop.run() == "budget"
    assert len(storage.trials()) == 12
    for trial in storage.trials():
        assert trial.state == TrialState.COMPLETE
        outcomes = [attempt["outcome"] for attempt in trial.user_attrs["attempts"]]
        assert outcomes == ["worker_lost", "finished"]
    assert any((tmp_path / "s/workers").iterdir())  # what the workers said


@pytest.mark.timeout(240)
def test_a_worker_job_that_is_cancelled_gives_its_trial_back_and_is_replaced(slurm, tmp_path):
    made = workers(jobs=1)
    made.submit(job(tmp_path / "trials", 0, "waits_for_stop"))
    assert isinstance(collect_until_report(made), Report)
    for job_id in made._workers._cluster.workers.values():
        subprocess.run(["scancel", job_id.job_id], check=True)
    (end,) = ends(collect(made, 1))
    assert isinstance(end, Failure)
    assert end.kind == "preempted"
    assert (tmp_path / "trials/00000/checkpoints/step").exists()
    made.submit(job(tmp_path / "trials", 1))
    assert isinstance(ends(collect(made, 1, limit_s=150.0))[0], Result)
    made.close()


def test_a_worker_leaves_before_its_walltime(slurm, tmp_path):
    made = workers(jobs=1, walltime="70s", lead="62s")
    made.submit(job(tmp_path / "trials", 0, "waits_for_stop"))
    assert isinstance(collect_until_report(made), Report)
    (end,) = ends(collect(made, 1))
    assert end.kind == "walltime"
    made.close()


def collect_until_report(executor, limit_s=80.0):
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        for message in executor.events(1.0):
            return message
    pytest.fail("nothing was reported")
