"""Spaces at the edge of sense, and options that do not exist, for every sampler there is."""

import pytest

from spiketune.errors import ConfigError
from spiketune.samplers.stock import SAMPLERS, check_sampler
from spiketune.space import Choice, Float, Int, Space
from tests.samplers.studies import MemoryStudy, smooth

FEW = {  # so that models begin within a handful of trials
    "gp": {"n_startup_trials": 4},
    "cascbo": {"n_startup_trials": 4, "n_candidates": 100},
    "scbo": {"n_startup_trials": 4, "n_candidates": 100},
    "turbo": {"n_startup_trials": 4, "n_candidates": 100},
    "tpe": {"n_startup_trials": 4},
    "cmaes": {"n_startup_trials": 2, "popsize": 4},
    "nsga2": {"population_size": 4},
    "nsga3": {"population_size": 4},
    "islands": {"population": 4},
    "grid": {"levels": 2},
    "random-from-grid": {"levels": 2},
}
NAMES = sorted(SAMPLERS)


def asked(name, space, n):
    study = MemoryStudy(space, name, options=FEW.get(name))
    values = study.run(n, smooth)
    assert all(one[key] in space[key] for one in values for key in space)
    return values


@pytest.mark.parametrize("name", NAMES)
def test_two_hundred_parameters(name):
    parameters = {f"x{i}": Float(0.0, 1.0) for i in range(190)}
    space = Space({**parameters, **{f"n{i}": Int(1, 3) for i in range(10)}})
    values = asked(name, space, 7)
    assert len({tuple(one.values()) for one in values}) == 7


@pytest.mark.parametrize("name", NAMES)
def test_a_choice_of_fifty(name):
    space = Space({"k": Choice(list(range(50))), "x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
    values = asked(name, space, 9)
    assert len({one["k"] for one in values}) > (1 if "grid" not in name else 0)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("grid", "cmaes")])
@pytest.mark.parametrize("only", [Int(5, 5), Float(0.5, 0.5, "log"), Choice(["a"])])
def test_a_space_of_one_configuration(name, only):
    space = Space({"p": only})
    n = 1 if name == "random-from-grid" else 6
    (value,) = {one["p"] for one in asked(name, space, n)}
    assert value in only


@pytest.mark.parametrize("name", NAMES)
def test_an_option_that_does_not_exist(name):
    space = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
    with pytest.raises(ConfigError, match="No option named 'colour'") as error:
        check_sampler(name, {"colour": "red"}, 1, space)
    assert str(error.value).startswith("study.sampler.colour: ")
    assert f"(sampler '{name}')" in str(error.value)


def test_cmaes_says_what_it_needs_and_what_else_there_is():
    space = Space({"x": Float(0.0, 1.0), "n": Int(5, 5), "k": Choice([1, 2])})
    with pytest.raises(ConfigError, match=r"two numeric parameters.*of more than one value.*try"):
        check_sampler("cmaes", {}, 1, space)
