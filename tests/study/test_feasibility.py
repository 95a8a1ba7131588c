"""A search that sees nothing feasible goes on, and says what is closest."""

import logging
import math

import pytest

from spiketune.study.feasibility import (
    SAY_AT,
    closest_in_words,
    in_vain,
    is_due,
    least_infeasible,
    never_met,
)
from spiketune.study.records.results import TrialRow
from tests.study.support import document, loop_of, make


def trial(number, **constraints):
    objectives = {"loss": 1.0} if constraints else {}
    named = {name.replace("_", " "): value for name, value in constraints.items()}
    return TrialRow(number, "finished", {}, objectives=objectives, constraints=named)


def test_the_least_infeasible_trial_is_named_with_what_it_breaks():
    rows = [trial(0, a=0.5, b=-1.0), trial(1, a=0.2, b=-1.0), trial(2)]
    assert least_infeasible(rows).number == 1
    assert closest_in_words(rows) == "trial 1 comes closest, breaking a by 0.2; never met: a"
    assert closest_in_words([trial(3, a=0.25)]) == "trial 3 comes closest, breaking a by 0.25"
    assert closest_in_words([trial(2)]) is None


def test_constraints_of_other_sizes_compare():
    rows = [trial(0, weights=2e6, silence=0.1), trial(1, weights=1e6, silence=0.9)]
    rows += [trial(2, weights=1.5e6, silence=-0.5), trial(3, weights=math.inf, silence=-0.5)]
    assert least_infeasible(rows).number == 2
    assert least_infeasible(rows[:2]).number == 0  # 4/3 + 0.2, against 2/3 + 1.8
    assert never_met(rows) == ["weights"]


def test_what_is_no_number_meets_no_constraint():
    rows = [trial(0, a=math.nan), trial(1, a=3.0)]
    assert least_infeasible(rows).number == 1
    assert never_met(rows) == ["a"]


def test_it_is_said_at_every_doubling_while_it_is_so():
    assert [n for n in range(1000) if is_due(n)] == [50, 100, 200, 400, 800]
    assert "none of 50 trials ended with a result" in in_vain([trial(0)], 50)
    assert in_vain([trial(0, a=1.0), trial(1, a=0.0)], 50) is None


@pytest.mark.parametrize(
    "sampler",
    ["tpe", "random", "nsga2", "cmaes", "grid", "random-from-grid", "islands", "cascbo", "auto"],
)
def test_every_sampler_goes_on_and_the_study_says_it_once(tmp_path, caplog, sampler):
    space = {"x": {"float": [0.0, 1.0]}, "n": {"int": [1, 9]}}
    name = {"name": sampler, "levels": 9} if "grid" in sampler else {"name": sampler}
    content = document(
        "quadratic", space, constraints=["size <= -1"], sampler=name, budget={"trials": SAY_AT + 4}
    )
    loop, storage = loop_of(make(tmp_path / "s", content).path)
    with caplog.at_level(logging.WARNING):
        assert loop.run() == "budget"
    closest = min(t.constraints["size <= -1"] for t in storage.trials()[:SAY_AT])
    said = [r.getMessage() for r in caplog.records if "feasible" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(f"nothing feasible in {SAY_AT} trials; trial ")
    assert f"comes closest, breaking size <= -1 by {closest:g}. The search goes on" in said[0]


def test_a_feasible_search_says_nothing(tmp_path, caplog):
    content = document(
        "quadratic",
        {"x": {"float": [0.0, 1.0]}, "n": {"int": [1, 9]}},
        constraints=["size <= 5"],
        sampler={"name": "random"},
        budget={"trials": SAY_AT},
    )
    with caplog.at_level(logging.WARNING):
        loop_of(make(tmp_path / "s", content).path)[0].run()
    assert not caplog.records
