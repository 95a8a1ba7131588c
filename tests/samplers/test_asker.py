"""The asker: requirements, enqueued trials, and what a proposal holds."""

from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from spiketune.errors import ConfigError, UnknownNameError
from spiketune.samplers import asker as asker_module
from spiketune.space import Choice, Float, Int, Space
from tests.samplers.studies import SPACES, MemoryStudy, smooth

PLAIN = SPACES["plain"]


def test_a_proposal_holds_natural_values_and_what_the_journal_keeps() -> None:
    space = Space(
        {"shape": Choice([[1, 2], None]), "beta": Float(0.5, 0.999, "reverse-log"), "n": Int(1, 3)}
    )
    for seed in range(10):
        study = MemoryStudy(space, "random", seed=seed)
        proposal, accepted = study.asker.ask()
        assert accepted
        assert proposal.distributions == {
            "shape": CategoricalDistribution(["[1, 2]", "null"]),
            "beta": FloatDistribution(0.5, 0.999),
            "n": optuna.distributions.IntDistribution(1, 3),
        }
        assert proposal.stored["shape"] in ("[1, 2]", "null")
        assert proposal.values["shape"] in ([1, 2], None)
        assert proposal.stored["beta"] == proposal.values["beta"]
        trial = study.add(proposal)
        assert trial.params == proposal.stored


def test_a_reverse_log_range_is_drawn_mostly_near_its_high_end() -> None:
    space = Space({"beta": Float(0.001, 0.999, "reverse-log")})
    study = MemoryStudy(space, "random")
    asked = [values["beta"] for values in study.run(40, smooth)]
    assert sum(beta > 0.9 for beta in asked) > 20
    assert min(asked) < 0.9


def test_the_first_asks_of_a_random_study_are_those_recorded() -> None:
    study = MemoryStudy(Space({"x": Float(0.0, 1.0), "n": Int(1, 9)}), "random", seed=3)
    asked = study.run(3, smooth)
    assert [(round(v["x"], 6), v["n"]) for v in asked] == [
        (0.16935, 2),
        (0.201442, 9),
        (0.972742, 3),
    ]


def test_an_unknown_sampler_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"No sampler named 'tep'. Did you mean 'tpe'"):
        MemoryStudy(PLAIN, "tep")


# Requirements.


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2", "qmc", "cmaes"])
def test_a_configuration_is_redrawn_until_it_meets_the_requirement(sampler: str) -> None:
    space = SPACES["required"]
    study = MemoryStudy(space, sampler)
    asked = study.run(20, smooth)
    assert all(values["x"] + values["y"] <= 0.7 for values in asked)
    assert all(t.state == TrialState.COMPLETE for t in study.study.get_trials())


def test_a_configuration_is_rejected_after_a_hundred_draws(monkeypatch: Any) -> None:
    space = Space({"x": Float(0.0, 1.0)}, ["x > 2"])
    study = MemoryStudy(space, "random")
    draws = []
    draw = asker_module.Asker._draw
    monkeypatch.setattr(
        asker_module.Asker,
        "_draw",
        lambda self, *a, **k: draws.append(draw(self, *a, **k)) or draws[-1],
    )
    proposal, accepted = study.asker.ask()
    assert not accepted
    assert len(draws) == 100
    assert len({values["x"] for values in draws}) == 100
    assert proposal.values == draws[-1]


def test_a_requirement_met_at_the_hundredth_draw_is_met(monkeypatch: Any) -> None:
    space = Space({"x": Float(0.0, 1.0)}, ["x > 2"])
    study = MemoryStudy(space, "random")
    answers = [False] * 99 + [True]
    monkeypatch.setattr(Space, "meets", lambda self, values: answers.pop(0))
    assert study.asker.ask()[1]
    assert answers == []


def test_the_asks_after_a_rejected_trial_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asker_module, "MODEL_DRAWS", 2)
    space = Space({"x": Float(0.0, 1.0)}, ["x > 2"])
    options = {"random": {}, "tpe": {"n_startup_trials": 2}, "gp": {"n_startup_trials": 2}}
    for sampler in options:
        study = MemoryStudy(space, sampler, options=options[sampler])
        asked = study.run(3, smooth)
        assert len({values["x"] for values in asked}) == 3
        assert all(t.state == TrialState.PRUNED for t in study.study.get_trials())


@pytest.mark.parametrize("sampler", ["random", "tpe", "cascbo", "islands", "grid"])
def test_a_requirement_that_has_no_value_is_not_met(sampler: str) -> None:
    space = Space({"a": Int(1, 9), "b": Int(-3, 4)}, ["a / b <= 3"])
    study = MemoryStudy(space, sampler)
    asked = study.run(12, smooth)
    assert all(values["b"] != 0 and values["a"] / values["b"] <= 3 for values in asked)


def test_what_a_sampler_said_of_its_own_draws_is_not_kept_with_one_by_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asker_module, "MODEL_DRAWS", 2)
    space = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}, ["x > 2"])
    study = MemoryStudy(space, "islands")
    proposal, accepted = study.asker.ask()
    assert not accepted
    assert "islands:asked" not in proposal.system_attrs


# Trials enqueued with Optuna's own tools.


def claim(study: MemoryStudy) -> dict[str, Any]:
    """What the loop does with an enqueued trial."""
    waiting = study.asker.enqueued()
    assert waiting is not None
    proposal = study.asker.complete(waiting.system_attrs["fixed_params"])
    study.storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)
    for name, distribution in proposal.distributions.items():
        internal = distribution.to_internal_repr(proposal.stored[name])
        study.storage.set_trial_param(waiting._trial_id, name, internal, distribution)
    return dict(proposal.values)


def test_enqueued_values_are_taken_as_they_are_and_the_others_asked() -> None:
    study = MemoryStudy(PLAIN, "random")
    assert study.asker.enqueued() is None
    study.study.enqueue_trial({"x": 0.125, "n": 7})
    values = claim(study)
    PLAIN.check(values)
    assert (values["x"], values["n"]) == (0.125, 7)
    assert study.asker.enqueued() is None


def test_enqueued_trials_are_taken_in_turn_and_do_not_repeat_each_other() -> None:
    study = MemoryStudy(PLAIN, "random")
    for x in (0.1, 0.2, 0.3):
        study.study.enqueue_trial({"x": x})
    claimed = [claim(study) for _ in range(3)]
    assert [values["x"] for values in claimed] == [0.1, 0.2, 0.3]
    assert len({values["y"] for values in claimed}) == 3


def test_an_enqueued_reverse_log_value_and_an_option_by_label_are_natural() -> None:
    space = Space({"beta": Float(0.5, 0.999, "reverse-log"), "shape": Choice([[1, 2], [3]])})
    study = MemoryStudy(space, "tpe")
    study.study.enqueue_trial({"beta": 0.6, "shape": "[3]"})
    assert claim(study) == {"beta": 0.6, "shape": [3]}


def test_an_enqueued_trial_that_breaks_a_requirement_is_refused_by_name() -> None:
    space = Space({name: Float(0.0, 9.0) for name in "abc"}, ["a + b <= 3", "b + c <= 3"])
    study = MemoryStudy(space, "random")
    study.study.enqueue_trial({"a": 5.0})
    with pytest.raises(ConfigError, match=r"^study\.require: a \+ b <= 3 does not hold"):
        claim(study)


@pytest.mark.parametrize("sampler", ["islands", "cascbo"])
def test_a_configuration_given_whole_is_none_of_the_samplers(sampler: str) -> None:
    study = MemoryStudy(PLAIN, sampler)
    study.run(3, smooth)
    given = {"x": 0.5, "n": 3, "y": 0.1}
    assert study.asker.complete(given).system_attrs.keys() <= {asker_module.SPENT_KEY}
    del given["x"]
    tags = study.asker.complete(given).system_attrs.keys()
    assert f"{sampler}:asked" in tags


def test_an_enqueued_value_decides_which_parameters_take_part() -> None:
    study = MemoryStudy(SPACES["conditional"], "random")
    study.study.enqueue_trial({"kind": "b", "depth": 1, "x": 0.5})
    values = claim(study)
    assert values.keys() == {"kind", "depth", "always"}


@pytest.mark.parametrize("fixed", [{"x": 5.0}, {"n": 2.5}, {"x": "many"}, {"n": True}])
def test_an_enqueued_value_outside_the_space_is_refused_by_name(fixed: dict[str, Any]) -> None:
    study = MemoryStudy(PLAIN, "random")
    study.study.enqueue_trial(fixed)
    with pytest.raises(ConfigError, match=rf"^{next(iter(fixed))}: .*enqueued"):
        claim(study)


def test_an_enqueued_option_that_does_not_exist_is_refused_by_name() -> None:
    study = MemoryStudy(SPACES["conditional"], "random")
    study.study.enqueue_trial({"kind": "c"})
    with pytest.raises(ConfigError, match=r"^kind: .*'c'"):
        claim(study)


# Failures steer.

LINE = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})


def crashing(values: Any) -> list[float] | None:
    """Best at x = 1, but everything beyond 0.5 crashes."""
    return None if values["x"] > 0.5 else [1.0 - values["x"] + 0.1 * values["y"]]


@pytest.mark.parametrize(
    ("sampler", "seed", "n_asks"), [("tpe", 0, 30), ("tpe", 1, 30), ("tpe", 2, 30), ("gp", 0, 10)]
)
def test_a_region_that_crashes_is_left(sampler: str, seed: int, n_asks: int) -> None:
    study = MemoryStudy(LINE, sampler, seed=seed)
    study.run(12, crashing)
    asked = [values["x"] for values in study.run(n_asks, crashing)]
    assert sum(x > 0.5 for x in asked) <= 0.4 * n_asks
    assert max(x for x in asked if x <= 0.5) > 0.4, "and what is best without crashing is found"


def test_optuna_alone_goes_on_asking_where_everything_crashes() -> None:
    def objective(trial: optuna.Trial) -> float:
        x, y = trial.suggest_float("x", 0.0, 1.0), trial.suggest_float("y", 0.0, 1.0)
        told = crashing({"x": x, "y": y})
        if told is None:
            raise ZeroDivisionError
        return told[0]

    n_crashed = {}
    for kind in ("stock", "ours"):
        if kind == "stock":
            sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=10)
            study = optuna.create_study(sampler=sampler)
            verbosity = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.CRITICAL)
            study.optimize(objective, n_trials=42, catch=(ZeroDivisionError,))
            optuna.logging.set_verbosity(verbosity)
            trials = study.get_trials()
        else:
            memory = MemoryStudy(LINE, "tpe")
            memory.run(42, crashing)
            trials = memory.study.get_trials()
        n_crashed[kind] = sum(t.state == TrialState.FAIL for t in trials[12:])
    assert n_crashed["stock"] >= 20
    assert n_crashed["ours"] <= 12


@pytest.mark.parametrize("sampler", ["nsga2", "cmaes"])
def test_evolution_asks_less_where_everything_crashes(sampler: str) -> None:
    options = {"population_size": 10} if sampler == "nsga2" else {"popsize": 6}
    study = MemoryStudy(LINE, sampler, options=options)
    study.run(60, crashing)
    asked = [values["x"] for values in study.run(30, crashing)]
    assert sum(x > 0.5 for x in asked) <= 15


def test_nothing_of_a_sampler_s_view_reaches_the_journal() -> None:
    study = MemoryStudy(LINE, "tpe")
    study.run(20, crashing)
    for trial in study.study.get_trials():
        assert (trial.values is None) == (trial.state == TrialState.FAIL)
        assert trial.constraints == {}
        assert (trial.params["x"] > 0.5) == (trial.state == TrialState.FAIL)
