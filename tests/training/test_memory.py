"""Freed memory stays with the process."""

import subprocess
import sys

import pytest

CODE = """
import resource
import torch
from spiketune.training.memory import keep_freed_memory
kept = keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    torch.ones(12_000_000).add(1.0)
for _ in range(5):
    work()
before = faults()
for _ in range(5):
    work()
print(kept, faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own setting")
def test_large_arrays_are_reused_instead_of_taken_anew() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    if kept == "False":
        pytest.skip("not glibc")
    assert int(faults) < 30_000  # 10 times 48 MB would be 117,000 pages of 4 KiB
