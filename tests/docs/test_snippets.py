"""Every file, script and command in the documentation does what it says."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spiketune.config.loading import load
from spiketune.executors.registry import check_executor
from tests.executors.clusters import LSF_STAND_IN, is_there

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(?:<!-- where: (\w+) -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# file: (\S+)\n")


def blocks(page):
    """Where a block runs (anywhere if empty), its language and its text."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def there(place):
    """Whether this machine is a place that a page's commands are for."""
    if place == "mpi":
        found = shutil.which("mpirun") and importlib.util.find_spec("mpi4py")
        return bool(found)
    return not place or is_there(place)


MPIRUN = {  # so that Open MPI starts three ranks on two cores, and in a container
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


def param(page):
    """A page as a parameter, marked if it is on a place."""
    marks = [pytest.mark.places] if page.parent.name == "places" else []
    return pytest.param(page, id=page.name, marks=marks)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", [param(page) for page in PAGES])
def test_every_snippet_of_a_page_runs(page, tmp_path):
    environment = {
        **os.environ,
        **MPIRUN,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:{LSF_STAND_IN}",
        "PYTHONWARNINGS": "error",
    }
    if shutil.which("spiketune", path=environment["PATH"]) is None:
        pytest.skip("the command is not installed beside this Python")

    def run(*command):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    n_run = 0
    for place, language, text in blocks(page):
        named = FILE.match(text)
        if named:
            (tmp_path / named[1]).write_text(text, encoding="utf-8")
        elif language == "python":
            run(sys.executable, "-c", text)
            n_run += 1
        elif language == "console" and not there(place):
            n_run += 1  # a command for another place than this machine
        elif language == "console":
            for line in text.splitlines():
                assert line.startswith("$ ")
                run("bash", "-c", line.removeprefix("$ "))
                n_run += 1
    assert n_run > 0 or page.name in NOWHERE


NOWHERE = ("clusters.md", "oar.md")  # an overview, and a page that says it was not run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_a_page_is_a_configuration_that_is_understood(page, tmp_path):
    for _, language, text in blocks(page):
        named = FILE.match(text)
        if not named:
            continue
        (tmp_path / named[1]).write_text(text, encoding="utf-8")
        if language == "yaml":
            study = load(tmp_path / named[1]).study
            if study is not None:
                check_executor(study.executor)


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
