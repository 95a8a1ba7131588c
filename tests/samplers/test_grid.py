"""The grid: every combination once, in order, across restarts."""

from typing import Any

import pytest

from spiketune.errors import ConfigError
from spiketune.samplers.grid import GridExhaustedError
from spiketune.samplers.stock import check_sampler
from spiketune.space import Choice, Float, Int, Space
from tests.samplers.studies import MemoryStudy, smooth


def all_of(study: MemoryStudy) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []
    try:
        while len(asked) < 100:
            asked += [dict(values) for values in study.run(1, smooth)]
    except GridExhaustedError:
        return asked
    raise AssertionError("the grid has no end")


def test_the_last_parameter_runs_fastest() -> None:
    space = Space({"kind": Choice(["a", "b"]), "n": Int(1, 3), "x": Float(0.0, 0.5, step=0.5)})
    assert all_of(MemoryStudy(space, "grid")) == [
        {"kind": kind, "n": n, "x": x} for kind in "ab" for n in (1, 2, 3) for x in (0.0, 0.5)
    ]


def test_a_conditional_parameter_expands_only_where_it_takes_part() -> None:
    space = Space({"kind": Choice(["a", "b"]), "n": Int(1, 3, when="kind == 'b'")})
    assert all_of(MemoryStudy(space, "grid")) == [
        {"kind": "a"},
        {"kind": "b", "n": 1},
        {"kind": "b", "n": 2},
        {"kind": "b", "n": 3},
    ]


def test_reverse_log_stepped_and_odd_options_come_as_they_are() -> None:
    space = Space(
        {
            "n": Int(2, 4, "reverse-log"),
            "m": Int(1, 10, step=4),
            "shape": Choice([[1], None, True, 1]),
            "one": Float(0.5, 0.5, "reverse-log"),
        }
    )
    asked = all_of(MemoryStudy(space, "grid"))
    assert len(asked) == 3 * 3 * 4
    assert [v["n"] for v in asked[::12]] == [2, 3, 4]
    assert [v["m"] for v in asked[:12:4]] == [1, 5, 9]
    assert [repr(v["shape"]) for v in asked[:4]] == ["[1]", "None", "True", "1"]
    assert {v["one"] for v in asked} == {0.5}


def test_combinations_that_break_a_requirement_are_passed_over() -> None:
    space = Space({"a": Int(1, 3), "b": Int(1, 3)}, ["a < b"])
    asked = all_of(MemoryStudy(space, "grid"))
    assert [(v["a"], v["b"]) for v in asked] == [(1, 2), (1, 3), (2, 3)]


def test_the_order_survives_a_restart_and_failures() -> None:
    space = Space({"a": Int(1, 2), "b": Int(1, 3)})
    study = MemoryStudy(space, "grid")
    seen = []
    for i in range(6):
        study.asker = study.restarted()
        seen += study.run(1, lambda values, i=i: None if i % 2 else [1.0])
    assert [(v["a"], v["b"]) for v in seen] == [(a, b) for a in (1, 2) for b in (1, 2, 3)]
    with pytest.raises(GridExhaustedError):
        study.restarted().ask()


def test_a_space_without_parameters_has_one_combination() -> None:
    assert all_of(MemoryStudy(Space({}), "grid")) == [{}]


def test_a_continuum_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"^x: the grid sampler needs a finite range; .*`step`"):
        check_sampler("grid", {}, 1, Space({"n": Int(1, 2), "x": Float(0.0, 1.0)}))
