"""Samplers by name, and options that are refused."""

from typing import Any

import pytest

from spiketune.errors import InputError
from spiketune.samplers.stock import SAMPLERS, build, check_sampler
from spiketune.space import Choice, Float, Int, Space

SPACE = Space({"n": Int(1, 5), "m": Int(1, 5), "kind": Choice(["a", "b"])})


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_every_sampler_can_be_built_and_checked(name: str) -> None:
    check_sampler(name, {}, 1, SPACE)
    assert isinstance(build(name, {}, 0, SPACE), SAMPLERS[name].make)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tep", {}, r"No sampler named 'tep'\. Did you mean 'tpe'\? Known: auto, cascbo, cmaes"),
        ("tpe", {"n_startup": 5}, r"^study\.sampler\.n_startup: .*Did you mean 'n_startup_trials'"),
        ("tpe", {"seed": 5}, r"^study\.sampler\.seed: No option named 'seed'"),
        ("tpe", {"constraints_func": 5}, r"^study\.sampler\.constraints_func: No option"),
        ("grid", {"space": 5}, r"^study\.sampler\.space: No option"),
        ("random", {"x": 5}, r"^study\.sampler\.x: No option named 'x'\. Known: none"),
        ("nsga2", {"population_size": 1}, r"^study\.sampler: nsga2: .*population_size"),
        ("qmc", {"qmc_type": "sobel"}, r"^study\.sampler: qmc: .*sobel"),
    ],
)
def test_a_sampler_or_option_that_does_not_exist_is_refused(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_sampler(name, options, 1, SPACE)


def test_cmaes_needs_two_numeric_parameters() -> None:
    for space in (
        Space({"x": Float(0.0, 1.0), "kind": Choice(["a", "b"])}),
        Space({"x": Float(0.0, 1.0), "one": Int(3, 3)}),
    ):
        with pytest.raises(InputError, match="'cmaes' needs at least two numeric parameters"):
            check_sampler("cmaes", {}, 1, space)
    check_sampler("cmaes", {}, 1, Space({"x": Float(0.0, 1.0), "n": Int(1, 3)}))
