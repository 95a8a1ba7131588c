"""Named seeds: recorded numbers, and no two purposes in step."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketune.seeding import child_seed

RECORDED = [
    (0, (), 1108721358),
    (0, ("sampler",), 1034429284),
    (0, ("ask", 0, 0), 2013593878),
    (0, ("trial", 12, "weights"), 462847342),
    (1, ("trial", 12, "weights"), 1584730401),
    (2**40, ("trial", 12, "weights"), 1435415887),
]


@pytest.mark.parametrize(("seed", "purpose", "number"), RECORDED)
def test_a_named_seed_is_the_one_recorded(
    seed: int, purpose: tuple[str | int, ...], number: int
) -> None:
    assert child_seed(seed, *purpose) == number


def test_an_int_and_a_text_that_look_alike_are_two_purposes() -> None:
    assert child_seed(0, "trial", 12) != child_seed(0, "trial", "12")


def test_seeds_of_a_thousand_trials_and_three_purposes_are_all_different() -> None:
    purposes = ("weights", "batches", "encoding")
    seeds = {child_seed(7, "trial", n, what) for n in range(1000) for what in purposes}
    assert len(seeds) == 3000


def test_one_purpose_draws_differently_under_every_study_seed() -> None:
    assert len({child_seed(seed, "sampler") for seed in range(1000)}) == 1000


def test_how_a_purpose_is_cut_into_parts_matters() -> None:
    assert child_seed(0, "trial", "weights") != child_seed(0, "trial/weights")
    assert child_seed(0, "trial") != child_seed(0, "trial", "")


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(), st.lists(st.integers() | st.text(), max_size=4))
def test_every_seed_fits_every_generator(seed: int, purpose: list[int | str]) -> None:
    number = child_seed(seed, *purpose)
    assert 0 <= number < 2**31
    assert number == child_seed(seed, *purpose)


def test_seeds_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    program = "from spiketune.seeding import child_seed; print(child_seed(3, 'ask', 5))"
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stdout) == child_seed(3, "ask", 5)
