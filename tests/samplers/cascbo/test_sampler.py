"""The sampler on studies: any space, restarts, failures, pending trials, fidelity, bad input."""

import math

import numpy as np
import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from spiketune.errors import ConfigError
from spiketune.samplers.cascbo.gp import GaussianProcess
from spiketune.samplers.cascbo.history import ASKED, FAILED
from spiketune.samplers.cascbo.kernel import Hyperparameters
from spiketune.samplers.cascbo.models import Drawn
from spiketune.samplers.cascbo.sampler import CascboSampler
from spiketune.samplers.cascbo.transforms import Standardised
from spiketune.samplers.domain import Domain
from spiketune.samplers.stock import check_sampler
from spiketune.space import Choice, Float, Int, Space
from spiketune.space.distributions import sampler_distribution
from tests.samplers.studies import MemoryStudy, smooth

PLANE = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
FAST = {"n_candidates": 200, "n_startup_trials": 3, "n_feasible": 2}


def run(study, n, objective, constraint=None, cost=None):
    """Ask and tell n times, with what is given; all trials."""
    for _ in range(n):
        proposal, accepted = study.asker.ask()
        trial = study.add(proposal, rejected=not accepted)
        if accepted:
            if cost:
                study.storage.set_trial_user_attr(trial._trial_id, "cost_s", cost(proposal.values))
            broken = {"c": constraint(proposal.values)} if constraint else {}
            study.tell(trial, objective(proposal.values), broken)
    return study.study.get_trials()


# Any space.

NUMBERS = st.one_of(
    st.tuples(st.sampled_from([0.0, -3.0, 1e-4]), st.sampled_from([1.0, 7.5])).map(
        lambda ends: Float(*ends)
    ),
    st.sampled_from([Float(1e-5, 1.0, "log"), Float(0.5, 0.999, "reverse-log")]),
    st.sampled_from([Int(1, 9), Int(1, 200, "log"), Int(2, 90, "reverse-log"), Int(5, 5)]),
    st.sampled_from([Float(0.0, 1.0, step=0.3), Int(1, 10, step=4), Float(0.5, 0.5)]),
    st.sampled_from([Choice([1, "1", 1.0]), Choice([[1], None]), Choice([["a"]])]),
    st.just(Choice(list(range(50)))),
)


@st.composite
def spaces(draw):
    parameters = {f"p{i}": p for i, p in enumerate(draw(st.lists(NUMBERS, min_size=1, max_size=6)))}
    parameters["kind"] = Choice(["a", "b"])
    if draw(st.booleans()):
        parameters["depth"] = Int(1, 3)
        parameters["only a"] = Float(0.0, 1.0, when="kind == 'a'")
        parameters["only deep"] = Int(1, 64, "log", when="kind == 'b' and depth > 1")
        return Space(parameters, ["depth < 3 or kind == 'a'"] if draw(st.booleans()) else [])
    return Space(parameters)


def mixed(values):
    """Some fail, the others are smooth."""
    told = smooth(values)
    return None if math.sin(20 * told[0]) > 0.8 else told


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(space=spaces(), seed=st.integers(0, 99))
def test_every_ask_is_one_of_the_space_whatever_the_space(space, seed):
    study = MemoryStudy(space, "cascbo", seed=seed, options=FAST)
    for _ in range(10):
        proposal, accepted = study.asker.ask()
        space.check(proposal.values)
        assert accepted
        trial = study.add(proposal)
        study.tell(trial, mixed(proposal.values), {"c": smooth(proposal.values)[0] - 1.0})


@pytest.mark.parametrize("name", ["cascbo", "scbo", "turbo"])
def test_a_rebuilt_sampler_asks_the_same_over_fits_and_restarts(name):
    options = {**FAST, "failure_tolerance": 2, "success_tolerance": 2}
    study = MemoryStudy(PLANE, name, options=options)
    regions = set()
    for i in range(60):
        old, _ = study.asker.ask()
        if i % 4 == 0 or i > 50:
            new, _ = study.restarted().ask()
            assert new == old, i
        trial = study.add(old)
        regions.add(old.system_attrs[ASKED]["region"])
        study.storage.set_trial_user_attr(trial._trial_id, "cost_s", 1.0 + old.values["y"])
        value = [abs(old.values["x"] - 0.4)]
        study.tell(trial, value if i % 9 else None, {"c": old.values["y"] - 0.7})
    assert len(regions) > 1, "it restarted"


def test_the_sampler_s_rows_are_the_unit_cube_on_the_parameters_scales():
    space = Space({"a": Float(1e-4, 1.0, "log"), "n": Int(1, 4), "k": Choice(["u", "v", "w"])})
    domain = Domain({name: sampler_distribution(p) for name, p in space.items()}, space)
    np.testing.assert_allclose(domain.row({"a": 1e-2, "n": 1, "k": "w"}), [0.5, 0.125, 2.0])
    assert np.isnan(domain.row({"a": 1e-2, "k": "u"})[1])
    features = domain.features(domain.row({"a": 1e-2, "n": 1, "k": "w"})[None])
    np.testing.assert_allclose(features, [[0.5, 0.125, 0.0, 0.0, math.sqrt(0.5)]])
    rows = domain.uniform(400, np.random.default_rng(0))
    seen = [domain.params(row) for row in rows]
    assert {v["n"] for v in seen} == {1, 2, 3, 4}
    assert {v["k"] for v in seen} == {"u", "v", "w"}
    for row, values in zip(rows, seen, strict=True):
        np.testing.assert_allclose(domain.row(values), row, atol=1e-12)


# What it learns.


def test_it_finds_the_best_feasible_point():
    study = MemoryStudy(PLANE, "cascbo", seed=1, options={"n_trials": 40, "n_candidates": 500})
    trials = run(
        study, 40, lambda v: [(v["x"] - 0.8) ** 2 + (v["y"] - 0.8) ** 2], lambda v: v["x"] - 0.5
    )
    best = min((t for t in trials if t.constraints["c"] <= 0), key=lambda t: t.value)
    assert best.params["x"] == pytest.approx(0.5, abs=0.02)
    assert best.params["y"] == pytest.approx(0.8, abs=0.05)


GOLDEN = {  # the optimum is (0.3, 0.6)
    "cascbo": (0.207501, 0.597262),
    "scbo": (0.220210, 0.598878),
    "turbo": (0.313591, 0.598969),
}


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_the_recommendation_of_a_seeded_search_is_the_recorded_one(name):
    study = MemoryStudy(PLANE, name, seed=3, options={"n_trials": 30})
    trials = run(
        study,
        30,
        lambda v: [(v["x"] - 0.3) ** 2 + abs(v["y"] - 0.6)],
        lambda v: 0.2 - v["x"],
        cost=lambda v: 1.0 + 9.0 * v["y"],
    )
    best = min((t for t in trials if t.constraints["c"] <= 0), key=lambda t: t.value)
    assert best.value < 0.02
    assert (best.params["x"], best.params["y"]) == pytest.approx(GOLDEN[name], abs=1e-4)


def test_a_region_that_crashes_is_left():
    study = MemoryStudy(PLANE, "cascbo", options={"n_trials": 50, "n_candidates": 500})
    trials = run(study, 50, lambda v: None if v["x"] > 0.5 else [1.0 - v["x"]])
    late = [t.params["x"] for t in trials[30:]]
    assert sum(x > 0.6 for x in late) <= 6
    assert max(x for x in late if x <= 0.5) > 0.48


def test_cheap_configurations_come_first():
    def spent_s(name):
        study = MemoryStudy(PLANE, name, options={"n_trials": 200})
        trials = run(study, 40, lambda v: [v["x"]], cost=lambda v: math.exp(6 * abs(v["y"] - 0.2)))
        return sum(t.user_attrs["cost_s"] for t in trials[12:])

    assert spent_s("cascbo") < 0.8 * spent_s("scbo")


def test_the_design_learns_where_feasibility_is():
    space = Space({f"x{i}": Float(0.0, 1.0) for i in range(6)})

    def n_feasible(name):
        study = MemoryStudy(space, name, options={"n_feasible": 1000} if name != "random" else {})
        run(study, 40, lambda v: [0.0], lambda v: v["x0"] + v["x1"] + v["x2"] - 0.8)
        return sum(t.constraints["c"] <= 0 for t in study.study.get_trials()[12:])

    assert n_feasible("cascbo") > 2 * max(2, n_feasible("random"))


def test_trials_that_run_are_not_asked_again():
    study = MemoryStudy(PLANE, "scbo", options=FAST)
    run(study, 12, smooth)
    points = []
    for _ in range(6):
        proposal, _ = study.asker.ask()
        study.add(proposal)
        points.append(list(proposal.values.values()))
    distances = [math.dist(a, b) for i, a in enumerate(points) for b in points[:i]]
    assert min(distances) > 1e-4


def test_where_a_trial_runs_the_models_are_no_longer_uncertain():
    features = np.random.default_rng(0).random((12, 2))
    targets = np.sin(4 * features[:, 0])
    process = GaussianProcess(np.arange(2))
    process.condition(features, Hyperparameters(np.full(2, 0.3), 1.0, 1e-4))
    model = Drawn(process, Standardised(targets, 0.0, 1.0), False, np.arange(12))
    at, nowhere = np.array([[0.9, 0.1]]), np.empty((0, 2))
    before = model.mean(at)

    def paths(pending):
        rng = np.random.default_rng(0)
        return [model.path(at, pending, rng)[0] for _ in range(200)]

    assert np.std(paths(at)) < 0.1 * np.std(paths(nowhere))
    assert np.mean(paths(at)) == pytest.approx(before[0], abs=0.01)
    assert process.n == 12, "and the fantasy is taken back"
    np.testing.assert_array_equal(model.mean(at), before)


def test_a_finite_space_is_asked_through_without_repeats():
    space = Space({"n": Int(1, 4), "k": Choice(["a", "b", "c"])})
    study = MemoryStudy(space, "cascbo", options={"n_startup_trials": 2})
    run(study, 12, lambda v: [v["n"] + 0.0])
    assert len({(t.params["n"], t.params["k"]) for t in study.study.get_trials()}) == 12
    run(study, 2, lambda v: [v["n"] + 0.0])  # all were asked: it goes on


def test_two_objectives_spread_over_the_front():
    study = MemoryStudy(
        PLANE, "cascbo", n_objectives=2, options={"n_trials": 40, "n_candidates": 500}
    )
    run(study, 40, lambda v: [v["x"] ** 2 + v["y"], (v["x"] - 1) ** 2 + v["y"]])
    front = study.study.best_trials
    assert len(front) >= 10
    places = [t.params["x"] for t in front]
    assert max(places) - min(places) > 0.25


def test_a_stopped_trial_teaches_but_does_not_win():
    study = MemoryStudy(PLANE, "cascbo", options=FAST)
    run(study, 6, smooth)
    proposal, _ = study.asker.ask()
    trial = study.add(proposal)
    study.storage.set_trial_user_attr(trial._trial_id, "ended", "stopped")
    study.storage.set_trial_user_attr(trial._trial_id, "fidelity", 1)
    study.tell(trial, [-5.0])
    study.asker.ask()
    history = study.asker._kept_sampler._history
    stopped = history.observations[-1]
    assert stopped.fidelity < 1.0
    assert stopped.gains[0] == 5.0
    assert not stopped.is_feasible


@pytest.mark.parametrize(("fidelity", "place"), [(10, 0.99), (5, 0.849), (1, 0.5)])
def test_a_fidelity_is_a_share_of_the_trial_s_own_maximum(fidelity, place):
    space = Space({"epochs": Int(10, 10), "x": Float(0.0, 1.0)})
    study = MemoryStudy(space, "cascbo", options={**FAST, "resource": "epochs"})
    proposal, _ = study.asker.ask()
    trial = study.add(proposal)
    study.storage.set_trial_user_attr(trial._trial_id, "ended", "stopped")
    study.storage.set_trial_user_attr(trial._trial_id, "fidelity", fidelity)
    study.tell(trial, [0.5])
    study.asker.ask()
    seen = study.asker._kept_sampler._history.observations[0]
    assert seen.fidelity == pytest.approx(place, abs=1e-3)


def test_a_silent_trial_breaks_a_constraint_and_has_no_value():
    study = MemoryStudy(PLANE, "cascbo", options=FAST)
    proposal, _ = study.asker.ask()
    trial = study.add(proposal)
    study.storage.set_trial_user_attr(trial._trial_id, "ended", "silent")
    study.tell(trial, [0.9], {"silence": 0.7})
    study.asker.ask()
    history = study.asker._kept_sampler._history
    assert np.isnan(history.gains).all()
    assert history.constraint_names == ("silence",)
    assert not history.feasible.any()


def test_a_fidelity_parameter_is_opened_over_the_budget():
    options = {"grow": "x", "grow_until": 0.5, "grow_from": 0.1, "n_trials": 40}
    study = MemoryStudy(PLANE, "cascbo", options=options)
    trials = run(study, 40, lambda v: [-v["x"]])
    assert max(t.params["x"] for t in trials[:6]) <= 0.1 + 0.9 * 6 / 20
    assert max(t.params["x"] for t in trials) > 0.95


def test_what_is_spent_is_told_by_the_asker():
    study = MemoryStudy(PLANE, "cascbo", options=FAST)
    run(study, 5, smooth)
    study.asker.spent = 0.75
    proposal, _ = study.asker.ask()
    assert proposal.system_attrs[ASKED]["spent"] == 0.75


# A plain Optuna study.


def test_it_serves_a_plain_optuna_study_with_conditions_and_pruning():
    def objective(trial):
        x = trial.suggest_float("x", 1e-3, 1.0, log=True)
        if trial.suggest_categorical("kind", ["a", "b"]) == "a":
            x += trial.suggest_int("extra", 1, 5) / 10
        trial.report(x, 1)
        if trial.number % 7 == 6:
            raise optuna.TrialPruned
        if trial.number % 11 == 10:
            return math.nan
        return x

    sampler = CascboSampler(seed=0, n_trials=40, n_startup_trials=5)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=40)
    assert study.best_value < 0.02
    assert {t.state for t in study.trials} >= {TrialState.COMPLETE, TrialState.PRUNED}
    assert FAILED in sampler._history.constraint_names
    assert any(o.fidelity < 1.0 for o in sampler._history.observations)


def test_what_grows_must_be_a_parameter_of_a_plain_study_too():
    study = optuna.create_study(sampler=CascboSampler(seed=0, grow="epoch"))
    with pytest.raises(ConfigError, match=r"grow: No parameter named 'epoch'.*'epochs'"):
        study.optimize(lambda trial: trial.suggest_int("epochs", 1, 9), n_trials=3)


# Bad input.


def test_a_study_in_which_all_fails_goes_on():
    study = MemoryStudy(PLANE, "cascbo", options=FAST)
    trials = run(study, 15, lambda v: None)
    assert len({t.params["x"] for t in trials}) == 15


def test_where_a_constraint_is_never_met_it_looks_where_least_is_broken():
    study = MemoryStudy(PLANE, "cascbo", options=FAST)
    trials = run(study, 60, smooth, lambda v: 1.0 + v["x"])
    assert min(t.params["x"] for t in trials) < 0.05


def test_a_space_of_one_point_is_asked():
    study = MemoryStudy(Space({"n": Int(5, 5)}), "cascbo")
    assert study.run(8, lambda v: [1.0]) == [{"n": 5}] * 8


def test_two_hundred_parameters_and_a_choice_of_fifty_are_asked():
    parameters = {f"x{i}": Float(0.0, 1.0) for i in range(200)}
    space = Space({**parameters, "k": Choice(list(range(50)))})
    study = MemoryStudy(space, "cascbo", options={**FAST, "n_startup_trials": 8})
    for values in study.run(12, smooth):
        space.check(values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trials": 0}, "n_trials must be a whole number of at least 1, got 0"),
        ({"n_candidates": 1.5}, "n_candidates must be a whole number"),
        ({"cost_aware": "yes"}, "cost_aware must be true or false, got 'yes'"),
        ({"grow_until": 0}, r"grow_until must be in \(0, 1\], got 0"),
        ({"grow": "z"}, "No parameter named 'z'"),
        (
            {"grow": "k"},
            r"grow: 'k' must be a number on a linear or log scale, got Choice",
        ),
        ({"grow": "r"}, r"grow: 'r' must be a number on a linear or log scale, got Float"),
        ({"resource": "xx"}, "No parameter named 'xx'. Did you mean 'x'"),
        ({"n_candidate": 100}, "No option named 'n_candidate'. Did you mean 'n_candidates'"),
    ],
)
def test_a_wrong_option_is_refused_by_name(options, message):
    more = {"k": Choice([1, 2]), "r": Float(0.5, 0.9, "reverse-log")}
    with pytest.raises(ConfigError, match=message):
        check_sampler("cascbo", options, 1, Space({**PLANE, **more}))


def test_a_range_that_changed_in_a_plain_study_is_taken_as_the_newest():
    study = optuna.create_study(sampler=CascboSampler(seed=0, n_startup_trials=2))
    for high in (1.0, 1.0, 1.0, 2.0, 2.0):
        trial = study.ask({"x": FloatDistribution(0.0, high)})
        assert 0.0 <= trial.params["x"] <= high
        study.tell(trial, trial.params["x"])
