"""Floats, ints and choices: their rules, their values, their place in [0, 1]."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketune.errors import ConfigError
from spiketune.space import Choice, Float, Int, Parameter
from spiketune.space.parameters import SCALES, Scale

scales = st.sampled_from(SCALES)
units = st.floats(0.0, 1.0)


@st.composite
def floats(draw: st.DrawFn) -> Float:
    scale = draw(scales)
    ends = st.floats(1e-6, 1e6) if scale != "linear" else st.floats(-1e6, 1e6)
    low, high = sorted((draw(ends), draw(ends)))
    return Float(low, high, scale)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    scale = draw(scales)
    low = draw(st.integers(1 if scale != "linear" else -1000, 1000))
    step = draw(st.integers(1, 9)) if scale == "linear" else 1
    return Int(low, low + draw(st.integers(0, 500)), scale, step)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(floats(), units)
def test_a_float_goes_to_the_unit_interval_and_back(parameter: Float, share: float) -> None:
    value = parameter.from_unit(share)
    assert value in parameter
    unit = parameter.to_unit(value)
    assert 0.0 <= unit <= 1.0
    assert parameter.from_unit(unit) == pytest.approx(
        value, rel=1e-9, abs=1e-9 * abs(parameter.high)
    )


@settings(deadline=None, max_examples=200, derandomize=True)
@given(floats(), units, units)
def test_a_float_rises_with_its_place(parameter: Float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert parameter.from_unit(low) <= parameter.from_unit(high)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(floats())
def test_the_ends_of_a_float_are_reached_exactly(parameter: Float) -> None:
    assert parameter.from_unit(0.0) == parameter.low
    assert parameter.from_unit(1.0) == parameter.high


@settings(deadline=None, max_examples=200, derandomize=True)
@given(ints(), st.data())
def test_an_int_goes_to_the_unit_interval_and_back(parameter: Int, data: st.DataObject) -> None:
    value = parameter.value_at(data.draw(st.integers(0, parameter.n_values - 1)))
    assert value in parameter
    assert 0.0 < parameter.to_unit(value) < 1.0
    assert parameter.from_unit(parameter.to_unit(value)) == value


@settings(deadline=None, max_examples=100, derandomize=True)
@given(ints())
def test_both_ends_of_an_int_are_reachable(parameter: Int) -> None:
    last = parameter.value_at(parameter.n_values - 1)
    assert parameter.from_unit(0.0) == parameter.low
    assert parameter.from_unit(1.0) == last
    assert parameter.high - parameter.step < last <= parameter.high


@pytest.mark.parametrize("scale", ["log", "reverse-log"])
def test_every_whole_number_of_a_log_range_owns_a_cell(scale: Scale) -> None:
    parameter = Int(1, 20, scale)
    seen = {parameter.from_unit((i + 0.5) / 2000) for i in range(2000)}
    assert seen == set(range(1, 21))


@pytest.mark.parametrize(
    "parameter",
    [
        Int(3, 9),
        Int(-3, 4),
        Int(2, 11, step=3),
        Float(0.0, 1.0, step=0.25),
        Choice(["a", "b", "c"]),
    ],
)
def test_finite_values_own_cells_of_equal_width(parameter: Parameter) -> None:
    n = parameter.n_values
    assert n is not None
    for index in range(n):
        inside = [(index + share) / n for share in (0.01, 0.5, 0.99)]
        assert [parameter.from_unit(unit) for unit in inside] == [parameter.value_at(index)] * 3
        assert parameter.to_unit(parameter.value_at(index)) == pytest.approx((index + 0.5) / n)


def test_log_halves_orders_of_magnitude_and_reverse_log_does_so_from_above() -> None:
    assert Float(1e-4, 1e-2, "log").from_unit(0.5) == pytest.approx(1e-3)
    assert Float(1e-4, 1e-2, "log").to_unit(1e-3) == pytest.approx(0.5)
    mirrored = Float(0.1, 10.0, "reverse-log")
    assert mirrored.from_unit(0.5) == pytest.approx(10.1 - 1.0)
    assert mirrored.to_unit(9.1) == pytest.approx(0.5)
    assert Float(0.5, 0.999, "reverse-log").from_unit(0.5) > 0.75


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (Float(0.0, 1.0, step=0.25), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Float(0.0, 1.0, step=0.1), [i / 10 for i in range(11)]),
        (Float(0.0, 1.0, step=0.3), [0.0, 0.3, 0.6, 0.9]),
        (Float(0.5, 1.0, step=2.0), [0.5]),
        (Int(1, 10, step=4), [1, 5, 9]),
        (Int(1, 9, step=4), [1, 5, 9]),
        (Int(4, 4), [4]),
        (Choice([None, "a"]), [None, "a"]),
    ],
)
def test_the_values_of_a_finite_range_are_counted(parameter: Parameter, values: list[Any]) -> None:
    assert parameter.n_values == len(values)
    got = [parameter.value_at(i) for i in range(len(values))]
    assert got == (pytest.approx(values) if isinstance(parameter, Float) else values)
    assert all(value in parameter for value in got)
    for value in got:
        assert parameter.from_unit(parameter.to_unit(value)) == value


@pytest.mark.parametrize("share", [i / 20 for i in range(21)])
def test_a_value_between_two_steps_still_lies_in_the_unit_interval(share: float) -> None:
    assert 0.0 <= Float(0.0, 1.0, step=0.28).to_unit(share) <= 1.0


def test_only_a_continuum_has_no_number_of_values() -> None:
    assert Float(0.0, 1.0).n_values is None
    assert Float(1.0, 1.0).n_values == 1


@pytest.mark.parametrize(
    "parameter",
    [
        Float(2.5, 2.5),
        Float(2.5, 2.5, "log"),
        Float(2.5, 2.5, "reverse-log"),
        Int(3, 3),
        Int(3, 3, "log"),
        Int(3, 3, "reverse-log"),
        Choice([[1, 2]]),
    ],
)
def test_a_range_of_one_value_has_that_value_everywhere(parameter: Parameter) -> None:
    only = parameter.value_at(0)
    for unit in (0.0, 0.3, 0.5, 1.0):
        assert parameter.from_unit(unit) == only
    assert 0.0 < parameter.to_unit(only) < 1.0
    assert only in parameter


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Float(0.0, 1.0), [0, 0.5, 1.0], [-0.1, 1.1, "a", None, True, math.nan, math.inf]),
        (Int(1, 9, step=2), [1, 3, 9], [0, 2, 10, 3.0, True, "3", None]),
        (Choice([1, "1", None]), [1, "1", None], [True, 1.0, 2, [], {}]),
        (Choice([True, 1, 1.0]), [True, 1, 1.0], [False, 0, "1"]),
        (Choice([[1, 2], {"a": 1}]), [[1, 2], {"a": 1}], [[1], {"a": 2}, "[1, 2]"]),
    ],
)
def test_membership_is_by_value_and_kind(
    parameter: Parameter, inside: list[Any], outside: list[Any]
) -> None:
    assert [value for value in inside if value not in parameter] == []
    assert [value for value in outside if value in parameter] == []


# Choices.

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 0.5])
    | st.sampled_from(["1", "true", "a", "[1]", "null", ""]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.lists(
        json_values,
        min_size=1,
        max_size=6,
        unique_by=lambda option: json.dumps(option, sort_keys=True),
    )
)
def test_options_of_any_kind_keep_apart_and_come_back(options: list[Any]) -> None:
    choice = Choice(options)
    labels = choice.labels
    assert len(set(labels)) == len(options)
    for index, option in enumerate(options):
        assert choice.index_of(option) == index
        back = choice.from_unit(choice.to_unit(option))
        assert repr(back) == repr(option)


def test_truth_one_and_a_text_are_four_options() -> None:
    choice = Choice([True, 1, 1.0, "1"])
    assert [choice.index_of(option) for option in choice.options] == [0, 1, 2, 3]
    assert len(set(choice.labels)) == 4


def test_scalar_options_are_stored_as_they_are_and_others_as_text() -> None:
    assert Choice(["a", 1, None, False, 0.5]).labels == ("a", 1, None, False, 0.5)
    assert Choice([[1, 2], "a"]).labels == ("[1, 2]", '"a"')
    assert Choice([{"b": 1, "a": 2}]).labels == ('{"a": 2, "b": 1}',)


def test_an_option_that_is_none_of_them_has_no_number() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        Choice(["a", "b"]).index_of("c")


# Refusals.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(2.0, 1.0), r"low must be <= high, got \[2.0, 1.0\]; swap them"),
        (lambda: Float(0.0, 1.0, "log"), r"low must be > 0 on a log scale, got 0.0"),
        (lambda: Float(-1.0, 1.0, "reverse-log"), r"low must be > 0 on a reverse-log scale"),
        (lambda: Float(1.0, 2.0, "ln"), r"scale must be one of linear, log, reverse-log, got 'ln'"),
        (lambda: Float(1.0, 2.0, ["log"]), r"scale must be one of"),
        (lambda: Float(1.0, 2.0, None), r"scale must be one of"),
        (lambda: Float(1.0, 2.0, "log", 0.1), r"step goes with a linear scale only"),
        (lambda: Float(1.0, 2.0, step=0.0), r"step must be > 0, got 0"),
        (lambda: Float(1.0, 2.0, step=-1.0), r"step must be > 0, got -1"),
        (lambda: Float(1.0, 2.0, step=math.nan), r"step must be "),
        (lambda: Float(1.0, 2.0, step=math.inf), r"step must be "),
        (lambda: Float(1.0, 2.0, step="a"), r"step .*'a'"),
        (lambda: Float(1.0, 2.0, step=True), r"step .*True"),
        (lambda: Float(math.nan, 1.0), r"low and high must be finite, got \[nan, 1.0\]"),
        (lambda: Float(0.0, math.inf), r"low and high must be finite"),
        (lambda: Float(0.0, 10**400), r"finite"),
        (lambda: Float(-1.7e308, 1.7e308), r"finite|too wide"),
        (lambda: Float("0", 1.0), r"a float range takes two numbers, got '0'"),
        (lambda: Float(False, 1.0), r"a float range takes two numbers, got False"),
        (lambda: Float(None, 1.0), r"a float range takes two numbers, got None"),
        (lambda: Int(2, 1), r"low must be <= high, got \[2, 1\]; swap them"),
        (lambda: Int(0, 5, "log"), r"low must be > 0 on a log scale, got 0"),
        (lambda: Int(0, 5, "reverse-log"), r"low must be > 0 on a reverse-log scale"),
        (lambda: Int(1, 5, "log", 2), r"step goes with a linear scale only"),
        (lambda: Int(1, 5, step=0), r"step must be > 0, got 0"),
        (lambda: Int(1, 5, step=-2), r"step must be > 0, got -2"),
        (lambda: Int(True, 5), r"an int range takes whole numbers, got True"),
        (lambda: Int(1, 5.0), r"an int range takes whole numbers, got 5.0"),
        (lambda: Int(1, 5, step=1.5), r"an int range takes whole numbers, got 1.5"),
        (lambda: Int("1", 5), r"an int range takes whole numbers, got '1'"),
        (lambda: Int(1, 10**400), r"finite|2\*\*53"),
        (lambda: Choice([]), r"a choice needs at least one option, got an empty list"),
        (lambda: Choice(()), r"a choice needs at least one option"),
        (lambda: Choice("abc"), r"a choice takes a list of options, got 'abc'"),
        (lambda: Choice({"a": 1}), r"a choice takes a list of options"),
        (lambda: Choice(5), r"a choice takes a list of options, got 5"),
        (lambda: Choice(None), r"a choice takes a list of options, got None"),
        (lambda: Choice(["a", "a"]), r"an option is given twice in \['a', 'a'\]"),
        (lambda: Choice([1, True, 1]), r"an option is given twice"),
        (lambda: Choice([[1], [1]]), r"an option is given twice"),
        (lambda: Choice([{"a": 1, "b": 2}, {"b": 2, "a": 1}]), r"an option is given twice"),
        (lambda: Choice([object(), 1]), r"an option is not JSON-able"),
        (lambda: Choice([{1, 2}]), r"an option is not JSON-able"),
        (lambda: Choice([0.5, math.nan]), r"an option is not JSON-able"),
        (lambda: Choice([[math.inf]]), r"an option is not JSON-able"),
    ],
)  # fmt: skip
def test_a_range_that_breaks_a_rule_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_parameter_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Float(0.0, 1.0).low = 2.0  # type: ignore[misc]
