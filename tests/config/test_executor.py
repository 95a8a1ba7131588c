"""Executor sections: keys that fit, sizes, and what is refused."""

import pytest
from pydantic import ValidationError

from spiketune.config.executor import Executor, mebibytes


@pytest.mark.parametrize(
    ("text", "mib"), [("4GB", 4096), ("512M", 512), ("1.5 GiB", 1536), ("1t", 2**20), ("1K", 1)]
)
def test_sizes_are_read_and_rounded_up(text, mib):
    assert mebibytes(text) == mib


@pytest.mark.parametrize("text", ["4", "GB", "-1G", "0M", "4 apples"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValidationError, match="a size is a number > 0"):
        Executor(name="slurm", memory=text)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"name": "local", "walltime": "1h"}, "`walltime` goes with slurm, .*, not with local"),
        ({"name": "slurm", "workers": 2}, "`workers` goes with local, .*; slurm has `jobs`"),
        ({"name": "lsf", "qos": "long"}, "`qos` goes with slurm; put what the site wants into"),
        ({"name": "pbs", "mode": "job"}, "`mode: job` goes with slurm or lsf; pbs has workers"),
        ({"name": "oar"}, "`memory` of a job is needed with `mode: workers`"),
        ({"name": "slurm", "interface": "ib0"}, "go with `mode: workers`"),
        ({"name": "local", "address": "tcp://x:1"}, "`address` goes with dask, not with local"),
        ({"name": "dask", "address": "somewhere"}, "String should match pattern"),
        ({"name": "dask", "address": "tcp://x:1", "workers": 2}, "those of the cluster"),
        (
            {"name": "pbs", "memory": "1G", "adaptive": {"min": 3, "max": 2}},
            r"min \(3\) must be <= max \(2\)",
        ),
        ({"name": "slurm", "walltime": "2m"}, r"walltime \(120 s\) must be longer than lead"),
        ({"name": "slurm", "queue": "a\nb"}, "must be one line"),
        ({"name": "slurm", "jobs": 0}, "greater than or equal to 1"),
    ],
)
def test_keys_that_do_not_fit_are_refused(section, words):
    with pytest.raises(ValidationError, match=words):
        Executor(**section)


@pytest.mark.parametrize(
    "given",
    [
        Executor(workers=2),
        Executor(name="pbs", memory="1G", adaptive={"min": 1, "max": 4}, interface="ib0"),
        Executor(name="slurm", jobs=50, walltime="4h", memory="4GB", prologue=["module load x"]),
    ],
)
def test_a_section_survives_being_written_and_read(given):
    assert Executor(**given.model_dump(mode="json")) == given
