"""Tables of arrivals: decisions on them are those of the rules as they are written down."""

import math

import numpy as np
import pytest

from spiketune.fidelity import Curve, Point, build_rule
from spiketune.fidelity.arrivals import Arrivals, Curves, Others, arrived
from spiketune.fidelity.halving import rung_between
from spiketune.fidelity.ranking import contributions

NAN, INF = float("nan"), float("inf")


def study(seed, m, n_trials=40):
    """Reports of trials that run side by side, in the order in which they come."""
    rng = np.random.default_rng(seed)
    curves = [
        Curve(n, float(rng.choice([9.0, 20.0, INF])), float(rng.choice([0.25, 0.5, 0.6, 1.0])))
        for n in range(n_trials)
    ]
    reports, running = [], []
    waiting = list(curves)
    while waiting or running:
        while waiting and len(running) < 4:
            running.append([waiting.pop(0), 0.0])
        one = running[rng.integers(len(running))]
        one[1] += float(rng.integers(1, 3))  # some skip a rung
        gains = tuple(float(rng.integers(0, 8)) for _ in range(m))
        if rng.random() < 0.05:
            gains = (NAN, *gains[1:])
        violation = float(rng.choice([0.0, 0.0, 0.0, 0.4, 0.8, INF]))
        reports.append((one[0], one[1], Point(gains, violation)))
        if one[1] > 12 or rng.random() < 0.15:
            running.remove(one)
    return curves, reports


# The rules, one trial after the other.


def violation(point):
    known = [*point.gains, point.violation]
    return point.violation if all(map(math.isfinite, known)) else INF


def dominates(a, b):
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b


def better_than(point, others):
    own = violation(point)
    found = [o for o in others if violation(o) < own]
    equals = [o for o in others if violation(o) == own < INF]
    if len(point.gains) == 1:
        return len(found) + sum(o.gains > point.gains for o in equals)
    if own > 0 or own == INF:
        return len(found)
    left, n = [point, *equals], len(found)
    while True:
        front = [a for a in left if not any(dominates(b.gains, a.gains) for b in left)]
        if front[0] is point:
            share = contributions(np.array([a.gains for a in front]))
            return n + int((share[1:] > share[0] * (1 + 1e-12)).sum())
        n, left = n + len(front), [a for a in left if not any(a is b for b in front)]


def at(curve, fidelity, others):
    similar = [o for o in others if o.data <= 2 * curve.data and curve.data <= 2 * o.data]
    points = [next((p for f, p in o.points.items() if f >= fidelity), None) for o in similar]
    return [point for point in points if point is not None]


def halving(curve, others, first=1.0):
    rung = rung_between(curve.previous, curve.fidelity, first, 3.0)
    if rung is None or rung >= curve.maximum:
        return False
    points = at(curve, rung, others)
    n_kept = max(1, (len(points) + 1) // 3)
    return len(points) >= 2 and better_than(curve.last, points) >= n_kept


def bracket(number):
    shares = [3.0**-s * 3 / (3 - s) for s in range(3)]
    place = number * (math.sqrt(5) - 1) / 2 % 1.0
    return next(s for s in range(3) if place < sum(shares[: s + 1]) / sum(shares))


def hyperband(curve, others):
    own = bracket(curve.number)
    return halving(curve, [o for o in others if bracket(o.number) == own], 3.0**own)


def median(curve, others):
    points = at(curve, curve.fidelity, others)
    if curve.fidelity >= curve.maximum or len(points) < 5:
        return False
    return 2 * min(better_than(p, points) for p in curve.points.values()) > len(points)


def kept(curve, rung, everyone):
    """Numbers of the best third of a rung, best first."""
    there = [(c.number, p) for c in everyone for p in at(curve, rung, [c])]
    rank = {n: better_than(p, [q for k, q in there if k != n]) for n, p in there}
    usable = [n for n, p in there if violation(p) < INF]
    return sorted(usable, key=lambda n: (rank[n], n))[: len(there) // 3]


def promotion(curve, others):
    rung = rung_between(curve.previous, curve.fidelity, 1.0, 3.0)
    if rung is None or rung >= curve.maximum:
        return False
    return curve.number not in kept(curve, rung, [*others, curve])


def promoted(paused, curves):
    """The paused trial to go on with: the highest rung first, and there the best."""
    waiting = [c for c in curves if c.number in paused]
    rungs = {c.number: rung_between(0.0, c.fidelity, 1.0, 3.0) for c in waiting}
    for rung in sorted(set(rungs.values()), reverse=True):
        there = [c for c in waiting if rungs[c.number] == rung]
        best = {c.number: kept(c, rung, curves) for c in there}
        good = [(numbers.index(n), n) for n, numbers in best.items() if n in numbers]
        if good:
            return min(good)[1]
    return None


RULES = [
    ("asha", {}, halving),
    ("hyperband", {}, hyperband),
    ("median", {}, median),
    ("asha", {"kind": "promotion"}, promotion),
]


@pytest.mark.parametrize("m", [1, 2, 4])
@pytest.mark.parametrize(("name", "options", "plain"), RULES)
def test_every_decision_is_that_of_the_rule_as_it_is_written_down(name, options, plain, m):
    rule = build_rule(name, options)
    verdicts = []
    for seed in range(3):
        trials, reports = study(seed, m)
        curves = Curves()
        for curve in trials:
            curves.begin(curve)
        for curve, fidelity, point in reports:
            assert curves.add(curve.number, fidelity, point)
            others = [c for c in trials if c is not curve and c.points]
            quick = rule.decide(curve, Others(curves, curve.number))
            assert rule.decide(curve, others) == quick
            assert (quick is not None) == plain(curve, others)
            verdicts.append(quick is not None)
    assert 0.05 < np.mean(verdicts) < 0.95


@pytest.mark.parametrize("m", [1, 2, 4])
def test_every_promotion_is_that_of_the_rule_as_it_is_written_down(m):
    rule, rng, found = build_rule("asha", {"kind": "promotion"}), np.random.default_rng(m), []
    for seed in range(6):
        trials, reports = study(seed, m)
        curves = Curves()
        for curve in trials:
            curves.begin(curve)
        for k, (curve, fidelity, point) in enumerate(reports):
            curves.add(curve.number, fidelity, point)
            if k % 20 == 0:
                paused = set(rng.permutation(len(trials))[:10].tolist())
                reported = [c for c in trials if c.points]
                found.append(rule.promote(paused, curves, last=False))
                assert found[-1] == rule.promote(paused, reported, last=False)
                assert found[-1] == promoted(paused, reported)
    assert {number is None for number in found} == {True, False}


def test_a_decision_at_a_rung_looks_at_no_curve_twice(monkeypatch):
    curves, rule, seen = Curves(), build_rule("asha", {}), []
    look = Curve.at
    monkeypatch.setattr(Curve, "at", lambda self, f: seen.append(self.number) or look(self, f))
    for number in range(200):
        curves.begin(Curve(number))
        curves.add(number, 1.0, Point((float(number % 7),)))
        rule.decide(curves[number], Others(curves, number))
    assert seen == [0]  # the table is made at the first decision and grows from then on


def test_tables_of_ever_new_fidelities_are_not_kept_for_ever():
    curves = Curves()
    curves.begin(Curve(0))
    for step in range(1, 1000):
        curves.add(0, step / 7, Point((0.0,)))
        assert len(curves.at(step / 7)) == 1
    assert len(curves._tables) < 300


def test_what_has_finished_tells_how_long_a_trial_is():
    curves = Curves()
    assert curves.longest == INF
    for number, end in enumerate([3.0, 8.0, 5.0, 20.0]):
        curves.begin(Curve(number))
        curves.add(number, end, Point((0.0,)))
        curves.ended(number, finished=end < 20)
    curves.ended(77, finished=True)  # a trial that was never taken up
    assert curves.longest == 8.0


def test_arrivals_of_nobody_are_none():
    empty = arrived(1.0, Curve(0), [])
    assert len(empty) == 0
    one = Curve(3, points={1.0: Point((2.0, 1.0), 0.5)})
    both = empty.and_of(one).and_of(one)
    assert both.numbers.tolist() == [3, 3]
    assert both.gains.tolist() == [[2.0, 1.0]] * 2
    assert Arrivals.of([one]).violations.tolist() == [0.5]
