"""Topologies, and who goes where."""

import numpy as np
import pytest

from spiketune.samplers.islands.migration import MigrationOptions, moves_from
from tests.samplers.islands.test_individual import member

RNG = np.random.default_rng(0)


def test_topologies_are_matrices():
    assert MigrationOptions("full").matrix(3) == ((0, 1, 1), (1, 0, 1), (1, 1, 0))
    assert MigrationOptions("ring", n=2).matrix(3) == ((0, 2, 0), (0, 0, 2), (2, 0, 0))
    assert MigrationOptions("star").matrix(3) == ((0, 1, 1), (1, 0, 0), (1, 0, 0))
    assert MigrationOptions("none").matrix(2) == ((0, 0), (0, 0))
    assert MigrationOptions("full").matrix(1) == ((0,),)
    assert MigrationOptions([[0, 3], [1, 0]]).matrix(2) == ((0, 3), (1, 0))


@pytest.mark.parametrize(
    ("topology", "words"),
    [
        ([[0, 1]], "2 rows of 2 numbers"),
        ([[0, 1], [1]], "2 rows of 2 numbers"),
        ([[1, 1], [1, 0]], "no island sends to itself"),
        ([[0, -1], [1, 0]], r"topology\[0\]\[1\] must be a whole number of at least 0, got -1"),
    ],
)
def test_a_matrix_that_fits_no_islands_is_refused(topology, words):
    with pytest.raises(ValueError, match=words):
        MigrationOptions(topology).matrix(2)


def test_pollination_copies_the_best_and_the_worst_give_way():
    home, there = [member(i, [i]) for i in range(3)], [member(10 + i, [i]) for i in range(3)]
    options = MigrationOptions()
    moves = moves_from(0, [home, there], [0, 2], 3, options, pollination=True, rng=RNG)
    assert moves == [(0, 0, 1, 12), (1, 0, 1, 11)]


def test_nobody_goes_where_it_is_already_and_room_is_used_first():
    home = [member(i, [i]) for i in range(3)]
    there = [home[0], member(10, [5.0])]
    moves = moves_from(0, [home, there], [0, 2], 3, MigrationOptions(), pollination=True, rng=RNG)
    assert moves == [(1, 0, 1, -1), (2, 0, 1, 10)]


def test_migration_leaves_two_members_at_home_and_sends_nobody_twice():
    home = [member(i, [i]) for i in range(4)]
    moves = moves_from(
        0, [home, [], []], [0, 3, 3], 8, MigrationOptions(), pollination=False, rng=RNG
    )
    assert moves == [(0, 0, 1, -1), (1, 0, 1, -1)]


def test_emigrants_and_those_who_give_way_may_be_chosen_by_chance():
    home, there = [member(i, [i]) for i in range(9)], [member(10 + i, [i]) for i in range(9)]
    options = MigrationOptions(emigrants="uniform", replaced="uniform")
    seen = {
        moves_from(
            0, [home, there], [0, 1], 9, options, pollination=True, rng=np.random.default_rng(s)
        )[0]
        for s in range(40)
    }
    assert len({move[0] for move in seen}) > 4
    assert len({move[3] for move in seen}) > 4
