"""Studies under mpirun: rank 0 asks, the others run trials in children."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from spiketune.api import Study
from spiketune.config.executor import Executor as ExecutorConfig
from spiketune.errors import InputError
from spiketune.executors.ranks import local_rank, ranks, without_ranks
from spiketune.executors.registry import make_executor
from tests.study.support import TESTS, document

ROOT = Path(TESTS).parent
CONTRACT = """
import sys
from spiketune.executors.mpi import release, serve
from spiketune.executors.ranks import ranks
if ranks()[1] > 0:
    serve()
    sys.exit(0)
import pytest
status = pytest.main(
    ["-q", "--color=no", "-p", "no:cacheprovider", "-k", "mpi"]
    + ["tests/executors/test_contract.py", "tests/executors/test_programs.py"]
)
release()
sys.exit(status)
"""


def mpich(n_ranks, command, cwd):
    """Under MPICH's own launcher, of the wheel `mpich` in an environment of its own."""
    place = os.environ.get("SPIKETUNE_TEST_MPICH")
    if place is None:
        pytest.skip("SPIKETUNE_TEST_MPICH names no environment with the package mpich")
    return subprocess.run(
        [f"{place}/bin/mpiexec", "-n", str(n_ranks), sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**without_ranks(os.environ), "MPI4PY_LIBMPI": f"{place}/lib/libmpi.so.12"},
        check=False,
        timeout=100,
    )


def mpirun(n_ranks, *command, cwd=ROOT, library="openmpi"):
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed")
    if library == "mpich":
        return mpich(n_ranks, command, cwd)
    if shutil.which("mpirun") is None:
        pytest.skip("there is no mpirun on this machine")
    options = []
    version = subprocess.run(["mpirun", "--version"], capture_output=True, text=True, check=False)
    if "Open MPI" in version.stdout:
        options = ["--oversubscribe", *(["--allow-run-as-root"] if os.geteuid() == 0 else [])]
    return subprocess.run(
        ["mpirun", *options, "-n", str(n_ranks), sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=without_ranks(os.environ),
        check=False,
        timeout=100,
    )


def spiketune(n_ranks, folder, *arguments, library="openmpi"):
    command = ("-m", "spiketune.cli.main", *arguments)
    return mpirun(n_ranks, *command, cwd=folder, library=library)


def write(folder, function, n_trials, **executor):
    section = {"name": "mpi", **executor}
    content = document(function, budget={"trials": n_trials}, executor=section)
    (folder / "targets.py").write_text((Path(TESTS) / "targets.py").read_text())
    (folder / "study.yaml").write_text(yaml.safe_dump(content))


def test_launchers_tell_their_ranks():
    openmpi = {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "3"}
    assert ranks({**openmpi, "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}) == (8, 3, 4)
    assert ranks({"PMI_SIZE": "2", "PMI_RANK": "1"}) == (2, 1, 2)
    assert ranks({"PATH": "/bin"}) == (1, 0, 1)
    assert local_rank({**openmpi, "OMPI_COMM_WORLD_LOCAL_RANK": "1"}) == 1
    assert local_rank({"PMI_SIZE": "4", "PMI_RANK": "3"}) == 3
    assert without_ranks({**openmpi, "PMIX_RANK": "3", "PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.mark.skipif(ranks()[0] > 1, reason="this is an MPI job")
def test_a_single_rank_is_refused_with_the_remedy():
    with pytest.raises(InputError, match=r"at least two ranks.*mpirun -n 4 spiketune run FILE"):
        make_executor(ExecutorConfig(name="mpi"), {"function": "targets:number"}, TESTS)


def test_a_missing_extra_is_named(monkeypatch):
    for name in [n for n in sys.modules if n.startswith("spiketune.executors.mpi")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setattr("spiketune.executors.registry.ranks", lambda: (3, 0, 3))
    with pytest.raises(InputError, match=r"an extra .*pip install 'spiketune\[mpi\]'"):
        make_executor(ExecutorConfig(name="mpi"), {"function": "targets:number"}, TESTS)


def test_the_executor_contract_holds_on_three_ranks():
    done = mpirun(3, "-c", CONTRACT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
    assert "failed" not in done.stdout


@pytest.mark.parametrize("library", ["openmpi", "mpich"])
def test_a_study_runs_under_mpirun_and_a_killed_trial_leaves_the_job_alive(tmp_path, library):
    write(tmp_path, "killed_once", 4)
    done = spiketune(3, tmp_path, "run", "study.yaml", "--folder", "s", "--json", library=library)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)
    for trial in Study(tmp_path / "s").storage.trials():
        outcomes = [attempt["outcome"] for attempt in trial.user_attrs["attempts"]]
        assert outcomes == ["worker_lost", "finished"]


def test_bad_input_under_mpirun_is_told_once_and_every_rank_ends(tmp_path):
    done = spiketune(3, tmp_path, "run", "missing.yaml")
    assert done.returncode == 2
    assert done.stderr.count("error: ") == 1


@pytest.mark.parametrize("library", ["openmpi", "mpich"])
def test_two_ranks_run_a_trial_together_with_a_communicator_of_their_own(tmp_path, library):
    write(tmp_path, "sums_over_ranks", 4, ranks_per_trial=2)
    done = spiketune(5, tmp_path, "run", "study.yaml", "--folder", "s", "--json", library=library)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = Study(tmp_path / "s").storage.trials()
    assert [t.user_attrs["metrics"]["ranks"] for t in trials] == [2.0] * 4
    assert [t.user_attrs["metrics"]["sum"] for t in trials] == [3.0] * 4  # 1 + 2, each group
    assert {t.user_attrs["attempts"][0]["worker"] for t in trials} == {"0", "1"}
    assert all(t.user_attrs["reports"]["fidelity"] == [1.0] for t in trials)  # told once


def test_ranks_that_fail_alike_fail_their_trial_and_not_the_job(tmp_path):
    write(tmp_path, "fails_on_every_rank", 3, ranks_per_trial=2)
    done = spiketune(3, tmp_path, "run", "study.yaml", "--folder", "s")
    trials = Study(tmp_path / "s").storage.trials()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [t.state.name for t in trials].count("FAIL") == 1
    assert "ValueError: on both" in trials[1].user_attrs["failure"]["message"]


def test_a_rank_that_dies_ends_the_job_and_resume_goes_on(tmp_path):
    write(tmp_path, "one_rank_dies_once", 3, ranks_per_trial=2)
    done = spiketune(3, tmp_path, "run", "study.yaml", "--folder", "s")
    assert done.returncode != 0
    done = spiketune(3, tmp_path, "resume", "s")
    assert done.returncode == 0, done.stdout + done.stderr
    trials = Study(tmp_path / "s").storage.trials()
    assert [t.state.name for t in trials] == ["COMPLETE"] * 3
    assert [a["outcome"] for a in trials[1].user_attrs["attempts"]] == ["interrupted", "finished"]


def test_ranks_that_make_no_whole_groups_are_refused(tmp_path):
    write(tmp_path, "sums_over_ranks", 1, ranks_per_trial=2)
    done = spiketune(4, tmp_path, "run", "study.yaml", "--folder", "s")
    assert done.returncode == 2
    assert "4 ranks are one that asks and 3 that make no groups of 2; start 5" in " ".join(
        done.stderr.split()
    )
