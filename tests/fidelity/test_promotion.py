"""Which of the trials that wait go on, on curves that are written out."""

import math

import numpy as np
import pytest

from spiketune.errors import ConfigError
from spiketune.fidelity import Point, build_rule
from spiketune.fidelity.promotion import PromotedHalving, best
from spiketune.fidelity.ranking import n_better
from tests.fidelity.curves import arrivals, curve

RULE = PromotedHalving(reduction=3)


def promote(curves, paused=None, rule=RULE, last=False):
    numbers = {c.number for c in curves} if paused is None else paused
    return rule.promote(numbers, curves, last=last)


def test_every_trial_waits_at_its_rung_until_it_is_among_the_best_third():
    arrived = []
    verdicts = []
    for number, gain in enumerate([0.5, 0.4, 0.6, 0.7, 0.1, 0.2]):
        new = curve(number, gain)
        verdicts.append(RULE.decide(new, arrived))
        arrived.append(new)
    # Of three the best goes on, of four and five one, of six two: 0.6 and 0.7 pass as they come.
    assert [verdict is None for verdict in verdicts] == [False, False, True, True, False, False]
    assert verdicts[0] == "rung 1: not among the best 0 of 1 trials"


def test_a_trial_that_came_too_early_goes_on_once_enough_have_come():
    early = [curve(0, 0.9), curve(1, 0.5)]
    assert promote(early) is None
    assert promote([*early, curve(2, 0.4)]) == 0


def test_the_highest_rung_goes_first_and_there_the_best():
    low = [curve(n, g) for n, g in enumerate([0.9, 0.1, 0.1])]
    high = [curve(n, g, g, g) for n, g in enumerate([0.5, 0.7, 0.6, 0.3, 0.2, 0.1], start=3)]
    everyone = [*low, *high]
    assert promote(everyone) == 4
    assert promote(everyone, {c.number for c in everyone} - {4}) == 5
    # At rung 1 three of nine go on: 0.9, 0.7, 0.6; of these 0 alone still waits there.
    assert promote(everyone, {c.number for c in everyone} - {4, 5}) == 0


def test_of_equals_the_earlier_goes_on_and_no_more_than_the_share():
    equals = [curve(n, 0.5) for n in range(5)]
    assert promote(equals) == 0
    assert promote(equals, {1, 2, 3, 4}) is None


def test_trials_that_break_constraints_wait_behind_all_that_meet_them():
    trials = [curve(0, 0.9, violation=0.5), curve(1, 0.1), curve(2, 0.8, violation=0.2)]
    assert promote(trials) == 1
    assert promote([*trials, *[curve(n, 0.0, violation=0.9) for n in (3, 4, 5)]], {0, 2}) == 2


def test_what_is_no_number_never_goes_on():
    assert promote([curve(n, math.nan) for n in range(6)]) is None
    assert promote([curve(n, math.nan) for n in range(6)], last=True) is None
    assert RULE.decide(curve(9, math.nan), [curve(n, math.nan) for n in range(6)]) is not None


def test_no_trial_waits_at_its_own_maximum():
    assert RULE.decide(curve(0, 0.1, 0.1, 0.1, maximum=3.0), []) is None
    assert RULE.decide(curve(0, 0.1, 0.1, 0.1, maximum=4.0), []) is not None
    assert RULE.decide(curve(0, 0.1, 0.1, maximum=4.0), []) is None  # between rungs


def test_trials_that_saw_other_amounts_of_data_are_not_compared():
    much, little = (
        [curve(10 * k + n, 0.9 - k / 2 - n / 10, data=d) for n in range(3)]
        for k, d in enumerate([4.0, 1.0])
    )
    everyone = [*much, *little]
    assert promote(everyone) == 0
    assert promote(everyone, {c.number for c in everyone} - {0}) == 10
    assert promote([*much, little[0]], {10}) is None


def test_at_the_end_one_trial_at_least_is_seen_in_full():
    two = [curve(0, 0.1, 0.2, 0.3), curve(1, 0.5)]
    assert promote(two) is None
    assert promote(two, last=True) == 0  # the furthest, then the best
    done = [curve(0, 0.1), curve(1, 0.9, finished=True)]
    assert promote(done, {0}, last=True) is None


def test_the_best_are_those_that_fewest_others_beat():
    rng = np.random.default_rng(0)
    for n_objectives in (1, 2, 3, 4):
        for n in (1, 2, 7, 20):
            for _ in range(5):
                points = [
                    Point(
                        tuple(rng.integers(0, 6, n_objectives) / 5.0),
                        float(rng.choice([0.0, 0.0, 0.0, 0.3, 0.6])),
                    )
                    for _ in range(n)
                ]
                better = [
                    n_better(p, arrivals(points[:i] + points[i + 1 :]))
                    for i, p in enumerate(points)
                ]
                for n_kept in range(n + 1):
                    kept = best(arrivals(points), n_kept)
                    assert len(set(kept)) == n_kept
                    assert sorted(better[i] for i in kept) == sorted(better)[:n_kept]


def test_two_objectives_promote_the_front():
    points = [(0.9, 0.1), (0.1, 0.9), (0.6, 0.6), (0.2, 0.2), (0.1, 0.1), (0.0, 0.3)]
    trials = [curve(n, point) for n, point in enumerate(points)]
    rule = PromotedHalving(reduction=2)
    promoted, waiting = [], set(range(6))
    while (number := promote(trials, waiting, rule)) is not None:
        promoted.append(number)
        waiting.remove(number)
    assert sorted(promoted) == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [
        ({"kind": "promote"}, "study.fidelity.kind", "stopping, promotion"),
        ({"kind": "promotion", "grace": 2}, "study.fidelity.grace", "stopping"),
        (
            {"kind": "promotion", "reduction": 1},
            "study.fidelity.reduction",
            "must be a number > 1, got 1",
        ),
        ({"kind": "promotion", "min": 0}, "study.fidelity.min", "must be a number > 0, got 0"),
    ],
)
def test_options_of_promotion_that_make_no_sense_are_refused(options, path, words):
    with pytest.raises(ConfigError) as caught:
        build_rule("asha", options)
    assert caught.value.path == path
    assert words in str(caught.value)
