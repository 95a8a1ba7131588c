"""Children that the kernel kills for lack of memory, in a control group of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spiketune.objectives.oom_kills import oom_kills
from tests.executors.test_contract import TESTS

ROOT = Path(TESTS).parent
_ASKER = """
import os, sys
from pathlib import Path
group = Path(sys.argv[2])
(group / "cgroup.procs").write_text(str(os.getpid()))
from spiketune.executors.local import LocalExecutor
from tests.executors.test_contract import TESTS, collect, ends, job
executor = LocalExecutor(1, base_folder=TESTS)
for number in (0, 1):
    executor.submit(job(Path(sys.argv[1]), number, "eats_memory"))
    (end,) = ends(collect(executor, 1))
    print(end.kind, end.message)
executor.close()
"""


@pytest.mark.parametrize(
    ("groups", "folder", "name", "text"),
    [
        ("0::/a/b", "a/b", "memory.events", "low 0\noom 3\noom_kill 2\n"),
        ("0::/../c", ".", "memory.events", "oom_kill 2\n"),
        ("9:cpu:/\n4:memory:/job\n0::/", "memory/job", "memory.oom_control", "oom_kill 2\n"),
        ("4:cpu,memory:/job", "memory", "memory.oom_control", "under_oom 0\noom_kill 2\n"),
    ],
)
def test_both_versions_of_control_groups_are_read(tmp_path, groups, folder, name, text):
    root = tmp_path / "cgroup"
    (root / folder).mkdir(parents=True)
    (root / folder / name).write_text(text)
    (tmp_path / "own").write_text(groups)
    assert oom_kills(tmp_path / "own", root) == 2


def test_where_nobody_counts_there_are_none(tmp_path):
    assert oom_kills(tmp_path / "own", tmp_path) == 0
    (tmp_path / "own").write_text("no control group\n")
    assert oom_kills(tmp_path / "own", tmp_path) == 0


@pytest.fixture
def small_group():
    """A control group of 300 MiB; only root may make one."""
    for root, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = root / f"spiketune-test-{os.getpid()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(300 * 2**20))
        except OSError:
            if group.exists():
                group.rmdir()
            continue
        yield group
        group.rmdir()
        return
    pytest.skip("no control group with a memory limit can be made here")


def test_a_child_that_the_kernel_killed_is_out_of_memory(small_group, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _ASKER, str(tmp_path), str(small_group)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=100,
    )
    assert done.stdout.splitlines() == ["oom killed by the kernel: out of memory"] * 2, done.stderr
