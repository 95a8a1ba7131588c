"""The space shrunk to where the best trials were."""

import pytest

from spiketune.config.loading import configure
from spiketune.errors import InputError
from spiketune.study.records.results import TrialRow
from spiketune.study.steering.narrowing import best_of, narrowed
from tests.study.support import TESTS, document

PARAMS = {
    "rate": {"float": [1e-5, 1.0], "scale": "log"},
    "beta": {"float": [0.5, 0.999], "scale": "reverse-log", "when": "kind == 'a'"},
    "n": {"int": [1, 100], "name": "neurons"},
    "m": {"int": [1, 100], "name": "neurons"},
    "even": {"int": [0, 20], "step": 4},
    "kind": {"choice": ["a", "b", "c"]},
    "part": {"choose": {"left": {"size": {"int": [1, 9]}}, "right": {"width": {"int": [1, 9]}}}},
    "fixed": 3,
}


def configuration(**study):
    return configure(document(params=PARAMS, **study), TESTS)


def row(number, loss, **params):
    return TrialRow(number, "finished", params, {"loss": loss})


def values(rate=0.01, kind="a", neurons=20, **more):
    part = {"part": "left", "part.left.size": 4}
    beta = {"beta": 0.95} if kind == "a" else {}
    return {"rate": rate, "kind": kind, "neurons": neurons, "even": 8, **beta, **part, **more}


ROWS = [
    row(0, 1.0, **values(rate=0.01, neurons=20)),
    row(1, 2.0, **values(rate=0.04, neurons=40, kind="b")),
    row(2, 9.0, **values(rate=0.9, neurons=90, kind="c")),
]


def test_ranges_shrink_to_the_best_and_hold_all_of_them(tmp_path):
    document = narrowed(configuration(), ROWS[:2], tmp_path)
    space = configure(document, TESTS).space
    for one in ROWS[:2]:
        space.check(one.params)
    rate = space["rate"]
    assert 0.004 < rate.low < 0.01
    assert 0.04 < rate.high < 0.1
    assert rate.scale == "log"
    assert (space["neurons"].low, space["neurons"].high) == (15, 45)
    assert (space["even"].low, space["even"].high, space["even"].step) == (8, 8, 4)
    assert space["kind"].options == ("a", "b")
    assert space["part"].options == ("left",)
    assert "part.right.width" not in space
    assert document["trial"]["params"]["fixed"] == 3


def test_the_next_search_starts_from_the_earlier_one(tmp_path):
    section = narrowed(configuration(name="first", seed=4), ROWS, tmp_path)["study"]
    assert section["name"] == "first-narrowed"
    assert section["warm_start"] == str(tmp_path)
    assert section["objectives"] == {"loss": "minimize"}
    assert section["seed"] == 4


def test_an_option_that_the_file_still_needs_is_kept(tmp_path):
    params = {
        "way": {"choose": {"a": {"size": {"int": [1, 9], "name": "size"}}, "b": {}}},
        "x": {"float": [0.0, 1.0], "when": "size > 3"},
    }
    content = configure(document(params=params), TESTS)
    rows = [row(0, 1.0, way="b")]
    space = configure(narrowed(content, rows, tmp_path), TESTS).space
    assert space["way"].options == ("a", "b")


def test_the_best_are_a_share_or_a_number_front_by_front():
    directions = {"loss": "minimize"}
    assert [r.number for r in best_of(ROWS, directions, "34%")] == [0, 1]
    assert [r.number for r in best_of(ROWS, directions, "1")] == [0]
    assert len(best_of(ROWS, directions, "99")) == 3
    two = {"loss": "minimize", "size": "minimize"}
    pairs = [(0.0, 5.0), (5.0, 0.0), (6.0, 6.0), (1.0, 6.0)]
    rows = [TrialRow(i, "finished", {}, {"loss": a, "size": b}) for i, (a, b) in enumerate(pairs)]
    assert [r.number for r in best_of(rows, two, "3")] == [0, 1, 3]


@pytest.mark.parametrize("top", ["0%", "120%", "many", "0", "1.5", "-3", "nan%"])
def test_a_share_that_is_none_is_refused(top):
    with pytest.raises(InputError, match=r"--top .*must be a share such as 20%"):
        best_of(ROWS, {"loss": "minimize"}, top)


def test_a_study_without_a_feasible_trial_is_refused():
    broken = TrialRow(0, "finished", {}, {"loss": 1.0}, constraints={"c": 1.0})
    with pytest.raises(InputError, match="nothing to narrow to"):
        best_of([broken], {"loss": "minimize"}, "20%")
