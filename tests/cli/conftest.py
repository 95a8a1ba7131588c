import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import yaml

from spiketune.cli.main import main
from tests.study.support import TESTS, document


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Runs the command line in this process, in a folder of its own: status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["spiketune", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def file(tmp_path):
    """Writes a study file whose function lies in `targets.py`."""
    (tmp_path / "targets.py").write_text(Path(TESTS, "targets.py").read_text())

    def write(function="number", name="mine.yaml", **changes):
        study = {"executor": {"name": "local", "workers": 2}, **changes.pop("study", {})}
        content = document(function, changes.pop("params", None), name=Path(name).stem, **study)
        content.update(changes)
        (tmp_path / name).write_text(yaml.safe_dump(content))
        return name

    return write


def spiketune(*arguments, cwd):
    """The installed command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "spiketune.cli.main", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
