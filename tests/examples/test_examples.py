"""Every example runs as a user runs it, and adds no more lines than it says."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import spiketune

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*_digits.py"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_tunes_a_training_of_a_few_lines_more(example: Path, tmp_path: Path) -> None:
    if find_spec(example.stem.removesuffix("_digits")) is None:
        pytest.skip("the library of the example is not installed")
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    (folder,) = (tmp_path / "runs").iterdir()
    study = spiketune.open(folder)
    frame = study.frame()
    assert "torch" in study.section.executor.preload  # once for all trials
    assert len(frame) == 4
    assert set(frame["state"]) <= {"finished", "silent"}
    assert frame["validation_accuracy"].max() > 0.6
    for name in ("silent_share", "activation_sparsity", "effective_macs_per_sample"):
        assert frame[name].notna().all()
    # A training stopped for its silence breaks the constraint, and no other does.
    assert ((frame["constraint:silence"] > 0) == (frame["state"] == "silent")).all()


def test_five_new_lines_are_enough() -> None:
    assert len(EXAMPLES) == 3
    for example in EXAMPLES:
        lines = example.read_text(encoding="utf-8").splitlines()
        assert sum(line.endswith("# new") for line in lines) == 5


def test_the_documentation_shows_the_lines_of_the_example() -> None:
    page = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
    example = (ROOT / "examples" / "snntorch_digits.py").read_text(encoding="utf-8")
    code = {line.partition("  #")[0].rstrip() for line in example.splitlines()}
    shown = page.partition("```diff\n")[2].partition("```")[0].splitlines()
    assert len(shown) > 20
    for line in shown:
        if line[0] != "-" and line.strip() != "...":
            assert line[1:] in code


@pytest.mark.timeout(240)
def test_the_example_of_a_program_runs_its_grid(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    file = ROOT / "examples" / "commands" / "search.yaml"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "spiketune.cli.main",
            "run",
            str(file),
            "--set",
            "study.budget.trials=3",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    frame = spiketune.open(tmp_path / "runs" / "commands").frame()
    assert list(frame["state"]) == ["finished"] * 3
    assert list(frame["optimizer"]) == ["adam", "sgd", "sgd"]
    assert frame["acc"].max() > 0.6
