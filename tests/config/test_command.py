"""Command sections and their templates: what is filled, and what is refused."""

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketune.config.command import parameter_names
from spiketune.config.command_template import as_options, fill_arguments, fill_shell
from spiketune.config.loading import configure
from spiketune.errors import ConfigError

VALUES = {"lr": 1e-05, "n": -3, "on": True, "off": False, "none": None, "name": "a b", "args": []}


def document(command="prog --lr {lr}", params=None, **section):
    return {
        "study": {"objectives": {"acc": "maximize"}},
        "trial": {
            "command": command,
            "params": params or {"lr": {"float": [1e-5, 0.1], "scale": "log"}},
            "result": {"file": "out.txt"},
            **section,
        },
    }


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        (["--lr", "{lr}"], ["--lr", "1e-05"]),
        (["--lr={lr:.2f}"], ["--lr=0.00"]),
        (["x", "{n}"], ["x", "-3"]),
        (["--on", "{on}"], ["--on"]),
        (["{on}"], ["--on"]),
        (["--off", "{off}", "y"], ["y"]),
        (["{off}", "y"], ["y"]),
        (["--none", "{none}", "y"], ["y"]),
        (["--lr={none}", "y"], ["y"]),
        (["on={on}", "off={off}"], ["on=true", "off=false"]),
        (["{n}", "{none}"], ["-3"]),
        (["{{n}}", "{name}"], ["{n}", "a b"]),
        (["{name}-{n}"], ["a b--3"]),
    ],
)
def test_an_argument_takes_its_value_and_an_absent_one_goes_with_its_option(template, arguments):
    assert fill_arguments(template, VALUES) == arguments


def test_parameters_that_no_placeholder_uses_become_options():
    values = {"lr": 1e-05, "on": True, "off": False, "none": None, "sizes": [10, 20], "s": "a b"}
    assert as_options(values) == ["--lr", "1e-05", "--on", "--sizes", "10,20", "--s", "a b"]


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("p --lr {lr} | tee x", "p --lr 1e-05 | tee x"),
        ("p --on {on}", "p --on "),
        ("p {on} z", "p --on z"),
        ("p --off {off} z", "p  z"),
        ("p --none {none}; q", "p --none ''; q"),
        ("p {name}", "p 'a b'"),
        ("p --f={name}", "p --f='a b'"),
    ],
)
def test_a_line_for_the_shell_holds_quoted_values(template, line):
    assert fill_shell(template, VALUES) == line


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12))
def test_no_text_is_read_by_the_shell_or_split(text):
    line = fill_shell("printf %s {x} {y}", {"x": text, "y": text})
    assert shlex.split(line) == ["printf", "%s", text, text]


def test_a_real_shell_runs_nothing_of_a_value():
    text = "$(echo no) `echo no` \"'; echo no #\n\\"
    line = fill_shell("printf %s {x}", {"x": text})
    assert subprocess.run(line, shell=True, capture_output=True, check=True).stdout.decode() == text


@pytest.mark.parametrize("quoted", ['p "{lr}"', "p '{lr}'", 'p "a \\" {lr}"', "p `{lr}`"])
def test_a_placeholder_in_quotes_is_refused_where_a_shell_reads_it(quoted):
    with pytest.raises(ConfigError, match="stands in quotes"):
        configure(document(quoted, shell=True), ".")
    if shlex.split(quoted):
        configure(document(quoted), ".")  # no shell: quotes only hold words together


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": "p {lrr}"}, "trial.command: No placeholder named 'lrr'. Did you mean 'lr'"),
        ({"command": "p '{\"a\": 1}'"}, "write {{ for a brace"),
        ({"command": "p {lr"}, "write {{ for a brace"),
        ({"command": "p {}"}, "needs a name"),
        ({"command": ""}, "the command is empty"),
        ({"command": []}, "the command is empty"),
        ({"command": "p 'x"}, "No closing quotation"),
        ({"command": ["p"], "shell": True}, "one text where `shell` is true"),
        ({"env": {"A": "{nothing}"}}, "trial.env.A: No placeholder named 'nothing'"),
        ({"params": {"out_dir": {"grid": [1]}}}, "trial.params.out_dir: is a placeholder already"),
        ({"params": {"lr": {"choose": {"a": {}}, "name": "b"}}}, "goes with no `choose`"),
        ({"result": {}}, "trial.result: needs `file:`"),
        ({"result": {"stdout": {"acc": "acc .*"}}}, "needs one group"),
        ({"result": {"stdout": {"acc": "acc ("}}}, "is no regular expression"),
        ({"result": {"file": "x", "reports": "(.*)"}}, "needs named groups"),
        ({"result": {"file": "x", "keep": "acc >"}}, "trial.result.keep"),
        ({"result": {"file": "x", "fromat": "json"}}, "did you mean 'format'"),
    ],
)
def test_a_wrong_section_is_refused_with_its_place(changes, message):
    with pytest.raises(ConfigError) as error:
        configure(document(**changes), ".")
    assert message in str(error.value)


def test_a_parameter_that_never_reaches_the_program_is_warned_of():
    with pytest.warns(UserWarning, match="does not use lr, and `append` is false"):
        configure(document("p", append=False), ".")


def test_a_list_may_hold_numbers_and_a_searched_argument():
    loaded = configure(document(["p", 3, {"choice": ["--adam", "--sgd"]}, "{lr}"]), ".")
    assert set(loaded.space) == {"command.2", "lr"}


def test_names_in_chosen_sections_are_parameters():
    params = {
        "opt": {"choose": {"sgd": {"momentum": 0.9}, "adam": {"b": {"grid": [1]}}}},
        "g": {"x": 1},
    }
    assert list(parameter_names(params)) == ["opt", "momentum", "b", "x"]
