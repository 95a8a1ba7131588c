"""The chaos test at the size of the suite; `make chaos` runs the large one."""

import importlib.util

import pytest

from tests.executors import chaos
from tests.executors.clusters import need

N_TRIALS, N_KILLS = 16, 6


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["local", "dask", "slurm"])
def test_random_kills_lose_nothing_and_repeat_at_most_one_epoch_each(place, tmp_path):
    if place == "slurm":
        need("slurm")
    if place == "dask" and importlib.util.find_spec("distributed") is None:
        pytest.skip("distributed is not installed")
    killed = chaos.run(tmp_path / "s", place, N_TRIALS, N_KILLS, seed=1)
    assert sum(killed.values()) == N_KILLS
    chaos.check(tmp_path / "s", N_TRIALS, killed)
