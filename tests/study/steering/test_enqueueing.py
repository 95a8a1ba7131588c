"""Configurations put in the queue by hand."""

import pytest
from optuna.trial import TrialState

from spiketune.errors import ConfigError
from spiketune.space import Choice, Float, Int, Space
from spiketune.study.steering.enqueueing import checked, enqueue
from tests.study.support import document, loop_of, make

SPACE = Space(
    {
        "rate": Float(1e-4, 1.0, "log"),
        "n": Int(1, 9, step=2),
        "kind": Choice(["a", "b"]),
        "shape": Choice([[1, 2], None]),
        "only a": Float(0.0, 1.0, when="kind == 'a'"),
    },
    ["n * rate < 1"],
)


def test_values_are_taken_as_the_space_has_them():
    assert checked({"rate": 1, "kind": "b"}, SPACE) == {"rate": 1.0, "kind": "b"}
    assert checked({"shape": [1, 2]}, SPACE) == {"shape": [1, 2]}
    assert checked({"shape": "None"}, SPACE) == {"shape": None}
    assert checked({"only a": 0.5}, SPACE) == {"only a": 0.5}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rat": 0.1}, "No parameter named 'rat'. Did you mean 'rate'"),
        ({"rate": 2.0}, r"rate: 2.0 is outside Float\(low=0.0001, high=1.0"),
        ({"rate": "fast"}, "rate: 'fast' is outside"),
        ({"n": 2}, "n: 2 is outside"),
        ({"kind": "c"}, "kind: 'c' is outside"),
        ({"kind": "b", "only a": 0.5}, "only a: takes no part beside these values; leave it out"),
        ({"rate": 0.5, "n": 9}, "study.require: n .* rate < 1 does not hold for these values"),
    ],
)
def test_values_that_no_trial_can_have_are_refused_by_name(values, words):
    with pytest.raises(ConfigError, match=words):
        checked(values, SPACE)


def test_what_was_put_in_the_queue_is_tried_first_and_the_rest_left_to_the_sampler(tmp_path):
    params = {"x": {"float": [0.0, 1.0]}, "shape": {"choice": [[1], None]}}
    make(tmp_path / "s", document(params=params, budget={"trials": 3}))
    loop, storage = loop_of(tmp_path / "s")
    space = Space({"x": Float(0.0, 1.0), "shape": Choice([[1], None])})
    assert enqueue(storage, {"x": 0.25}, space) == 0
    assert enqueue(storage, {"shape": [1]}, space) == 1
    assert loop.run() == "budget"
    trials = storage.trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 3
    assert trials[0].params["x"] == 0.25
    assert trials[1].params["shape"] == "[1]"
