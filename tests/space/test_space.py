"""The space: order, conditions, requirements, and its fingerprint."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from spiketune.errors import ConfigError
from spiketune.space import Choice, Condition, Float, Int, Space, parse

CONDITIONAL = Space(
    {
        "momentum": Float(0.0, 0.9, when="optimizer == 'sgd'"),
        "nesterov": Choice([True, False], when="momentum > 0.5"),
        "optimizer": Choice(["adam", "sgd"]),
        "rate": Float(1e-4, 1e-1, "log"),
    }
)


def test_a_space_is_a_mapping_in_the_order_written() -> None:
    assert list(CONDITIONAL) == ["momentum", "nesterov", "optimizer", "rate"]
    assert len(CONDITIONAL) == 4
    assert CONDITIONAL["optimizer"] == Choice(["adam", "sgd"])
    assert len(Space({})) == 0


def test_what_a_condition_speaks_of_comes_first_in_the_order() -> None:
    order = CONDITIONAL.order
    assert sorted(order) == sorted(CONDITIONAL)
    assert order.index("optimizer") < order.index("momentum") < order.index("nesterov")


def test_a_parameter_takes_part_when_its_condition_holds() -> None:
    assert CONDITIONAL.is_active("rate", {})
    assert CONDITIONAL.is_active("momentum", {"optimizer": "sgd"})
    assert not CONDITIONAL.is_active("momentum", {"optimizer": "adam"})
    assert not CONDITIONAL.is_active("momentum", {})
    assert CONDITIONAL.is_active("nesterov", {"optimizer": "sgd", "momentum": 0.6})
    assert not CONDITIONAL.is_active("nesterov", {"optimizer": "adam"})


def test_only_parameters_with_a_condition_are_conditional() -> None:
    assert [name for name in CONDITIONAL if CONDITIONAL.is_conditional(name)] == [
        "momentum",
        "nesterov",
    ]


def test_a_parameter_takes_part_if_any_of_its_conditions_holds() -> None:
    ways = [Condition(chosen=(("kind", "a"),)), Condition(parse("n > 2"))]
    space = Space({"kind": Choice(["a", "b"]), "n": Int(1, 3), "x": Int(1, 2)}, (), {"x": ways})
    assert space.is_active("x", {"kind": "a", "n": 1})
    assert space.is_active("x", {"kind": "b", "n": 3})
    assert not space.is_active("x", {"kind": "b", "n": 1})


def test_a_parameter_s_own_when_counts_beside_further_conditions() -> None:
    space = Space(
        {"kind": Choice(["a", "b"]), "n": Int(1, 3), "x": Int(1, 2, when="n > 2")},
        conditions={"x": [Condition(chosen=(("kind", "a"),))]},
    )
    assert space.is_active("x", {"kind": "a", "n": 1})
    assert space.is_active("x", {"kind": "b", "n": 3})
    assert not space.is_active("x", {"kind": "b", "n": 1})


def test_a_condition_needs_both_its_sections_and_its_expression() -> None:
    condition = Condition(parse("n > 2"), (("kind", "a"),))
    assert condition.names == {"n", "kind"}
    assert condition.holds({"kind": "a", "n": 3})
    assert not condition.holds({"kind": "a", "n": 1})
    assert not condition.holds({"kind": "b", "n": 3})
    assert not condition.holds({"kind": "a"})
    assert Condition().holds({})


def test_the_sections_around_a_parameter_are_those_of_its_first_way() -> None:
    ways = [Condition(chosen=(("kind", "a"), ("sub", "c"))), Condition(chosen=(("kind", "b"),))]
    space = Space(
        {"kind": Choice(["a", "b"]), "sub": Choice(["c", "d"]), "x": Int(1, 2)}, (), {"x": ways}
    )
    assert space.choices_around("x") == {"kind": "a", "sub": "c"}
    assert space.choices_around("kind") == {}


# Requirements.


def test_every_requirement_must_be_met() -> None:
    space = Space({"a": Int(1, 9), "b": Int(1, 9)}, ["a * b <= 20", "a != b"])
    assert space.meets({"a": 4, "b": 5})
    assert not space.meets({"a": 5, "b": 5})
    assert not space.meets({"a": 7, "b": 3})
    assert Space({"a": Int(1, 9)}).meets({"a": 1})


def test_a_requirement_on_an_inactive_parameter_counts_as_met() -> None:
    space = Space(
        {"kind": Choice(["a", "b"]), "n": Int(1, 9, when="kind == 'a'")}, ["n <= 3"]
    )  # fmt: skip
    assert space.meets({"kind": "b"})
    assert space.meets({"kind": "a", "n": 3})
    assert not space.meets({"kind": "a", "n": 4})


def test_a_requirement_that_has_no_value_is_not_met() -> None:
    space = Space({"a": Int(0, 9)}, ["1 / a <= 1"])
    assert space.meets({"a": 1})
    assert not space.meets({"a": 0})
    assert space.unmet({"a": 0}) == "1 / a <= 1"
    with pytest.raises(ConfigError, match=r"^study\.require: .*division by zero"):
        space.check_expressions({"a": 0})


def test_a_condition_that_has_no_value_does_not_hold() -> None:
    space = Space({"a": Int(0, 9), "x": Float(0.0, 1.0, when="1 / a <= 1")})
    assert space.is_active("x", {"a": 1})
    assert not space.is_active("x", {"a": 0})
    with pytest.raises(ConfigError, match=r"^x\.when: .*division by zero"):
        space.check_expressions({"a": 0})


@pytest.mark.parametrize(
    ("make", "path", "message"),
    [
        (lambda: Space({"neurons": Int(1, 2)}, ["neuron < 5"]), "study.require",
         "No parameter named 'neuron'. Did you mean 'neurons'"),
        (lambda: Space({"a": Int(1, 2)}, ["a <"]), "study.require", "cannot be read"),
        (lambda: Space({"a": Int(1, 2)}, [""]), "study.require", "an expression is a text"),
        (lambda: Space({"a": Int(1, 2, when="bb > 1")}), "a.when", "No parameter named 'bb'"),
        (lambda: Space({"a": Int(1, 2, when="1 +")}), "a.when", "cannot be read"),
        (lambda: Space({"a": Int(1, 2)}, (), {"a": [Condition(chosen=(("kind", "x"),))]}),
         "a.when", "No parameter named 'kind'"),
        (lambda: Space({"a": Int(1, 2, when="a > 1")}), "when", "circle: a -> a"),
        (lambda: Space({"a": Int(1, 2, when="b > 1"), "b": Int(1, 2, when="a > 1")}),
         "when", "depend on each other in a circle"),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_is_refused_at_the_place(
    make: Callable[[], Space], path: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert caught.value.path == path


# Checking a configuration.


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "adam", "rate": 1e-3},
        {"optimizer": "sgd", "momentum": 0.2, "rate": 1e-3},
        {"optimizer": "sgd", "momentum": 0.6, "nesterov": True, "rate": 1e-3},
    ],
)
def test_a_configuration_of_the_space_passes(values: Mapping[str, Any]) -> None:
    CONDITIONAL.check(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "adam"}, "^rate: has no value"),
        ({"rate": 1e-3}, "^optimizer: has no value"),
        ({"optimizer": "adam", "rate": 1.0}, "^rate: 1.0 is outside"),
        ({"optimizer": "rmsprop", "rate": 1e-3}, "^optimizer: 'rmsprop' is outside"),
        ({"optimizer": "adam", "rate": 1e-3, "momentum": 0.5}, "^momentum: is not active"),
        ({"optimizer": "sgd", "rate": 1e-3}, "^momentum: has no value"),
        ({"optimizer": "adam", "rates": 1e-3}, "'rates'. Did you mean 'rate'"),
    ],
)
def test_a_configuration_of_another_space_is_refused(
    values: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        CONDITIONAL.check(values)


# The fingerprint.

VARIANTS: dict[str, Callable[[], Space]] = {
    "base": lambda: Space({"a": Float(0.5, 1.0), "b": Int(1, 3)}),
    "name": lambda: Space({"a": Float(0.5, 1.0), "c": Int(1, 3)}),
    "low": lambda: Space({"a": Float(0.6, 1.0), "b": Int(1, 3)}),
    "high": lambda: Space({"a": Float(0.5, 1.1), "b": Int(1, 3)}),
    "scale": lambda: Space({"a": Float(0.5, 1.0, "log"), "b": Int(1, 3)}),
    "step": lambda: Space({"a": Float(0.5, 1.0, step=0.1), "b": Int(1, 3)}),
    "int step": lambda: Space({"a": Float(0.5, 1.0), "b": Int(1, 3, step=2)}),
    "kind": lambda: Space({"a": Float(0.5, 1.0), "b": Float(1, 3)}),
    "choice": lambda: Space({"a": Float(0.5, 1.0), "b": Choice([1, 3])}),
    "options": lambda: Space({"a": Float(0.5, 1.0), "b": Choice([1, 2])}),
    "kinds": lambda: Space({"a": Float(0.5, 1.0), "b": Choice([1.0, 3])}),
    "truth": lambda: Space({"a": Float(0.5, 1.0), "b": Choice([True, 3])}),
    "text": lambda: Space({"a": Float(0.5, 1.0), "b": Choice(["1", 3])}),
    "lists": lambda: Space({"a": Float(0.5, 1.0), "b": Choice([[1], {"c": [3]}])}),
    "more": lambda: Space({"a": Float(0.5, 1.0), "b": Int(1, 3), "c": Int(1, 2)}),
    "fewer": lambda: Space({"a": Float(0.5, 1.0)}),
    "require": lambda: Space({"a": Float(0.5, 1.0), "b": Int(1, 3)}, ["a < b"]),
    "another": lambda: Space({"a": Float(0.5, 1.0), "b": Int(1, 3)}, ["a <= b"]),
    "when": lambda: Space({"a": Float(0.5, 1.0), "b": Int(1, 3, when="a > 0.7")}),
    "chosen": lambda: Space(
        {"a": Float(0.5, 1.0), "b": Int(1, 3)}, (), {"b": [Condition(chosen=(("a", "x"),))]}
    ),
}


def test_any_change_of_the_space_changes_its_fingerprint() -> None:
    marks = {name: make().fingerprint() for name, make in VARIANTS.items()}
    assert len(set(marks.values())) == len(VARIANTS), marks
    assert all(VARIANTS[name]().fingerprint() == mark for name, mark in marks.items())


def test_a_condition_has_one_fingerprint_however_it_was_given() -> None:
    inside = Space({"a": Float(0.5, 1.0), "b": Int(1, 3, when="a > 0.7")})
    beside = Space({"a": Float(0.5, 1.0), "b": Int(1, 3)}, (), {"b": [Condition(parse("a > 0.7"))]})
    assert inside.fingerprint() == beside.fingerprint()


def test_the_fingerprint_is_the_one_recorded_in_every_process() -> None:
    program = (
        "from spiketune.space import *\n"
        "space = Space({'kind': Choice(['a', None, {'b': [1]}]), 'x': Float(1, 2, 'log'),"
        " 'n': Int(1, 9, when=\"x > 1 and kind == 'a' and x < 1.5\")}, ['x < 1.9'])\n"
        "print(space.fingerprint(), *space.order)"
    )
    for hash_seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["f622eca3a595d159", "kind", "x", "n"]
