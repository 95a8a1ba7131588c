"""Objectives that never give a number and the smallest budgets, for every sampler there is."""

import pytest

from spiketune.samplers.stock import SAMPLERS
from spiketune.study.loop import SAME_FAILURES
from tests.study.support import document, loop_of, make

SPACE = {"x": {"float": [0.0, 1.0]}, "n": {"int": [1, 9]}}
NAMES = [*sorted(SAMPLERS), "auto"]


def run(tmp_path, sampler, function, **study):
    options = {"levels": 9} if "grid" in sampler else {}
    content = document(function, SPACE, sampler={"name": sampler, **options}, **study)
    loop, storage = loop_of(make(tmp_path / "s", content).path)
    return loop.run(), loop, storage.trials()


@pytest.mark.parametrize("sampler", NAMES)
def test_an_objective_that_is_never_a_number_ends_the_study_and_is_named(tmp_path, sampler):
    reason, loop, trials = run(tmp_path, sampler, "not_a_number", budget={"trials": 40})
    assert (reason, len(trials)) == ("failing", SAME_FAILURES)
    assert loop.first_failure.startswith("nan: 'loss' is nan")


@pytest.mark.parametrize("sampler", NAMES)
def test_a_budget_of_one_trial_is_one_trial(tmp_path, sampler):
    reason, _, trials = run(tmp_path, sampler, "quadratic", budget={"trials": 1})
    assert (reason, [t.user_attrs["ended"] for t in trials]) == ("budget", ["finished"])
