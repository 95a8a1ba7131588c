"""The grid: every combination once, in order, across restarts."""

from typing import Any

import pytest

from spiketune.errors import ConfigError
from spiketune.samplers.combinations import Combinations
from spiketune.samplers.grid import GridExhaustedError
from spiketune.samplers.shuffle import Shuffle
from spiketune.samplers.stock import check_sampler
from spiketune.space import Choice, Float, Int, Space
from tests.samplers.studies import SPACES, MemoryStudy, smooth


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


# Levels, and the random order.


def test_levels_divide_a_continuum_on_its_own_scale():
    space = Space(
        {
            "x": Float(0.0, 1.0),
            "rate": Float(1e-4, 1e-2, "log"),
            "beta": Float(1.0, 100.0, "reverse-log"),
        }
    )
    asked = all_of(MemoryStudy(space, "grid", options={"levels": 3}))
    assert len(asked) == 27
    for name, expected in (
        ("x", [0.0, 0.5, 1.0]),
        ("rate", [1e-4, 1e-3, 1e-2]),
        ("beta", [1.0, 91.0, 100.0]),
    ):
        assert sorted({v[name] for v in asked}) == pytest.approx(expected), name


CONDITIONAL = Space(
    {
        "kind": Choice(["a", "b"]),
        "n": Int(1, 3, when="kind == 'b'"),
        "deep": Int(1, 2, when="n > 1"),
        "m": Int(1, 4, "log"),
        "x": Float(0.0, 1.0, step=0.5, when="kind == 'a'"),
    }
)


def key(values):
    return tuple(sorted((name, repr(value)) for name, value in values.items()))


@pytest.mark.parametrize("space", [CONDITIONAL, SPACES["stepped"], Space({})])
def test_a_random_order_holds_every_combination_once(space):
    listed = all_of(MemoryStudy(space, "grid"))
    shuffled = all_of(MemoryStudy(space, "random-from-grid", seed=3))
    assert sorted(map(key, shuffled)) == sorted(map(key, listed))
    assert len(listed) < 3 or shuffled != listed
    for values in shuffled:
        space.check(values)


def test_a_random_order_belongs_to_its_seed_and_survives_restarts():
    def asked(seed, restart):
        study = MemoryStudy(CONDITIONAL, "random-from-grid", seed=seed)
        seen = []
        for _ in range(12):
            if restart:
                study.asker = study.restarted()
            seen += study.run(1, smooth)
        return seen

    assert asked(0, restart=True) == asked(0, restart=False)
    assert asked(0, restart=False) != asked(1, restart=False)


def test_a_grid_too_large_to_list_is_sampled_at_once():
    space = Space({f"n{i}": Int(1, 1000) for i in range(20)})
    study = MemoryStudy(space, "random-from-grid")
    asked = study.run(20, smooth)
    assert len(set(map(key, asked))) == 20
    assert len({values["n0"] for values in asked}) > 15


def test_combinations_are_counted_without_listing_them():
    assert Combinations(CONDITIONAL).n == 4 * 3 + 4 * (1 + 2 * 2)
    with pytest.raises(IndexError):
        Combinations(CONDITIONAL)[32]


@pytest.mark.parametrize("n", [1, 2, 3, 17, 64, 1000])
def test_a_shuffle_is_a_permutation(n):
    shuffle = Shuffle(n, seed=5)
    order = [shuffle[i] for i in range(n)]
    assert sorted(order) == list(range(n))
    assert n < 4 or order != sorted(order)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": "randm"}, "order must be listed or random, got 'randm'"),
        ({"levels": 1}, "levels must be a whole number of at least 2, got 1"),
        ({"level": 4}, "Did you mean 'levels'"),
    ],
)
def test_options_of_the_grid_are_checked(options, words):
    with pytest.raises(ConfigError, match=words):
        check_sampler("grid", options, 1, SPACES["stepped"])


# Requirements, and trials enqueued by hand.


@pytest.mark.parametrize("name", ["grid", "random-from-grid"])
def test_a_long_way_to_the_next_combination_that_meets_the_requirements(name):
    space = Space({"a": Int(1, 60), "b": Int(1, 1000)}, ["a >= 59", "b <= 3"])
    asked = all_of(MemoryStudy(space, name))
    assert sorted((v["a"], v["b"]) for v in asked) == [(a, b) for a in (59, 60) for b in (1, 2, 3)]


@pytest.mark.parametrize("given", [{"kind": "b"}, {"kind": "b", "n": 2}])
def test_a_trial_enqueued_takes_no_combination_away(given):
    study = MemoryStudy(CONDITIONAL, "grid", options={"levels": 2})
    whole = all_of(MemoryStudy(CONDITIONAL, "grid", options={"levels": 2}))
    asked = [dict(values) for values in study.run(2, smooth)]
    proposal = study.asker.complete(given)
    CONDITIONAL.check(proposal.values)
    assert given.items() <= proposal.values.items()
    study.tell(study.add(proposal), smooth(proposal.values))
    assert asked + all_of(study) == whole
    study.asker.complete(given)  # and a grid at its end still runs what is enqueued
