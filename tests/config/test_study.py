"""The study section: durations, names, kinds."""

import math
from typing import Any

import pytest

from spiketune.config.checking import check
from spiketune.config.study import Named, Study, seconds
from spiketune.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value_s"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("45s", 45.0),
        ("90m", 5400.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("90 m", 5400.0),
        (" 2d ", 172800.0),
        ("1.5h", 5400.0),
    ],
)
def test_a_duration_is_seconds_or_a_text_with_units(text: Any, value_s: float) -> None:
    assert seconds(text) == value_s


@pytest.mark.parametrize(
    "text",
    ["", "soon", "90", "m", "-5m", "5 minutes", "1h30", "1:30", "1e3s", 0, -1, "0s", True, None,
     [90], math.nan, math.inf, 10**400],
    ids=lambda text: repr(text)[:12],
)  # fmt: skip
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="a duration"):
        seconds(text)


def study(**fields: Any) -> Study:
    return check(Study, {"objectives": {"accuracy": "maximize"}, **fields}, "study")


def test_a_study_needs_nothing_but_objectives() -> None:
    section = study()
    assert section.budget.trials == 100
    assert section.sampler == Named(name="auto")
    assert section.executor.name == "local"
    assert section.seed == 0


def test_the_options_of_a_sampler_stand_beside_its_name() -> None:
    section = study(sampler={"name": "tpe", "n_startup_trials": 20})
    assert section.sampler.options == {"n_startup_trials": 20}


def test_durations_are_read_where_they_stand() -> None:
    section = study(budget={"time": "1h30m"}, executor={"time_limit": "2m"})
    assert (section.budget.time, section.executor.time_limit) == (5400.0, 120.0)


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"objectives": {}}, "study.objectives", "at least 1 item"),
        ({"objectives": {"a": "up"}}, "study.objectives.a", "'minimize' or 'maximize', got 'up'"),
        ({"objectives": ["a"]}, "study.objectives", r"got \['a'\]"),
        ({"constraints": ["n < 5"]}, "study.constraints", "one comparison with <= or >="),
        ({"constraints": ["n <= sum(m)"]}, "study.constraints", "not allowed"),
        ({"constraints": "n <= 5"}, "study.constraints", "got 'n <= 5'"),
        ({"budget": {"trials": 0}}, "study.budget.trials", "greater than or equal to 1, got 0"),
        ({"budget": {"trials": "many"}}, "study.budget.trials", "got 'many'"),
        ({"budget": {"trials": 1.5}}, "study.budget.trials", "got 1.5"),
        ({"budget": {"time": "soon"}}, "study.budget.time", "a duration is .* got 'soon'"),
        ({"budget": 5}, "study.budget", "got 5"),
        ({"executor": {"workers": 0}}, "study.executor.workers", "got 0"),
        ({"executor": {"time_limit": -1}}, "study.executor.time_limit", "must be > 0, got -1"),
        ({"retries": {"crsh": 1}}, "study.retries", "no failure kind 'crsh'; known: worker_lost"),
        ({"retries": {"crash": -1}}, "study.retries.crash", "got -1"),
        ({"keep": {"logs": "some"}}, "study.keep.logs", "'failed' or 'all', got 'some'"),
        ({"seed": -1}, "study.seed", "got -1"),
        ({"seed": {"int": [1, 5]}}, "study.seed", "got {'int': "),
        ({"name": "../x"}, "study.name", "got '../x'"),
        ({"name": None}, "study.name", "got None"),
        ({"sampler": {}}, "study.sampler.name", "is required"),
        ({"sampler": "tpe"}, "study.sampler", "got 'tpe'"),
        ({5: 1}, "study.5", "keys should be strings"),
        ({"seeds": 1}, "study.seeds", "unknown key; did you mean 'seed'"),
        ({"budget": {"trial": 1}}, "study.budget.trial", "unknown key; did you mean 'trials'"),
        ({"executor": {"worker": 1}}, "study.executor.worker", "did you mean 'workers'"),
        ({"keep": {"log": 1}}, "study.keep.log", "did you mean 'logs'"),
        ({"xyzzy": 1}, "study.xyzzy", "unknown key; known: name, objectives, constraints"),
    ],
)  # fmt: skip
def test_a_study_section_that_is_wrong_is_refused_with_the_path(
    fields: dict[Any, Any], path: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check(Study, {"objectives": {"accuracy": "maximize"}, **fields}, "study")
    assert caught.value.path == path


def test_every_wrong_leaf_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        study(seed=-1, budget={"trials": 0}, colour="red")
    lines = str(caught.value).splitlines()
    assert {line.partition(":")[0] for line in lines} == {
        "study.seed",
        "study.budget.trials",
        "study.colour",
    }


@pytest.mark.parametrize("data", [None, "text", 5, ["objectives"]])
def test_a_section_without_keys_is_refused(data: Any) -> None:
    with pytest.raises(ConfigError, match=r"^study: must be a section with keys"):
        check(Study, data, "study")
