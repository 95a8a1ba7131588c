"""Numbers, durations and names as a person reads them."""

import pytest

from spiketune.report.wording import duration, number, short_names, text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.93456, "0.9346"),
        (0.0, "0.0000"),
        (0.00042, "4.200e-04"),
        (-25000.0, "-2.500e+04"),
        (12, "12"),
        (10_001, "1.000e+04"),
        (None, ""),
        (True, "true"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_has_four_decimals_or_an_exponent(value: object, shown: str) -> None:
    assert number(value) == shown


def test_options_that_are_no_scalars_are_shown_as_json() -> None:
    assert text({"b": [1, 2], "a": None}) == '{"a": null, "b": [1, 2]}'


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.81, "0.8 s"),
        (59.4, "59 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
        (90000, "1 d 01 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_names_are_shortened_as_far_as_they_stay_apart() -> None:
    short = short_names(["training.optimizer.rate", "hidden.neuron.beta", "out.neuron.beta"])
    assert list(short.values()) == ["rate", "hidden.neuron.beta", "out.neuron.beta"]


def test_a_name_that_ends_like_a_whole_other_one_stays_apart() -> None:
    short = short_names(["beta", "out.beta", "a.b.beta"])
    assert len(set(short.values())) == 3
    assert short["beta"] == "beta"


def test_an_ending_that_says_nothing_keeps_the_part_before_it() -> None:
    assert short_names(["training.optimizer.name"]) == {"training.optimizer.name": "optimizer.name"}
