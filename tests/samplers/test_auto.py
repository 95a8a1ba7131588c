"""The sampler of a study that names none."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from spiketune.api import Study, create
from spiketune.config.loading import configure
from spiketune.config.study import Study as StudySection
from spiketune.errors import ConfigError
from spiketune.samplers.auto import RULES, Facts, choose, facts_of, settled
from spiketune.samplers.stock import SAMPLERS
from spiketune.space import Choice, Float, Int, Space

USUAL = Facts(
    n_parameters=6,
    n_numeric=5,
    n_combinations=math.inf,
    n_objectives=1,
    n_trials=200,
    time_s=math.inf,
)
TESTS = str(Path(__file__).parents[1])
X = {"x": {"float": [0.0, 1.0]}}


@pytest.mark.parametrize(
    ("changes", "sampler"),
    [
        ({}, "cascbo"),
        ({"n_combinations": 200.0}, "grid"),
        ({"n_combinations": 201.0}, "cascbo"),
        ({"n_combinations": 8.0, "n_trials": math.inf, "time_s": 60.0}, "random-from-grid"),
        ({"n_combinations": 101.0, "n_trials": math.inf, "time_s": 60.0}, "cascbo"),
        ({"n_objectives": 2}, "cascbo"),
        ({"n_objectives": 2, "n_trials": 2000}, "nsga2"),
        ({"n_objectives": 4, "n_trials": 50}, "nsga3"),
        ({"n_trials": 1001}, "nsga2"),
        ({"n_trials": math.inf, "time_s": 3600.0}, "cascbo"),
        ({"n_trials": math.inf, "time_s": 14 * 3600.0}, "cascbo"),
        ({"n_trials": math.inf, "time_s": 14 * 3600.0, "has_rungs": True}, "nsga2"),
        ({"n_trials": math.inf, "time_s": math.inf}, "nsga2"),
        ({"n_trials": 500, "time_s": 14 * 3600.0}, "cascbo"),
        ({"n_parameters": 61, "n_numeric": 61}, "tpe"),
        ({"n_numeric": 2}, "tpe"),
    ],
)
def test_the_first_rule_that_applies_chooses(changes, sampler):
    chosen, why = choose(replace(USUAL, **changes))
    assert chosen == sampler
    assert "{" not in why


def test_every_rule_names_a_sampler_there_is_and_the_last_always_applies():
    assert {rule.sampler for rule in RULES} <= set(SAMPLERS)
    assert RULES[-1].applies(USUAL)


def test_facts_count_what_can_vary():
    space = Space(
        {"a": Float(0.0, 1.0, step=0.5), "b": Int(1, 4), "c": Choice(["x", "y"]), "d": Int(3, 3)}
    )
    study = StudySection(objectives={"loss": "minimize"}, budget={"time": "2h"})
    facts = facts_of(study, space)
    assert (facts.n_parameters, facts.n_numeric, facts.n_combinations) == (3, 2, 24)
    assert (facts.n_trials, facts.time_s) == (math.inf, 7200.0)
    assert facts_of(study, Space({"a": Float(0.0, 1.0)})).n_combinations == math.inf
    assert facts_of(study, Space({})).n_combinations == 1


def test_a_sampler_that_is_named_stays():
    study = StudySection(objectives={"loss": "minimize"}, sampler={"name": "random"})
    assert settled(study, Space({})) == (study, None)


def test_options_without_a_sampler_are_refused():
    study = StudySection(objectives={"a": "minimize"}, sampler={"name": "auto", "n_startup": 3})
    with pytest.raises(ConfigError, match=r"study\.sampler\.n_startup: options belong to one"):
        settled(study, Space({}))


def test_the_choice_is_kept_with_its_reason_when_the_budget_grows(tmp_path):
    content = {
        "study": {
            "objectives": {"loss": "minimize"},
            "budget": {"trials": 2},
            "executor": {"name": "inline"},
        },
        "trial": {"function": "targets:number", "params": X},
    }
    study = create(configure(content, TESTS), tmp_path / "study")
    assert study.section.sampler.name == "cascbo"
    assert study.why_this_sampler.startswith("auto chose cascbo: a moderate budget")
    study.extend(trials=5000)
    again = Study(study.path)
    assert again.section.sampler.name == "cascbo"
    assert again.why_this_sampler == study.why_this_sampler
    assert "auto chose cascbo" in (study.path / "study.yaml").read_text()


def test_a_study_that_names_its_sampler_has_no_reason(tmp_path):
    content = {
        "study": {"objectives": {"loss": "minimize"}, "sampler": {"name": "tpe"}},
        "trial": {"function": "targets:number", "params": X},
    }
    assert create(configure(content, TESTS), tmp_path / "study").why_this_sampler is None
