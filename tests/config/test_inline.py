"""Ranges inside a trial section: found, named, conditional, and replaced again."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketune.config.inline import as_range, range_kind, resolve, space_of
from spiketune.errors import ConfigError
from spiketune.space import Choice, Float, Int, Parameter, Space
from spiketune.space.encoding import from_unit

SECTION: dict[str, Any] = {
    "device": "cpu",
    "parameters": {"hidden_layers": {"int": [1, 3]}},
    "dataset": {"name": "digits", "steps": {"int": [10, 50], "scale": "log", "name": "steps"}},
    "network": {
        "neuron": {"beta": {"float": [0.5, 1.0]}},
        "layers": [
            {"name": "first", "dense": {"int": [16, 300], "name": "neurons"}, "dropout": 0.1},
            {"dense": {"choice": [8, 16]}, "repeat": {"value": "hidden_layers - 1"}},
            {"name": "third", "dense": {"int": [16, 300], "name": "neurons"}},
            {"name": "out", "dense": "classes"},
        ],
    },
    "training": {
        "epochs": {"grid": [3, 9]},
        "betas": [{"float": [0.8, 0.9]}, 0.999],
        "optimizer": {
            "choose": {
                "adam": {"name": "adam", "learning_rate": {"float": [1e-4, 1e-2], "scale": "log"}},
                "sgd": {
                    "name": "sgd",
                    "learning_rate": {"float": [1e-3, 1.0], "scale": "reverse-log"},
                    "momentum": {"float": [0.0, 0.9], "step": 0.1, "name": "momentum"},
                    "nesterov": {"choice": [True, False], "when": "momentum > 0.05"},
                },
            }
        },
        "scheduler": {"choice": ["step", None], "when": "steps >= 20", "name": "scheduler"},
    },
}


def test_every_range_becomes_a_parameter_named_by_its_path_or_name() -> None:
    space = space_of(SECTION)
    assert dict(space) == {
        "hidden_layers": Int(1, 3),
        "steps": Int(10, 50, "log"),
        "network.neuron.beta": Float(0.5, 1.0),
        "neurons": Int(16, 300),
        "network.layers.1.dense": Choice([8, 16]),
        "training.epochs": Choice([3, 9]),
        "training.betas.0": Float(0.8, 0.9),
        "training.optimizer": Choice(["adam", "sgd"]),
        "training.optimizer.adam.learning_rate": Float(1e-4, 1e-2, "log"),
        "training.optimizer.sgd.learning_rate": Float(1e-3, 1.0, "reverse-log"),
        "momentum": Float(0.0, 0.9, step=0.1),
        "training.optimizer.sgd.nesterov": Choice([True, False]),
        "scheduler": Choice(["step", None]),
    }


def test_a_list_entry_goes_by_its_name_or_else_by_its_index() -> None:
    layers = [{"name": "hidden", "dense": {"int": [1, 5]}}, {"dense": {"int": [1, 5]}}]
    assert list(space_of({"layers": layers})) == ["layers.hidden.dense", "layers.1.dense"]


def test_a_list_entry_whose_name_is_searched_goes_by_its_index() -> None:
    section = {"layers": [{"name": {"choice": ["a", "b"]}, "dense": {"int": [1, 5]}}]}
    assert list(space_of(section)) == ["layers.0.name", "layers.0.dense"]


def test_names_below_params_and_parameters_are_relative() -> None:
    section = {
        "function": "m:f",
        "params": {"rate": {"float": [0, 1]}, "net": {"size": {"int": [1, 2]}}},
        "parameters": {"free": {"int": [1, 2]}},
    }
    assert list(space_of(section)) == ["rate", "net.size", "free"]
    resolved = resolve(section, {"rate": 0.5, "net.size": 2, "free": 1})
    assert resolved["params"] == {"rate": 0.5, "net": {"size": 2}}


def test_another_root_is_left_out_of_the_names_and_stands_in_messages() -> None:
    assert list(space_of({"a": {"b": {"int": [1, 2]}}}, root="job")) == ["a.b"]
    with pytest.raises(ConfigError, match=r"^job\.a: low must be <= high"):
        space_of({"a": {"int": [2, 1]}}, root="job")


def test_a_section_without_ranges_is_an_empty_space_and_resolves_to_itself() -> None:
    section = {"a": 1, "b": {"c": [1, "x", None, {"d": True}]}, "choice_like": {"options": [1]}}
    assert len(space_of(section)) == 0
    assert resolve(section, {}) == section


def test_leaves_of_one_name_share_one_value() -> None:
    section = {"a": {"int": [1, 5], "name": "n"}, "b": [{"int": [1, 5], "name": "n"}]}
    assert dict(space_of(section)) == {"n": Int(1, 5)}
    assert resolve(section, {"n": 4}) == {"a": 4, "b": [4]}


@pytest.mark.parametrize(
    "second",
    [
        {"int": [1, 6]},
        {"int": [1, 5], "scale": "log"},
        {"int": [1, 5], "step": 2},
        {"float": [1, 5]},
        {"choice": [1, 5]},
    ],
)
def test_leaves_of_one_name_with_different_ranges_are_refused(second: dict[str, Any]) -> None:
    section = {"a": {"int": [1, 5], "name": "n"}, "b": {"c": {**second, "name": "n"}}}
    with pytest.raises(ConfigError, match=r"^trial\.b\.c: name 'n' has a different range"):
        space_of(section)


def test_options_that_only_python_calls_equal_are_different_ranges() -> None:
    section = {"a": {"choice": [1, 2], "name": "n"}, "b": {"choice": [True, 2], "name": "n"}}
    with pytest.raises(ConfigError, match=r"^trial\.b: name 'n' has a different range"):
        space_of(section)


@pytest.mark.parametrize("first", ["parameters", "a"])
def test_a_name_that_is_the_path_of_another_leaf_links_the_two(first: str) -> None:
    name = "n" if first == "parameters" else "a.n"
    same = {first: {"n": {"int": [1, 5]}}, "b": {"int": [1, 5], "name": name}}
    assert dict(space_of(same)) == {name: Int(1, 5)}
    different = {first: {"n": {"int": [1, 5]}}, "b": {"int": [2, 9], "name": name}}
    with pytest.raises(ConfigError, match=rf"^trial\.b: name '{name}' has a different range"):
        space_of(different)


# Conditions.


def test_ranges_inside_a_chosen_section_are_active_when_it_is_chosen() -> None:
    space = space_of(SECTION)
    adam, sgd = {"training.optimizer": "adam"}, {"training.optimizer": "sgd"}
    assert space.is_active("training.optimizer.adam.learning_rate", adam)
    assert not space.is_active("training.optimizer.adam.learning_rate", sgd)
    assert space.is_active("momentum", sgd)
    assert not space.is_active("momentum", adam)
    assert space.choices_around("momentum") == sgd
    assert space.is_active("training.optimizer.sgd.nesterov", {**sgd, "momentum": 0.5})
    assert not space.is_active("training.optimizer.sgd.nesterov", {**sgd, "momentum": 0.0})


def test_sections_can_be_chosen_inside_chosen_sections() -> None:
    inner = {"choose": {"x": {"n": {"int": [1, 9]}}, "y": {"m": {"int": [1, 9]}}}}
    section = {"outer": {"choose": {"a": {"inner": inner}, "b": {}}, "name": "kind"}}
    space = space_of(section)
    assert list(space) == ["kind", "outer.a.inner", "outer.a.inner.x.n", "outer.a.inner.y.m"]
    assert not space.is_active("outer.a.inner", {"kind": "b"})
    values = {"kind": "a", "outer.a.inner": "x", "outer.a.inner.x.n": 3}
    space.check(values)
    assert resolve(section, values) == {"outer": {"inner": {"n": 3}}}
    assert resolve(section, {"kind": "b"}) == {"outer": {}}


def test_a_linked_leaf_is_active_if_any_of_its_places_is() -> None:
    leaf = {"int": [1, 9], "name": "n"}
    section = {"k": {"choose": {"a": {"n": leaf}, "b": {"n": leaf}, "c": {}}}}
    space = space_of(section)
    assert [space.is_active("n", {"k": option}) for option in "abc"] == [True, True, False]
    always = space_of({**section, "d": leaf})
    assert not always.is_conditional("n")


def test_a_linked_leaf_drops_out_only_where_its_own_condition_fails() -> None:
    section = {
        "k": {"int": [1, 9], "name": "k"},
        "a": {"int": [1, 9], "name": "n"},
        "b": {"int": [1, 9], "name": "n", "when": "k > 5"},
    }
    assert resolve(section, {"k": 3, "n": 4}) == {"k": 3, "a": 4}
    assert resolve(section, {"k": 6, "n": 4}) == {"k": 6, "a": 4, "b": 4}


def test_a_leaf_whose_when_does_not_hold_is_left_out() -> None:
    section = {
        "opt": {"choice": ["adam", "sgd"]},
        "momentum": {"float": [0.1, 0.9], "when": "opt == 'sgd'"},
        "list": [1, {"int": [1, 2], "when": "opt == 'sgd'", "name": "n"}, 3],
    }
    assert resolve(section, {"opt": "adam"}) == {"opt": "adam", "list": [1, 3]}
    assert resolve(section, {"opt": "sgd", "momentum": 0.5, "n": 2}) == {
        "opt": "sgd",
        "momentum": 0.5,
        "list": [1, 2, 3],
    }


def test_a_value_leaf_is_computed_and_may_be_left_out() -> None:
    section = {
        "n": {"int": [1, 9]},
        "twice": {"value": "n * 2"},
        "large": {"value": "n ** 2", "when": "n > 5"},
    }
    assert list(space_of(section)) == ["n"]
    assert resolve(section, {"n": 3}) == {"n": 3, "twice": 6}
    assert resolve(section, {"n": 6}) == {"n": 6, "twice": 12, "large": 36}


def test_a_value_that_is_no_text_is_an_ordinary_key() -> None:
    assert range_kind({"value": 5}, "") is None
    assert resolve({"a": {"value": 5}}, {}) == {"a": {"value": 5}}


# Replacing.


def test_resolving_puts_each_value_in_its_place_and_leaves_the_section_alone() -> None:
    before = copy.deepcopy(SECTION)
    resolved = resolve(
        SECTION,
        {
            "hidden_layers": 3,
            "steps": 25,
            "network.neuron.beta": 0.9,
            "neurons": 64,
            "network.layers.1.dense": 16,
            "training.epochs": 9,
            "training.betas.0": 0.85,
            "training.optimizer": "sgd",
            "training.optimizer.sgd.learning_rate": 0.5,
            "momentum": 0.3,
            "training.optimizer.sgd.nesterov": True,
            "scheduler": None,
        },
    )
    assert before == SECTION
    assert resolved == {
        "device": "cpu",
        "parameters": {"hidden_layers": 3},
        "dataset": {"name": "digits", "steps": 25},
        "network": {
            "neuron": {"beta": 0.9},
            "layers": [
                {"name": "first", "dense": 64, "dropout": 0.1},
                {"dense": 16, "repeat": 2},
                {"name": "third", "dense": 64},
                {"name": "out", "dense": "classes"},
            ],
        },
        "training": {
            "epochs": 9,
            "betas": [0.85, 0.999],
            "optimizer": {"name": "sgd", "learning_rate": 0.5, "momentum": 0.3, "nesterov": True},
            "scheduler": None,
        },
    }


def _ranges_in(node: Any) -> list[Any]:
    if isinstance(node, Mapping):
        own = [node] if range_kind(node, "") else []
        return own + [found for child in node.values() for found in _ranges_in(child)]
    if isinstance(node, list):
        return [found for child in node for found in _ranges_in(child)]
    return []


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=13, max_size=13))
def test_no_configuration_leaves_a_range_or_an_inactive_leaf(point: list[float]) -> None:
    space = space_of(SECTION)
    values = from_unit(space, np.array(point))
    space.check(values)
    resolved = resolve(SECTION, values)
    assert len(_ranges_in(SECTION)) == 15
    assert _ranges_in(resolved) == []
    optimizer = resolved["training"]["optimizer"]
    assert optimizer["name"] == values["training.optimizer"]
    assert ("momentum" in optimizer) == ("momentum" in values)
    assert ("nesterov" in optimizer) == ("training.optimizer.sgd.nesterov" in values)
    assert ("scheduler" in resolved["training"]) == (values["steps"] >= 20)
    assert resolved["network"]["layers"][1]["repeat"] == values["hidden_layers"] - 1


def test_a_missing_value_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"^trial\.a\.b: no value .* parameter 'n'"):
        resolve({"a": {"b": {"int": [1, 2], "name": "n"}}}, {})


# Refusals: each names the path.


@pytest.mark.parametrize(
    ("leaf", "path", "message"),
    [
        ({"float": [2, 1]}, "", r"low must be <= high, got \[2.0, 1.0\]; swap them"),
        ({"float": [0.0, 1], "scale": "log"}, "", "low must be > 0 on a log scale, got 0.0"),
        ({"int": [0, 1], "scale": "reverse-log"}, "", "low must be > 0 on a reverse-log scale"),
        ({"float": [1, 2], "scale": "log", "step": 0.1}, "", "step goes with a linear scale"),
        ({"float": [1, 2], "scale": "ln"}, "", "scale must be one of linear, log, reverse-log"),
        ({"float": [1, 2], "step": "a"}, "", "step must be a finite number, got 'a'"),
        ({"float": ["a", 2]}, "", "a float range takes two numbers, got 'a'"),
        ({"float": [1]}, "", r"a range is \{float: \[low, high\]\}, got \[1\]"),
        ({"float": [1, 2, 3]}, "", r"a range is \{float: \[low, high\]\}"),
        ({"float": 1.0}, "", r"a range is \{float: \[low, high\]\}, got 1.0"),
        ({"int": {"low": 1, "high": 2}}, "", r"a range is \{int: \[low, high\]\}"),
        ({"int": [1.5, 2]}, "", "an int range takes whole numbers, got 1.5"),
        ({"int": [True, 2]}, "", "an int range takes whole numbers, got True"),
        ({"choice": []}, "", "a choice needs at least one option"),
        ({"choice": "abc"}, "", "a choice takes a list of options, got 'abc'"),
        ({"choice": ["a", "a"]}, "", "an option is given twice"),
        ({"choice": ["a", {"int": [1, 2]}]}, "", "an option holds a range; use {choose"),
        ({"choice": [[{"x": {"float": [1, 2]}}]]}, "", "an option holds a range"),
        ({"choice": ["a"], "scale": "log"}, "", "`scale` and `step` do not go with `choice`"),
        ({"grid": []}, "", "a choice needs at least one option"),
        ({"grid": [1], "step": 1}, "", "`scale` and `step` do not go with `grid`"),
        ({"choose": ["a", "b"]}, "", "choose takes named sections"),
        ({"choose": {1: {}}}, "", "choose takes named sections"),
        ({"choose": {}}, "", "at least one option"),
        ({"choose": {"x": {}}, "step": 1}, "", "`scale` and `step` do not go with `choose`"),
        ({"choose": {"x": {"y": {"int": [2, 1]}}}}, ".x.y", "low must be <= high"),
        ({"int": [1, 2], "sclae": "log"}, "", "a range has no key 'sclae'; known: scale, step"),
        ({"int": [1, 2], "float": [1, 2]}, "", "a range is of one kind, got float and int"),
        ({"int": [1, 2], "name": ""}, ".name", "must be a text, got ''"),
        ({"int": [1, 2], "name": 5}, ".name", "must be a text, got 5"),
        ({"int": [1, 2], "when": "1 +"}, ".when", "cannot be read"),
        ({"int": [1, 2], "when": "nn > 1"}, ".when", "No parameter named 'nn'. Did you mean 'n'"),
        ({"value": "1 +"}, "", "cannot be read"),
        ({"value": "open('x')"}, "", "is not allowed"),
        ({"value": "n", "step": 1}, "", "`step` does not go with `value`"),
        ({"value": "n", "when": "nn > 1"}, ".when", "No parameter named 'nn'"),
    ],
)
def test_a_range_that_is_wrong_is_refused_with_its_path(
    leaf: dict[str, Any], path: str, message: str
) -> None:
    section = {"n": {"int": [1, 3]}, "layers": [{"name": "hidden", "leaf": leaf}]}
    with pytest.raises(ConfigError, match=message) as caught:
        space_of(section)
    assert caught.value.path == f"trial.layers.hidden.leaf{path}"


def test_a_when_of_a_linked_leaf_is_checked_even_if_another_place_is_always_active() -> None:
    leaf = {"int": [1, 9], "name": "n"}
    with pytest.raises(ConfigError, match=r"^trial\.b\.when: No parameter named 'typo'"):
        space_of({"a": leaf, "b": {**leaf, "when": "typo > 1"}})


@pytest.mark.parametrize(
    ("text", "message"), [("m * 2", "no value for 'm'"), ("1 / (n - 3)", "division by zero")]
)
def test_a_value_that_cannot_be_computed_names_its_path(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^trial\.a\.b: .*{message}"):
        resolve({"n": {"int": [1, 9]}, "a": {"b": {"value": text}}}, {"n": 3})


# And back into a file.


@pytest.mark.parametrize(
    "parameter",
    [
        Float(0.5, 1.0),
        Float(0.5, 1.0, "reverse-log"),
        Float(0.0, 1.0, step=0.25),
        Int(1, 9, "log"),
        Int(1, 9, step=2),
        Choice(["a", None, [1]]),
        Float(0.5, 1.0, when="n > 1"),
        Int(1, 9, when="n > 1"),
        Choice([1, 2], when="n > 1"),
    ],
)
def test_a_parameter_written_as_a_range_is_read_back_as_it_was(parameter: Parameter) -> None:
    section = {"params": {"n": as_range(Int(1, 3)), "x": as_range(parameter)}}
    assert space_of(section).fingerprint() == Space({"n": Int(1, 3), "x": parameter}).fingerprint()
