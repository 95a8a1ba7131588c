from dataclasses import replace

import pytest

from spiketune.errors import SpiketuneError
from spiketune.executors.inline import InlineExecutor
from spiketune.executors.local import LocalExecutor
from spiketune.messages import Result
from spiketune.objectives.execution import execute
from spiketune.study.over_seeds.retraining import Plan, Retrained, refuse_if_all_failed, retrain
from spiketune.study.over_seeds.trainings import Candidate
from tests.study.support import TESTS


def plan(folder, n_seeds=3, **changes):
    fields = {"study_seed": 0, "reason": "test", "base_folder": TESTS, "objectives": ("loss",)}
    return Plan(n_seeds, folder, **{**fields, **changes})


def candidate(x=0.5, function="number", **params):
    return Candidate("one", {"function": f"targets:{function}", "params": {"x": x, **params}})


def counted(message_log):
    return lambda label, seed, message: message_log.append((label, seed, type(message)))


@pytest.mark.parametrize(
    "make", [lambda: InlineExecutor(execute), lambda: LocalExecutor(2, base_folder=TESTS)]
)
def test_what_an_earlier_call_finished_is_not_repeated_unless_it_changed(tmp_path, make):
    executor = make()
    ends = []
    (found,) = retrain([candidate()], plan(tmp_path), executor, counted(ends))
    assert found.metrics == {"loss": (0.5,) * 3}
    assert len(ends) == 3
    more = plan(tmp_path, 5, reason="over five seeds now")
    (again,) = retrain([candidate()], more, executor, counted(ends))
    assert len(ends) == 5  # two more seeds
    assert again.seeds[:3] == found.seeds
    (edited,) = retrain([candidate(x=0.25)], plan(tmp_path), executor, counted(ends))
    assert edited.metrics == {"loss": (0.25,) * 3}
    assert len(ends) == 8
    assert {kind for _, _, kind in ends} == {Result}
    executor.close()


def test_a_configuration_whose_every_seed_fails_withholds_no_other(tmp_path):
    chosen = [candidate(function="raises"), replace(candidate(), label="two")]
    lost, found = retrain(chosen, plan(tmp_path), InlineExecutor(execute))
    assert found.metrics == {"loss": (0.5,) * 3}
    assert (found.seeds_in_words, found.loss_in_words) == ("3", "")
    assert (lost.seeds, lost.metrics, lost.seeds_in_words) == ((), {}, "0 of 3")
    assert lost.loss_in_words.startswith("one: every seed failed; the first with crash: ValueError")
    refuse_if_all_failed([lost, found])
    with pytest.raises(SpiketuneError, match="one: every seed failed; the first with crash"):
        refuse_if_all_failed([lost])


def test_seeds_differ_and_belong_to_the_study_seed(tmp_path):
    seeds = plan(tmp_path, 10).seeds
    assert len(set(seeds)) == 10
    assert seeds[:3] == plan(tmp_path, 3).seeds
    assert seeds != plan(tmp_path, 10, study_seed=1).seeds


def test_the_figures_over_seeds_of_a_written_out_example():
    found = Retrained("one", (1, 2, 3, 4), {"a": (1.0, 2.0, 3.0, 4.0)})
    assert found.mean("a") == 2.5
    assert found.std("a") == pytest.approx((5 / 3) ** 0.5)
    assert found.sem("a") == pytest.approx((5 / 3) ** 0.5 / 2)
    assert Retrained("one", (1,), {"a": (1.0,)}).std("a") == 0.0
