"""Ctrl-C where nothing runs yet, or nothing any more; letters that the terminal lacks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import spiketune


def started(*arguments, cwd):
    command = [sys.executable, "-m", "spiketune", *arguments]
    return subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to see what is imported")
def test_ctrl_c_while_modules_are_imported_ends_in_a_line(tmp_path):
    process = started("doctor", cwd=tmp_path)
    maps = Path(f"/proc/{process.pid}/maps")
    while "pydantic_core" not in maps.read_text():
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")


def test_ctrl_c_while_the_report_is_written_says_how_to_write_it(file, tmp_path):
    (tmp_path / "runs/mine").mkdir(parents=True)
    os.mkfifo(tmp_path / "runs/mine/report.html")  # which nobody reads: writing waits
    process = started("run", file(study={"budget": {"trials": 1}}), cwd=tmp_path)
    said = ""
    while "the budget is spent" not in said:
        assert process.poll() is None
        said += process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "spiketune report runs/mine\ninterrupted\n" in err


def test_letters_that_the_terminal_lacks_are_replaced(cli, file, tmp_path, monkeypatch):
    params = {"größe": {"float": [0.0, 1.0]}, "x": 0.5}
    assert cli("run", file(params=params, study={"budget": {"trials": 2}}))[0] == 0
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    for verb in (("best",), ("status",), ("resume", "--add-trials", "1")):
        ended = spiketune(verb[0], "runs/mine", *verb[1:], cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert r"gr\xf6\xdfe" in ended.stdout
