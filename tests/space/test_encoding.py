"""Whole configurations to the unit cube and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketune.space import Choice, Float, Int, Space
from spiketune.space.encoding import from_unit, to_unit

SPACE = Space(
    {
        "beta": Float(0.5, 0.999, "reverse-log"),
        "momentum": Float(0.0, 0.9, when="optimizer == 'sgd'"),
        "optimizer": Choice(["adam", "sgd"]),
        "rate": Float(1e-4, 1e-1, "log"),
        "layers": Int(1, 3),
        "neurons": Int(16, 300, "log"),
        "shape": Choice([[1, 2], {"a": 1}, None, True, 1]),
        "one": Int(5, 5),
        "grid": Float(0.0, 1.0, step=0.25),
    }
)
points = st.lists(st.floats(0.0, 1.0), min_size=len(SPACE), max_size=len(SPACE)).map(np.array)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(points)
def test_every_point_is_a_configuration_of_the_space(point: np.ndarray) -> None:
    SPACE.check(from_unit(SPACE, point))


@settings(deadline=None, max_examples=200, derandomize=True)
@given(points)
def test_a_configuration_goes_to_the_cube_and_back(point: np.ndarray) -> None:
    values = from_unit(SPACE, point)
    unit = to_unit(SPACE, values)
    assert unit.shape == (len(SPACE),)
    assert unit.dtype == np.float64
    assert ((unit >= 0) & (unit <= 1)).all()
    again = from_unit(SPACE, unit)
    assert again.keys() == values.keys()
    for name, value in values.items():
        if isinstance(SPACE[name], Float):
            assert again[name] == pytest.approx(value, rel=1e-9)
        else:
            assert again[name] == value
            assert type(again[name]) is type(value)


def test_an_inactive_parameter_lies_in_the_middle_and_is_passed_over() -> None:
    order = list(SPACE.order)
    point = np.full(len(SPACE), 0.9)
    point[order.index("optimizer")] = 0.1
    values = from_unit(SPACE, point)
    assert values["optimizer"] == "adam"
    assert "momentum" not in values
    assert to_unit(SPACE, values)[order.index("momentum")] == 0.5


def test_a_point_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        from_unit(SPACE, np.zeros(len(SPACE) + 1))


def test_a_space_without_parameters_has_one_configuration() -> None:
    assert from_unit(Space({}), np.zeros(0)) == {}
    assert to_unit(Space({}), {}).shape == (0,)
