"""The sampler on studies: any space, restarts, parallel trials, constraints, bad input."""

import math
from datetime import datetime, timedelta

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from spiketune.errors import ConfigError
from spiketune.samplers.domain import Domain
from spiketune.samplers.islands.archipelago import ASKED, Archipelago
from spiketune.samplers.islands.genome import Genome
from spiketune.samplers.islands.options import read
from spiketune.samplers.islands.sampler import IslandsSampler
from spiketune.samplers.stock import check_sampler
from spiketune.space import Choice, Float, Int, Space
from spiketune.space.distributions import sampler_distribution
from tests.samplers.studies import SPACES, MemoryStudy, smooth

MIXED = Space(
    {
        "kind": Choice(["a", "b", "c"]),
        "many": Choice(list(range(50))),
        "rate": Float(1e-5, 1.0, "log"),
        "beta": Float(0.5, 0.999, "reverse-log"),
        "width": Int(8, 200, "log"),
        "depth": Int(1, 3),
        "share": Float(0.0, 1.0, step=0.3),
        "one": Int(5, 5),
        "only a": Float(0.0, 1.0, when="kind == 'a'"),
        "only deep": Int(1, 64, "log", when="kind == 'b' and depth > 1"),
        "shape": Choice([[1], {"a": 1}, None], when="kind != 'c'"),
    }
)
SPHERE = Space({f"x{i}": Float(-5.0, 5.0) for i in range(5)})
PARTS = [
    {"select": "best", "n": 6},
    {"select": "uniform", "n": 3},
    {"crossover": "multiple", "probability": 0.9},
    {"mutation": "gaussian", "sigma": 0.02},
    {"immigrant": "uniform", "probability": 0.05},
]
SETTINGS = {
    "default": {},
    "pso": {"propagator": {"name": "pso", "particles": 4}},
    "cma-es": {"propagator": "cma-es", "islands": 3, "migration": {"topology": "ring"}},
    "nelder-mead": {"propagator": "nelder-mead"},
    "parts": {"propagator": PARTS, "pollination": False},
    "mixed": {"islands": ["default", "pso", "cma-es", "nelder-mead"], "population": 4},
}


@pytest.fixture(params=sorted(SETTINGS))
def options(request):
    return SETTINGS[request.param]


def sphere(values):
    return [sum((x - 1.3) ** 2 for x in values.values())]


def awkward(values):
    """Some fail, some have no number, the others are smooth."""
    told = smooth(values)
    if math.sin(20 * told[0]) > 0.9:
        return None
    return told


# Any space.


@pytest.mark.parametrize("setting", sorted(SETTINGS))
def test_ten_thousand_asks_hold_no_invalid_value(setting):
    study = MemoryStudy(MIXED, "islands", options=SETTINGS[setting])
    for i in range(10_000 // len(SETTINGS) + 1):
        proposal, accepted = study.asker.ask()
        MIXED.check(proposal.values)
        assert accepted
        constraints = {"c": proposal.values["width"] - 100.0}
        study.tell(study.add(proposal), awkward(proposal.values), constraints if i % 7 else None)


def test_every_way_serves_every_space(options):
    for space in SPACES.values():
        study = MemoryStudy(space, "islands", options=options)
        for values in study.run(30, awkward):
            space.check(values)


def test_two_hundred_parameters_are_served(options):
    space = Space({f"x{i}": Float(0.0, 1.0) for i in range(200)})
    for values in MemoryStudy(space, "islands", options=options).run(30, smooth):
        space.check(values)


def test_a_finite_space_is_covered_before_anything_is_asked_twice():
    space = Space({"n": Int(1, 4), "kind": Choice(["a", "b", "c"])})
    asked = MemoryStudy(space, "islands").run(12, smooth)
    assert len({tuple(values.items()) for values in asked}) >= 11


# The same journal, the same asks.


def run_in_parallel(study, n, n_workers=5, compare=None):
    """Ask and tell with several trials at work, told in another order than asked."""
    rng, running = np.random.default_rng(0), []
    for i in range(n):
        proposal, _ = study.asker.ask()
        if compare is not None:
            compare(i, proposal)
        trial = study.add(proposal)
        running.append((trial, proposal.values))
        if len(running) >= n_workers:
            trial, values = running.pop(int(rng.integers(len(running))))
            study.tell(trial, awkward(values), {"c": smooth(values)[0] - 30.0})
    return running


def test_a_rebuilt_sampler_asks_what_the_uninterrupted_one_asks(options):
    study = MemoryStudy(MIXED, "islands", options=options)

    def compare(i, proposal):
        if i % 3 == 0:
            assert study.restarted().ask()[0] == proposal, i

    run_in_parallel(study, 90, compare=compare)
    tags = [t.system_attrs[ASKED] for t in study.study.get_trials()]
    assert any("moves" in tag for tag in tags), "someone migrated"


def islands_of(study, options):
    """The islands as the trials of a study make them, read at once."""
    domain = Domain({n: sampler_distribution(p) for n, p in study.space.items()}, study.space)
    full = {
        "propagator": "default",
        "islands": 2,
        "population": 8,
        "migration": None,
        "pollination": True,
        **options,
    }
    return Archipelago(Genome(domain, study.space), study.study.directions, read(**full))


def numbers(world):
    return [[member.number for member in island.members] for island in world.islands]


def test_islands_read_bit_by_bit_are_those_read_at_once(options):
    study = MemoryStudy(SPHERE, "islands", options=options)
    growing = islands_of(study, options)

    def look(i, proposal):
        growing.take_in(study.study.get_trials(deepcopy=False))

    run_in_parallel(study, 80, compare=look)
    at_once = islands_of(study, options)
    for world in (growing, at_once):
        world.take_in(study.study.get_trials(deepcopy=False))
    assert numbers(growing) == numbers(at_once)
    assert growing.n_told == at_once.n_told > 70
    assert [i.n_asked for i in growing.islands] == [i.n_asked for i in at_once.islands]


def test_a_clock_that_was_set_back_changes_nothing_of_what_a_restart_asks():
    study = MemoryStudy(SPHERE, "islands")
    running = run_in_parallel(study, 30)
    late, values = running[0]
    study.tell(late, sphere(values))
    trial = study.storage.get_all_trials(study.study._study_id, deepcopy=False)[late.number]
    trial.datetime_complete -= timedelta(hours=1)
    assert study.asker.ask()[0] == study.restarted().ask()[0]


def test_a_trial_that_waited_at_a_rung_and_went_on_counts_with_what_it_reached():
    study = MemoryStudy(SPHERE, "islands")
    trial, _ = run_in_parallel(study, 30)[0]
    rung = {
        "values": [9.0],
        "constraints": {},
        "fidelity": 1.0,
        "cost_s": 1.0,
        "at": datetime.now().isoformat(),
        "waits": True,
    }
    study.storage.set_trial_user_attr(trial._trial_id, "rung", rung)
    study.run(10, sphere)
    assert study.asker.ask()[0] == study.restarted().ask()[0]
    study.storage.set_trial_user_attr(trial._trial_id, "ended", "finished")
    study.tell(trial, [0.0])
    study.run(3, sphere)
    assert study.asker.ask()[0] == study.restarted().ask()[0]
    world = islands_of(study, {})
    world.take_in(study.study.get_trials(deepcopy=False))
    assert any(members[0] == trial.number for members in numbers(world))


def test_trials_of_others_join_an_island():
    study = MemoryStudy(SPHERE, "islands", options={"population": 4})
    best = {f"x{i}": 1.3 for i in range(5)}
    study.study.add_trial(
        optuna.trial.create_trial(
            params=best,
            distributions={n: sampler_distribution(p) for n, p in SPHERE.items()},
            values=[0.0],
        )
    )
    study.run(20, sphere)
    world = islands_of(study, {"population": 4})
    world.take_in(study.study.get_trials(deepcopy=False))
    assert any(members[0] == 0 for members in numbers(world))


def test_an_island_never_holds_more_members_than_its_population_nor_one_twice(options):
    study = MemoryStudy(SPHERE, "islands", options=options)
    run_in_parallel(study, 80)
    world = islands_of(study, options)
    world.take_in(study.study.get_trials(deepcopy=False))
    for members in numbers(world):
        assert 0 < len(members) <= options.get("population", 8)
        assert len(set(members)) == len(members)


# What it finds.


@pytest.mark.parametrize("propagator", ["default", "pso", "cma-es", "nelder-mead"])
def test_every_propagator_beats_chance_on_a_sphere(propagator):
    def best(sampler, options, seed):
        study = MemoryStudy(SPHERE, sampler, seed=seed, options=options)
        study.run(150, sphere)
        return study.study.best_value

    ratios = [
        best("islands", {"propagator": propagator}, seed) / best("random", {}, seed)
        for seed in range(100, 105)
    ]
    assert max(ratios) < 1.0
    assert np.median(ratios) < 0.5


def test_it_finds_the_best_feasible_place():
    study = MemoryStudy(SPHERE, "islands", seed=4)
    for _ in range(300):
        proposal, _ = study.asker.ask()
        x = proposal.values
        study.tell(study.add(proposal), sphere(x), {"c": x["x0"] - 0.5, "d": 0.5 - x["x1"]})
    feasible = [t for t in study.study.get_trials() if max(t.constraints.values()) <= 0]
    best = min(feasible, key=lambda t: t.value)
    assert best.value < 0.64 + 0.3
    assert len(feasible) > 200


def test_two_objectives_spread_over_their_front():
    space = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
    study = MemoryStudy(space, "islands", n_objectives=2, seed=0)
    study.run(200, lambda v: [v["x"] + v["y"], (1 - v["x"]) ** 2 + v["y"]])
    front = sorted(t.params["x"] for t in study.study.best_trials if t.params["y"] < 0.1)
    assert front[0] < 0.1
    assert front[-1] > 0.9
    assert max(np.diff(front)) < 0.25


GOLDEN = {
    "cma-es": [1.63366553, 0.34804118, 1.8199611, 1.27036317, 0.80030977],
    "default": [1.28265659, 1.09352183, 2.91801824, 0.29474642, 0.85094836],
    "nelder-mead": [1.31193017, 1.12440679, 1.29806049, 1.07155808, 1.32726844],
    "pso": [1.04311585, 1.72102283, 0.8510828, 0.73612093, 1.09013155],
}


@pytest.mark.parametrize("propagator", sorted(GOLDEN))
def test_the_recommendation_of_a_seeded_search_is_the_recorded_one(propagator):
    study = MemoryStudy(SPHERE, "islands", seed=3, options={"propagator": propagator})
    study.run(100, sphere)
    assert list(study.study.best_params.values()) == pytest.approx(GOLDEN[propagator], abs=1e-6)


# Failures.


def test_a_search_of_nothing_but_failures_goes_on(options):
    study = MemoryStudy(SPHERE, "islands", options=options)
    asked = study.run(60, lambda values: [math.nan] if values["x0"] > 9 else None)
    assert len({tuple(values.values()) for values in asked}) == 60


def test_objectives_that_are_no_numbers_count_as_failures():
    study = optuna.create_study(sampler=IslandsSampler(seed=0))

    def objective(trial):
        trial.suggest_float("x", 0.0, 1.0)
        return math.inf

    study.optimize(objective, n_trials=30)
    assert len({t.params["x"] for t in study.trials}) == 30


# A plain Optuna study.


@pytest.mark.parametrize("setting", sorted(SETTINGS))
def test_it_serves_a_plain_optuna_study_with_conditionals_and_constraints(setting):
    study = optuna.create_study(sampler=IslandsSampler(seed=1, **SETTINGS[setting]))

    def objective(trial):
        x = trial.suggest_float("x", 0.0, 1.0)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        n = trial.suggest_int("n", 1, 9, log=True) if kind == "a" else 3
        trial.set_constraint("x", 0.3 - x)
        if n == 7:
            raise optuna.TrialPruned
        return (x - 0.2) ** 2 + abs(n - 4)

    study.optimize(objective, n_trials=60)
    assert study.best_trial.params["x"] == pytest.approx(0.3, abs=0.3)
    assert all(t.state != TrialState.RUNNING for t in study.trials)


# Bad input.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"propogator": "pso"}, r"study.sampler.propogator: .*Did you mean 'propagator'"),
        ({"propagator": "psso"}, r"study.sampler.propagator: .*Did you mean 'pso'.*Known: cma-es"),
        ({"propagator": {"name": "pso", "particle": 3}}, "propagator.particle: .*'particles'"),
        ({"propagator": {"name": "pso", "inertia": "a"}}, "inertia must be a number from 0 to 10"),
        ({"propagator": {"name": "cma-es", "sigma": 0}}, "sigma must be a number from 1e-06 to 1"),
        ({"propagator": [{"selct": "best"}]}, r"propagator\[0\]: .*Did you mean 'select'"),
        ({"propagator": [{"mutation": "point"}]}, "the first part selects parents"),
        ({"propagator": [{"select": "best"}, "point"]}, r"propagator\[1\]: a part is a mapping"),
        ({"propagator": 3}, "No propagator named '3'"),
        ({"islands": 0}, "islands must be a whole number of at least 1, got 0"),
        ({"islands": []}, "needs at least one propagator"),
        ({"islands": ["pso", "nm"]}, r"study.sampler.islands\[1\]: No propagator named 'nm'"),
        ({"population": 1}, "population must be a whole number of at least 2, got 1"),
        ({"migration": {"topolgy": "ring"}}, "migration.topolgy: .*Did you mean 'topology'"),
        ({"migration": {"topology": "rnig"}}, "migration: .*Did you mean 'ring'"),
        ({"migration": {"probability": 2}}, "probability must be a number from 0 to 1, got 2"),
        ({"migration": {"topology": [[0]]}}, "topology must have 2 rows of 2 numbers"),
        ({"migration": 0.9}, "takes a mapping such as"),
        ({"pollination": "yes"}, "study.sampler.pollination: must be true or false, got 'yes'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_by_name(options, words):
    with pytest.raises(ConfigError, match=words):
        check_sampler("islands", options, 1, SPHERE)
