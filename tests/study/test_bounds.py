"""Constraints that have no value: of that trial or seed alone, and never of the study."""

import pytest
from optuna.trial import TrialState

from spiketune.api import Study
from spiketune.errors import TrialError
from spiketune.messages import Failure, Result
from spiketune.space import parse_inequality
from spiketune.study.bounds import bounded, or_failure
from tests.study.support import document, loop_of, make

RATIO = parse_inequality("top / bottom <= 3")


def test_constraints_are_value_minus_bound():
    rules = [RATIO, parse_inequality("top >= 2")]
    found = bounded(rules, {"top": 1.0, "bottom": 0.5})
    assert found == {"top / bottom <= 3": -1.0, "top >= 2": 1.0}


@pytest.mark.parametrize(
    ("text", "metrics", "words"),
    [
        ("a / b <= 3", {"a": 1.0, "b": 0.0}, "'a / b <= 3': float division by zero; a was 1.0, b"),
        ("a**2 <= 3", {"a": 1e200}, "'a**2 <= 3': math range error; a was 1e+200"),
        ("a * 10 <= 3", {"a": 1e308}, "'a * 10 <= 3': exceeded by inf; a was 1e+308"),
    ],
)
def test_a_constraint_without_a_value_is_named_with_what_it_was_asked_of(text, metrics, words):
    with pytest.raises(TrialError) as caught:
        bounded([parse_inequality(text)], metrics)
    assert words in str(caught.value)
    assert caught.value.kind == "nan"


def test_ends_with_values_stay_what_they_are():
    good = Result(3, 1, {"top": 1.0, "bottom": 1.0})
    lost = Failure(3, 1, "worker_lost", "killed")
    assert or_failure(good, [RATIO]) is good
    assert or_failure(lost, [RATIO]) is lost


def ratios(path, xs=(0.5, 0.0, 1.0), params=None, **study):
    space = {"x": {"grid": list(xs)}, **(params or {})}
    study = {"sampler": {"name": "grid"}, "constraints": ["top / bottom <= 3"], **study}
    return make(path, document("ratio", space, executor={"name": "inline"}, **study))


def test_a_trial_whose_constraint_has_no_value_fails_and_the_study_goes_on(tmp_path):
    ratios(tmp_path / "s")
    loop, storage = loop_of(tmp_path / "s")
    assert loop.run() == "exhausted"
    good, failed, last = storage.trials()
    assert [t.state for t in (good, failed, last)] == [
        TrialState.COMPLETE,
        TrialState.FAIL,
        TrialState.COMPLETE,
    ]
    assert failed.user_attrs["failure"]["kind"] == "nan"
    assert "bottom was 0.0" in failed.user_attrs["failure"]["message"]
    assert failed.user_attrs["attempts"][-1]["outcome"] == "nan"


def test_a_trial_stopped_where_a_constraint_has_no_value_fails_and_the_study_goes_on(tmp_path):
    fidelity = {"name": "asha", "reduction": 2}
    ratios(tmp_path / "s", (0.5, 0.6, 0.7, 0.0, 0.4), fidelity=fidelity)
    loop, storage = loop_of(tmp_path / "s")
    assert loop.run() == "exhausted"
    states = {t.params["x"]: t.state for t in storage.trials()}
    assert [states[x] == TrialState.FAIL for x in (0.0, 0.4, 0.5)] == [True, False, False]


def test_a_seed_whose_constraint_has_no_value_failed_and_the_others_are_confirmed(tmp_path):
    folder = ratios(tmp_path / "s", (0.4, 0.5, 0.6, 0.7, 0.8), {"by_seed": True})
    study = Study(folder.path).run(listen=lambda progress: None)
    (found,) = study.confirm(top=1, seeds=6).candidates
    assert 0 < found.n_seeds < 6
    assert len(found.failures) == 6 - found.n_seeds
    assert found.failures[0].startswith("nan: constraint 'top / bottom <= 3'")
