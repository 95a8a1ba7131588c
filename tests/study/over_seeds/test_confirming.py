"""The best over fresh seeds: who is chosen, what is concluded, and what is repeated."""

import json
import math

import pytest
from scipy import stats

from spiketune.api import Study
from spiketune.errors import InputError
from spiketune.study.over_seeds import trainings as over_seeds
from spiketune.study.over_seeds.confirmation import (
    Confirmation,
    Confirmed,
    from_record,
    in_words,
    t_interval,
)
from spiketune.study.over_seeds.confirming import worth_confirming
from spiketune.study.records.results import TrialRow, knee
from tests.study.support import document, make

ONE = {"loss": "minimize"}
TWO = {"loss": "minimize", "size": "maximize"}


def trial(number, loss=0.0, **fields):
    objectives = {"loss": loss, **fields.pop("more", {})}
    params = fields.pop("params", {"x": number})
    state = fields.pop("state", "finished")
    return TrialRow(number, state, params, objectives=objectives, **fields)


def worth(rows, directions, top):
    def resolved(row):
        return {"function": "targets:number", "params": row.params}

    return worth_confirming(rows, directions, top, resolved)


def test_the_interval_of_a_written_out_example():
    low, high = t_interval([1.0, 2.0, 3.0, 4.0])
    half = 3.182446305284263 * math.sqrt(5 / 3) / 2  # t of 3 degrees of freedom at 0.975
    assert (low, high) == pytest.approx((2.5 - half, 2.5 + half), rel=1e-12)
    assert t_interval([1.0]) == (-math.inf, math.inf)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_the_interval_agrees_with_scipy(confidence):
    values = [0.3, -1.0, 2.5, 2.4, 0.7]
    expected = stats.t.interval(confidence, 4, stats.tmean(values), stats.sem(values))
    assert t_interval(values, confidence) == pytest.approx(expected)


def test_the_best_are_feasible_and_at_full_fidelity():
    rows = [
        trial(0, 0.3),
        trial(1, 0.1, constraints={"c": 1.0}),
        trial(2, 0.0, state="stopped"),
        trial(3, 0.2),
        trial(4, 0.4),
    ]
    assert [r.number for r in worth(rows, ONE, 2)] == [3, 0]


def test_of_a_long_front_its_ends_its_knee_and_some_between_are_chosen():
    rows = [trial(i, i / 20, more={"size": 1 - (1 - i / 20) ** 8}) for i in range(21)]
    chosen = worth(rows, TWO, 4)
    assert len(chosen) == 4
    assert {0, 20, knee(rows, TWO).number} <= {r.number for r in chosen}
    assert len(worth(rows, TWO, 50)) == 21


def test_copies_of_a_configuration_take_one_place():
    same = [trial(n, n / 10, params={"x": 1, "kind": ["a", 2]}) for n in range(4)]
    other = trial(4, 0.9, params={"x": 1.0, "kind": ["a", 2]})
    last = trial(5, 1.0, params={"x": 1})
    assert [r.number for r in worth([*same, other, last], ONE, 2)] == [0, 4]
    front = [trial(n, n / 10, more={"size": n}, params={"x": n // 3}) for n in range(9)]
    assert [r.number for r in worth(front, TWO, 3)] == [0, 3, 6]


def test_what_lost_seeds_comes_after_what_lost_none():
    lossy = ("crash: no",) * 4
    found = Confirmation(
        ONE, (Confirmed(1, {"loss": (0.5,) * 5}), Confirmed(2, {"loss": (0.4,)}, failures=lossy))
    )
    assert [c.number for c in found.ranking] == [1, 2]
    assert found.recommended.number == 1
    words = in_words(found, [trial(1), trial(2)], trial(2), "runs/a")
    assert words.startswith("Confirmed over 5 seeds: trial 1 is recommended, loss 0.5")
    assert words.endswith("4 of 5 seeds of trial 2 failed.")
    alone = Confirmation(ONE, found.candidates[1:])
    assert alone.recommended.number == 2
    words = in_words(alone, [], trial(2), "runs/a")
    assert words.startswith("Confirmed over 1 of 5 seeds: trial 2 is recommended")


def test_a_front_over_seeds_is_of_what_lost_none():
    whole = (
        Confirmed(1, {"loss": (0.0,), "size": (0.0,)}),
        Confirmed(2, {"loss": (0.5,), "size": (0.5,)}),
    )
    lossy = Confirmed(3, {"loss": (0.0,), "size": (0.9,)}, failures=("crash: no",))
    found = Confirmation(TWO, (*whole, lossy))
    assert [c.number for c in found.front] == [1, 2]
    assert found.recommended in whole
    infeasible = Confirmed(4, {"loss": (0.0,), "size": (1.0,)}, {"c": (1.0,)})
    assert [c.number for c in Confirmation(TWO, (infeasible, lossy)).front] == [3]


def test_the_best_mean_that_meets_the_constraints_is_recommended():
    found = Confirmation(
        ONE,
        (
            Confirmed(4, {"loss": (0.0, 0.6)}),
            Confirmed(7, {"loss": (0.2, 0.3)}, {"c": (-1.0, 0.5)}),
            Confirmed(8, {"loss": (0.0, 0.1)}, {"c": (-1.0, 1.5)}),
            Confirmed(9, failures=("crash: no",)),
        ),
    )
    assert [c.number for c in found.ranking] == [7, 4]
    assert found.recommended.number == 7


def test_of_several_objectives_the_knee_of_the_means_is_recommended():
    values = {1: (0.0, 0.0), 2: (0.2, 0.9), 3: (1.0, 1.0), 4: (0.5, 0.5)}
    found = Confirmation(
        TWO,
        tuple(Confirmed(n, {"loss": (a, a), "size": (b, b)}) for n, (a, b) in values.items()),
    )
    assert [c.number for c in found.front] == [1, 2, 3]
    assert found.recommended.number == 2


def test_a_confirmation_survives_the_journal():
    found = Confirmation(
        ONE, (Confirmed(4, {"loss": (0.0, 0.6)}, {"c": (1.0, 2.0)}, ("crash: x",)),), "now"
    )
    assert from_record(json.loads(json.dumps(found.as_record())), ONE) == found


def test_the_sentence_says_how_the_answer_stands():
    rows = [trial(3, 0.1), trial(5, 0.05)]
    assert in_words(None, rows, None, "runs/a") == ""
    assert "`spiketune confirm runs/a`" in in_words(None, rows, rows[0], "runs/a")
    found = Confirmation(ONE, (Confirmed(3, {"loss": (0.2, 0.4)}),))
    words = in_words(found, rows, rows[0], "runs/a")
    assert words.startswith("Confirmed over 2 seeds: trial 3 is recommended, loss 0.3 (")
    assert "0.1 in the search" in words
    assert "Trial 5, better in the search, is not" in in_words(found, rows, rows[1], "runs/a")
    nothing = Confirmation(ONE, (Confirmed(3, failures=("crash: x",)),))
    assert in_words(nothing, rows, rows[0], "runs/a").startswith("Not confirmed: of 1 trials")


def study_of(tmp_path, params=None, **fields):
    space = {"x": {"grid": [0.5, 0.1, 0.11, 0.9]}, **(params or {})}
    content = document(
        "noisy", space, sampler={"name": "grid"}, executor={"name": "inline"}, **fields
    )
    study = Study(make(tmp_path / "study", content).path)
    return study.run(listen=lambda progress: None)


def test_the_best_are_trained_again_with_the_same_fresh_seeds(tmp_path):
    log = tmp_path / "log"
    study = study_of(tmp_path, {"log": str(log)})
    log.unlink()
    found = study.confirm(top=2, seeds=3)
    runs = [line.split() for line in log.read_text().splitlines()]
    assert sorted({x for x, _ in runs}) == ["0.1", "0.11"]
    assert len({seed for _, seed in runs}) == 3
    assert len(runs) == 6
    assert found.recommended.number == 1  # x 0.1: its noise is that of the other
    assert study.confirmation() == found
    assert Study(study.path).confirmation() == found
    assert "Confirmed over 3 seeds" in Study(study.path).summary().confirmed


def test_a_kill_repeats_nothing_that_was_finished(tmp_path, monkeypatch):
    log = tmp_path / "log"
    study = study_of(tmp_path, {"log": str(log)})
    log.unlink()
    keep = over_seeds.keep

    def killed(result, job):
        keep(result, job)
        if job.number == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(over_seeds, "keep", killed)
    with pytest.raises(KeyboardInterrupt):
        study.confirm(top=2, seeds=3)
    monkeypatch.undo()
    assert study.confirmation() is None
    found = Study(study.path).confirm(top=2, seeds=3)
    assert len(log.read_text().splitlines()) == 6
    assert [c.n_seeds for c in found.candidates] == [3, 3]
    Study(study.path).confirm(top=2, seeds=4)
    assert len(log.read_text().splitlines()) == 8


def test_constraints_of_the_file_and_of_the_trial_count(tmp_path):
    study = study_of(tmp_path, {"bound": 0.3}, constraints=["size >= 0.895"])
    found = study.confirm(top=4, seeds=2)
    assert [c.number for c in found.candidates] == [1]
    assert set(found.candidates[0].constraints) == {"small", "size >= 0.895"}


def network_study(tmp_path, seed, sizes):
    content = {
        "study": {
            "objectives": {"validation_loss": "minimize"},
            "budget": {"trials": 4},
            "sampler": {"name": "grid"},
            "executor": {"name": "inline"},
        },
        "trial": {
            "device": "cpu",
            "seed": seed,
            "dataset": {"name": "digits", "steps": 5, "train_share": 0.05},
            "network": {"layers": [{"name": "h", "dense": sizes}, {"dense": "classes"}]},
            "training": {"epochs": 1},
        },
    }
    study = Study(make(tmp_path / "study", content).path)
    return study.run(listen=lambda progress: None)


def test_networks_are_trained_with_the_fresh_seeds_whatever_seed_the_file_fixes(tmp_path):
    study = network_study(tmp_path, seed=5, sizes={"grid": [4]})
    (found,) = study.confirm(top=1, seeds=2).candidates
    first, second = found.objectives["validation_loss"]
    assert first != second


def test_trials_that_differ_in_their_seed_alone_are_confirmed_once(tmp_path):
    study = network_study(tmp_path, seed={"grid": [0, 1]}, sizes={"grid": [4, 8]})
    rows = {row.number: row.params["network.layers.h.dense"] for row in study.rows()}
    found = study.confirm(top=3, seeds=1).candidates
    assert sorted(rows[c.number] for c in found) == [4, 8]
    assert found[0].objectives != found[1].objectives


def test_a_front_is_confirmed_as_a_front(tmp_path):
    found = study_of(tmp_path, {"noise": 0.0}, objectives={"loss": "minimize", "size": "minimize"})
    confirmation = found.confirm(top=10, seeds=2)
    assert {c.number for c in confirmation.candidates} == {0, 1, 2, 3}
    assert {c.number for c in confirmation.front} == {0, 1, 2, 3}


def test_a_study_without_an_answer_has_nothing_to_confirm(tmp_path):
    study = study_of(tmp_path, {"bound": -1})
    with pytest.raises(InputError, match="no feasible trial at full fidelity"):
        study.confirm()
