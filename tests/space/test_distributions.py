"""What the journal holds, and what a sampler sees instead."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from spiketune.space import Choice, Float, Int, Parameter
from spiketune.space.distributions import (
    from_stored,
    mirrored,
    sampler_distribution,
    stored_distribution,
    to_stored,
)


@pytest.mark.parametrize(
    ("parameter", "distribution"),
    [
        (Float(0.5, 1.0), FloatDistribution(0.5, 1.0)),
        (Float(0.5, 1.0, "log"), FloatDistribution(0.5, 1.0, log=True)),
        (Float(0.5, 1.0, "reverse-log"), FloatDistribution(0.5, 1.0)),
        (Float(0.0, 1.0, step=0.25), FloatDistribution(0.0, 1.0, step=0.25)),
        (Float(0.0, 1.0, step=0.3), FloatDistribution(0.0, 0.9, step=0.3)),
        (Float(0.0, 1.0, step=0.1), FloatDistribution(0.0, 1.0, step=0.1)),
        (Float(0.5, 1.0, step=3.0), FloatDistribution(0.5, 0.5, step=3.0)),
        (Int(1, 9), IntDistribution(1, 9)),
        (Int(1, 9, "log"), IntDistribution(1, 9, log=True)),
        (Int(1, 9, "reverse-log"), IntDistribution(1, 9)),
        (Int(1, 9, step=4), IntDistribution(1, 9, step=4)),
        (Int(1, 10, step=4), IntDistribution(1, 9, step=4)),
        (Choice(["a", 1, None]), CategoricalDistribution(["a", 1, None])),
        (Choice([[1], "a"]), CategoricalDistribution(["[1]", '"a"'])),
    ],
)
def test_the_journal_holds_natural_values(parameter: Parameter, distribution: Any) -> None:
    assert stored_distribution(parameter) == distribution
    as_text = distribution_to_json(stored_distribution(parameter))
    assert json_to_distribution(as_text) == distribution


def test_a_sampler_sees_a_reverse_log_range_as_a_log_range() -> None:
    assert sampler_distribution(Float(0.5, 1.0, "reverse-log")) == FloatDistribution(
        0.5, 1.0, log=True
    )
    assert sampler_distribution(Int(2, 9, "reverse-log")) == IntDistribution(2, 9, log=True)


@pytest.mark.parametrize(
    "parameter",
    [Float(0.5, 1.0), Float(0.5, 1.0, "log"), Int(1, 10, step=4), Int(1, 9, "log"), Choice([[1]])],
)
def test_a_sampler_sees_every_other_range_as_it_is_stored(parameter: Parameter) -> None:
    assert sampler_distribution(parameter) == stored_distribution(parameter)


def test_a_mirrored_value_lies_as_far_from_the_other_end() -> None:
    assert mirrored(Float(0.5, 1.0, "reverse-log"), 0.9) == pytest.approx(0.6)
    assert mirrored(Int(2, 9, "reverse-log"), 9) == 2
    assert mirrored(Int(2, 9, "reverse-log"), 3) == 8


@pytest.mark.parametrize(
    ("parameter", "value"),
    [(Float(0.5, 1.0), 0.9), (Float(0.5, 1.0, "log"), 0.9), (Int(2, 9), 3), (Choice(["a"]), "a")],
)
def test_values_on_other_scales_are_not_mirrored(parameter: Parameter, value: Any) -> None:
    assert mirrored(parameter, value) == value


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(0, 1))
def test_a_mirrored_value_stays_in_the_range_and_comes_back(a: float, b: float, u: float) -> None:
    parameter = Float(min(a, b), max(a, b), "reverse-log")
    value = parameter.from_unit(u)
    there = mirrored(parameter, value)
    assert there in parameter
    assert mirrored(parameter, there) == pytest.approx(value, abs=1e-9 * parameter.high)
    assert mirrored(parameter, parameter.low) == pytest.approx(parameter.high, rel=1e-12)
    assert mirrored(parameter, parameter.high) == pytest.approx(
        parameter.low, abs=1e-12 * parameter.high
    )


@pytest.mark.parametrize(
    "options",
    [
        ["a", "b"],
        [True, 1, 1.0, "1"],
        [None, "null", "None"],
        [[1, 2], "[1, 2]", {"a": [1]}, 5, None],
        [0, False],
        ["5", "true"],
        [{"b": 1, "a": {"c": None}}],
        [1.0, 2.5],
    ],
)
def test_options_are_stored_by_label_and_come_back(options: list[Any]) -> None:
    choice = Choice(options)
    distribution = stored_distribution(choice)
    assert isinstance(distribution, CategoricalDistribution)
    for option in options:
        stored = to_stored(choice, option)
        internal = distribution.to_internal_repr(stored)
        back = from_stored(choice, distribution.to_external_repr(internal))
        assert back == option
        assert type(back) is type(option)


def test_numbers_are_stored_as_they_are() -> None:
    assert to_stored(Float(0.0, 1.0, "linear"), 0.25) == 0.25
    assert from_stored(Int(1, 3), 2) == 2


def test_a_label_of_an_option_with_other_spacing_is_understood() -> None:
    assert from_stored(Choice([{"a": 1}, [2]]), '{"a":1}') == {"a": 1}
    assert from_stored(Choice([1.0, 2.0]), 1) == 1.0


@pytest.mark.parametrize("stored", ["adam2", 5, None, '{"a": 2}', True])
def test_what_is_no_option_is_left_as_it_is(stored: Any) -> None:
    assert from_stored(Choice(["adam", "sgd"]), stored) == stored
