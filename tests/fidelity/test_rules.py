"""What each rule decides on curves that are written out."""

import math

import numpy as np
import pytest
from scipy import stats

from spiketune.errors import ConfigError, UnknownNameError
from spiketune.fidelity import build_rule
from spiketune.fidelity.forecast import Forecast, upper_bound
from spiketune.fidelity.halving import SuccessiveHalving, rung_between
from spiketune.fidelity.hyperband import Hyperband
from spiketune.fidelity.median import Median
from spiketune.fidelity.plateau import Plateau
from tests.fidelity.curves import curve


def test_rungs_lie_at_powers_of_the_reduction():
    passed = [rung_between(f - 1.0, float(f), 1.0, 3.0) for f in range(1, 29)]
    assert [f for f, rung in enumerate(passed, start=1) if rung is not None] == [1, 3, 9, 27]
    assert rung_between(0.0, 10.0, 1.0, 3.0) == pytest.approx(9.0)  # reports may skip rungs
    assert rung_between(9.0, 10.0, 1.0, 3.0) is None
    assert rung_between(0.0, 1.9, 2.0, 3.0) is None


# Five trials arrive at rung 1 one after the other; of n that came by, floor(n / 2) go on.
@pytest.mark.parametrize(
    ("gain", "before", "goes_on"),
    [
        (0.3, [], True),  # the first: nothing to compare with
        (0.2, [0.3], False),  # one of two
        (0.4, [0.3], True),
        (0.3, [0.3, 0.4], False),  # one of three, and 0.4 is better
        (0.4, [0.3, 0.4], True),  # a tie with the best is no defeat
        (0.5, [0.9, 0.8, 0.1], False),  # two of four
        (0.8, [0.9, 0.5, 0.1], True),
    ],
)
def test_halving_keeps_the_better_half_of_those_that_came_by(gain, before, goes_on):
    others = [curve(n, value) for n, value in enumerate(before)]
    reason = SuccessiveHalving(reduction=2).decide(curve(9, gain), others)
    assert (reason is None) == goes_on


def test_halving_decides_at_rungs_alone():
    others = [curve(n, 0.9, 0.9, 0.9, 0.9) for n in range(5)]
    rule = SuccessiveHalving(reduction=2)
    decided = [rule.decide(curve(9, *[0.1] * n), others) is not None for n in range(1, 5)]
    assert decided == [True, True, False, True]


def test_halving_compares_with_what_others_had_at_the_rung_not_later():
    late_bloomers = [curve(n, 0.1, 0.9) for n in range(4)]
    assert SuccessiveHalving(reduction=2).decide(curve(9, 0.2), late_bloomers) is None


def test_halving_never_stops_a_trial_at_its_own_maximum():
    others = [curve(n, 0.9, 0.9) for n in range(4)]
    rule = SuccessiveHalving(reduction=2)
    assert rule.decide(curve(9, 0.9, 0.1, maximum=2.0), others) is None
    assert rule.decide(curve(9, 0.9, 0.1, maximum=3.0), others) is not None


def test_halving_compares_only_trials_that_saw_a_similar_amount_of_data():
    others = [curve(n, 0.9, data=1.0) for n in range(5)]
    rule = SuccessiveHalving(reduction=2)
    assert rule.decide(curve(9, 0.1, data=0.6), others) is not None
    assert rule.decide(curve(9, 0.1, data=0.3), others) is None


def test_halving_waits_for_as_many_trials_as_its_grace_says():
    others = [curve(n, 0.9) for n in range(4)]
    assert SuccessiveHalving(grace=5).decide(curve(9, 0.1), others) is None
    assert SuccessiveHalving(grace=4).decide(curve(9, 0.1), others) is not None


def test_halving_stops_values_that_are_no_numbers():
    others = [curve(n, 0.5) for n in range(3)]
    assert SuccessiveHalving().decide(curve(9, math.nan), others) is not None


def test_halving_of_two_objectives_keeps_the_front():
    front = [(0.9, 0.1), (0.1, 0.9), (0.6, 0.6)]
    others = [curve(n, point) for n, point in enumerate([*front, *[(0.1, 0.1)] * 6])]
    rule = SuccessiveHalving(reduction=3)  # three of ten go on
    assert rule.decide(curve(9, (0.95, 0.05)), others) is None
    assert rule.decide(curve(9, (0.3, 0.3)), others) is not None


def test_brackets_of_hyperband_judge_later_and_later_and_take_smaller_and_smaller_shares():
    rule = Hyperband(reduction=3, brackets=3)
    brackets = np.bincount([rule.bracket(n) for n in range(9000)]) / 9000
    shares = np.array([3**-s * 3 / (3 - s) for s in range(3)])
    assert brackets == pytest.approx(shares / shares.sum(), abs=2e-3)
    by_bracket = {s: [n for n in range(60) if rule.bracket(n) == s] for s in range(3)}
    for s, numbers in by_bracket.items():
        own, *rest = numbers
        others = [curve(n, *[0.9] * 9) for n in rest]
        stops = [f for f in range(1, 10) if rule.decide(curve(own, *[0.1] * f), others) is not None]
        assert stops == [f for f in (1, 3, 9) if f >= 3**s]


def test_trials_of_other_brackets_do_not_count():
    rule = Hyperband(brackets=2)
    own = next(n for n in range(50) if rule.bracket(n) == 0)
    others = [curve(n, 0.9) for n in range(50) if rule.bracket(n) == 1]
    assert rule.decide(curve(own, 0.1), others) is None


def test_the_median_rule_stops_what_is_worse_than_half():
    others = [curve(n, 0.1 * n, 0.1 * n) for n in range(5)]  # 0, 0.1, ..., 0.4
    rule = Median()
    assert rule.decide(curve(9, 0.15), others) is not None
    assert rule.decide(curve(9, 0.25), others) is None
    assert rule.decide(curve(9, 0.35, 0.05), others) is None  # its best report counts
    assert rule.decide(curve(9, 0.15), others[:4]) is None  # too few
    assert Median(min=2).decide(curve(9, 0.15), others) is None


def test_a_plateau_is_so_many_reports_without_an_improvement():
    rule = Plateau(patience=2, min_delta=0.01)
    assert rule.decide(curve(0, 0.5, 0.5), []) is None
    assert rule.decide(curve(0, 0.5, 0.505, 0.5), []) is not None
    assert rule.decide(curve(0, 0.5, 0.5, 0.52), []) is None
    assert rule.decide(curve(0, (0.5, 1.0), (0.5, 1.0), (0.5, 2.0)), []) is None
    assert rule.decide(curve(0, math.nan, math.nan, math.nan), []) is not None
    assert Plateau(patience=2, min=4).decide(curve(0, 0.5, 0.5, 0.5), []) is None


def test_a_plateau_while_constraints_are_met_better_goes_on():
    made = curve(0, 0.5, 0.5, violation=0.5)
    late = curve(0, 0.5, 0.5, 0.5)
    made.points[3.0] = late.points[3.0]
    assert Plateau(patience=2).decide(made, []) is None


def test_the_bound_of_a_forecast_is_that_of_ordinary_least_squares():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=30)
    y = 0.3 + 0.5 * x + 0.05 * rng.standard_normal(30)
    known = np.column_stack([np.ones(30), x])
    fit = stats.linregress(x, y)
    at = 0.8
    spread = np.sqrt(((y - fit.intercept - fit.slope * x) ** 2).sum() / 28)
    width = np.sqrt(1 + 1 / 30 + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    expected = fit.intercept + fit.slope * at + stats.t.ppf(0.95, 28) * spread * width
    assert upper_bound(known, y, [1.0, at], 0.95) == pytest.approx(expected, rel=1e-10)


def finished(number, first, gain):
    """Rises to its end in ten epochs along the same path, scaled."""
    return curve(number, *(first + gain * t / 10 for t in range(1, 11)), finished=True)


def test_a_forecast_stops_what_cannot_reach_the_best_and_nothing_else():
    others = [finished(n, 0.5 + 0.01 * n, 0.3) for n in range(10)]  # ends between .80 and .89
    rule = Forecast()
    hopeless = curve(20, *(0.4 + 0.3 * t / 10 for t in range(1, 5)))
    hopeful = curve(20, *(0.595 + 0.3 * t / 10 for t in range(1, 5)))
    assert rule.decide(hopeless, others) is not None
    assert rule.decide(hopeful, others) is None
    assert rule.decide(hopeless, others[:7]) is None  # too few have finished
    for other in others:
        other.finished = False
    assert rule.decide(hopeless, others) is None


def test_a_forecast_of_two_objectives_wants_one_trial_that_beats_both():
    def two(number, a, b):
        steps = range(1, 11)
        return curve(number, *((a * t / 10, b * t / 10) for t in steps), finished=True)

    others = [two(n, 0.1 + 0.08 * n, 0.9 - 0.08 * n) for n in range(10)]
    weak = curve(20, *((0.2 * t / 10, 0.2 * t / 10) for t in range(1, 6)))
    strong = curve(20, *((0.7 * t / 10, 0.7 * t / 10) for t in range(1, 6)))
    assert Forecast().decide(weak, others) is not None
    assert Forecast().decide(strong, others) is None


@pytest.mark.parametrize(
    ("name", "options", "path", "words"),
    [
        ("asha", {"min": 0}, "study.fidelity.min", "must be a number > 0"),
        ("asha", {"reduction": 1}, "study.fidelity.reduction", "must be a number > 1"),
        ("asha", {"reductoin": 3}, "study.fidelity.reductoin", "reduction"),
        ("hyperband", {"brackets": 0}, "study.fidelity.brackets", "at least 1"),
        ("median", {"grace": 0}, "study.fidelity.grace", "at least 1"),
        ("plateau", {"patience": 0}, "study.fidelity.patience", "at least 1"),
        ("forecast", {"confidence": 2}, "study.fidelity.confidence", "(0.5, 1)"),
        (
            "forecast",
            {"confidence": "high"},
            "study.fidelity.confidence",
            "a number in (0.5, 1), got",
        ),
        ("forecast", {"min": math.nan}, "study.fidelity.min", "a number of at least 0, got nan"),
        ("forecast", {"grace": 4}, "study.fidelity.grace", "a whole number of at least 5, got 4"),
        ("plateau", {"patience": 2.5}, "study.fidelity.patience", "a whole number of at least 1"),
        ("plateau", {"min": True}, "study.fidelity.min", "a number of at least 0, got True"),
        ("plateau", {"min_delta": -0.1}, "study.fidelity.min_delta", "of at least 0, got -0.1"),
        ("median", {"grace": 1.5}, "study.fidelity.grace", "a whole number of at least 1, got 1.5"),
        ("median", {"min": math.inf}, "study.fidelity.min", "a number > 0, got inf"),
        ("asha", {"min": math.nan}, "study.fidelity.min", "a number > 0, got nan"),
        ("asha", {"min": 10**400}, "study.fidelity.min", "a number > 0, got 1000"),
        ("asha", {"reduction": "three"}, "study.fidelity.reduction", "a number > 1, got 'three'"),
        ("asha", {"grace": "none"}, "study.fidelity.grace", "a whole number of at least 0, got"),
        ("hyperband", {"min": "one"}, "study.fidelity.min", "a number > 0, got 'one'"),
        ("hyperband", {"reduction": None}, "study.fidelity.reduction", "a number > 1, got None"),
        ("hyperband", {"brackets": 2.0}, "study.fidelity.brackets", "a whole number of at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_path(name, options, path, words):
    with pytest.raises(ConfigError) as caught:
        build_rule(name, options)
    assert caught.value.path == path
    assert words in str(caught.value)


def test_a_rule_that_does_not_exist_suggests_one():
    with pytest.raises(UnknownNameError, match="asha"):
        build_rule("ahsa", {})
