"""Figures that programs leave: in keyword lines, JSON and standard output."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketune.errors import TrialError
from spiketune.objectives.summary import number, read_file, read_stdout, reports_in


@given(st.floats(allow_nan=False))
def test_a_number_that_was_printed_is_read_again(value):
    assert number(repr(value)) == value
    assert number(f"{value:+.17e}") == value


@pytest.mark.parametrize(
    "text", ["", "1e", "1 2", "1,5", "1_000", "0x10", "--1", "1e-05, 3", "five"]
)
def test_what_is_no_number_is_none(text):
    assert number(text) is None


def test_keyword_lines_hold_numbers_lists_and_texts(tmp_path):
    path = tmp_path / "performance_overview.txt"
    path.write_text(
        'acc 1e-05\nloss -5\nbest: +.5\nshift\t2.\nper_task "1, 2e-3"\n'
        "more [3 4]\nnote some words\nbad nan\n\nok True\nfinished 1\n"
    )
    values = read_file(path, is_json=False)
    assert math.isnan(values.pop("bad"))
    assert values == {
        "acc": 1e-05,
        "loss": -5.0,
        "best": 0.5,
        "shift": 2.0,
        "per_task": (1.0, 0.002),
        "more": (3.0, 4.0),
        "note": "some words",
        "ok": 1.0,
        "finished": 1.0,
    }


def test_json_leaves_are_named_by_their_path(tmp_path):
    path = tmp_path / "result.json"
    path.write_text('{"acc": 1e-05, "test": {"loss": -2, "curve": [1, 2]}, "ok": true, "s": "x"}')
    values = read_file(path, is_json=True)
    assert values == {
        "acc": 1e-05,
        "test.loss": -2.0,
        "test.curve": (1.0, 2.0),
        "ok": 1.0,
        "s": '"x"',
    }


@pytest.mark.parametrize(
    ("content", "is_json", "message"),
    [
        (None, False, "the program ended without writing"),
        (b"", False, "is empty"),
        (b" \n", True, "is empty"),
        (b"acc 1\nloss\n", False, "line 2 is no 'keyword value': 'loss'"),
        (b"\xff\xfe\x00", False, "is no text"),
        (b"{acc: 1}", True, "is no JSON"),
        (b"[1]", True, "must hold a JSON object"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_is_wrong(
    tmp_path, content, is_json, message
):
    path = tmp_path / "summary"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrialError, match=message) as error:
        read_file(path, is_json=is_json)
    assert str(path) in str(error.value)


def test_the_last_match_on_stdout_counts():
    text = "acc 0.1\nacc -2e-3 done\nloss x\n"
    assert read_stdout(text, {"acc": r"^acc (\S+)", "no": r"no (\d)"}) == {"acc": -0.002}
    with pytest.raises(TrialError, match="'loss' is no number: 'x'"):
        read_stdout(text, {"loss": r"loss (\S+)"})


def test_points_of_a_learning_curve_are_found_among_other_lines():
    text = "start\nepoch 1: acc=0.5\nepoch x: acc=0.6\nepoch 2: acc=7e-1\nepoch 3: acc=?\n"
    pattern = r"epoch (?P<fidelity>\S+): acc=(?P<acc>\S+)"
    assert list(reports_in(text, pattern, "fidelity")) == [
        (1.0, {"acc": 0.5}),
        (2.0, {"acc": 0.7}),
        (3.0, {}),
    ]
