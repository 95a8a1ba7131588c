"""Sweeps summed up over seeds: statistics, missing runs, contradictions."""

import pytest

from spiketune.errors import InputError, UnknownNameError
from spiketune.samplers.combinations import listed
from spiketune.space import Choice, Int, Space
from spiketune.study.over_seeds.sweeps import (
    epoch_table,
    n_combinations,
    seed_parameter,
    swept,
    table,
)
from spiketune.study.records.results import TrialRow

SPACE = Space({"seed": Choice([0, 1, 2, 3]), "size": Choice([10, 5])})


def run(number, seed, size, accuracy, **changes):
    fields = {
        "state": "finished",
        "params": {"seed": seed, "size": size},
        "objectives": {"validation_accuracy": accuracy},
        "metrics": {"validation_accuracy": accuracy, "n_parameters": 7.0},
        "reports": {"fidelity": [1, 2], "validation_accuracy": [0.5, accuracy]},
        **changes,
    }
    return TrialRow(number=number, **fields)


def test_statistics_are_those_of_the_seeds():
    rows = [run(k, k, 10, accuracy) for k, accuracy in enumerate([0.9, 0.8, 0.6, 0.5])]
    found = swept(rows, SPACE, "seed")
    line = table(found, ["validation_error", "n_parameters"])[0]
    assert line["size"] == 10
    assert line["n"] == 4
    assert line["validation_error_mean"] == pytest.approx(0.3)
    assert line["validation_error_std"] == pytest.approx((0.1 / 3) ** 0.5)
    assert line["validation_error_median"] == pytest.approx(0.3)
    assert line["validation_error_q25"] == pytest.approx(0.175)
    assert line["validation_error_q75"] == pytest.approx(0.425)
    assert line["validation_error_max"] == pytest.approx(0.5)
    assert line["n_parameters_mean"] == 7.0
    assert line["missing"] == []


def test_seeds_without_a_finished_run_are_missing():
    rows = [run(0, 0, 10, 0.9), run(1, 1, 10, 0.8, state="failed"), run(2, 3, 5, 0.7)]
    found = {one.params["size"]: one.missing for one in swept(rows, SPACE, "seed")}
    assert found == {10: (1, 2, 3), 5: (0, 1, 2)}


def test_configurations_without_a_run_come_last():
    lines = table(swept([run(0, 0, 5, 0.2)], SPACE, "seed"), ["validation_error"])
    assert [line["size"] for line in lines] == [5, 10]


def test_epochs_are_lines_of_their_own():
    rows = [run(k, k, 10, accuracy) for k, accuracy in enumerate([0.9, 0.7])]
    lines = epoch_table(swept(rows, SPACE, "seed"), ["validation_error"])
    assert [line["epoch"] for line in lines] == [1.0, 2.0]
    means = [line["validation_error_mean"] for line in lines]
    assert means == pytest.approx([0.5, 0.2])


def test_the_same_parameters_with_different_results_are_an_error():
    with pytest.raises(InputError, match="trials 0 and 4 have the same parameters"):
        swept([run(0, 0, 10, 0.9), run(4, 0, 10, 0.8)], SPACE, "seed")
    assert len(swept([run(0, 0, 10, 0.9), run(4, 0, 10, 0.9)], SPACE, "seed")[0].rows) == 1


def test_a_sweep_is_summed_up_over_its_seed_unless_told_otherwise():
    assert seed_parameter(SPACE) == "seed"
    assert seed_parameter(SPACE, "size") == "size"
    assert seed_parameter(Space({"n": Int(1, 3)})) is None
    with pytest.raises(UnknownNameError, match="seeds"):
        seed_parameter(SPACE, "seeds")


def test_without_seeds_every_run_is_a_configuration():
    space = Space({"n": Int(1, 3)})
    rows = [run(0, 0, 0, 0.5, params={"n": 2})]
    found = swept(rows, space, None)
    assert [(one.params["n"], len(one.rows)) for one in found] == [(1, 0), (2, 1), (3, 0)]
    assert n_combinations(space) == 3


def test_parameters_that_do_not_take_part_make_no_combinations():
    space = Space(
        {"kind": Choice(["a", "b"]), "only_b": Int(1, 3, when="kind == 'b'")},
    )
    assert list(listed(space)) == [
        {"kind": "a"},
        {"kind": "b", "only_b": 1},
        {"kind": "b", "only_b": 2},
        {"kind": "b", "only_b": 3},
    ]
