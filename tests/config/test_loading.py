"""Files, recipes and --set: read, overridden, checked before any trial."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from spiketune.config.inline import resolve
from spiketune.config.loading import (
    Configuration,
    check_resolved,
    configure,
    corners,
    load,
    parse_yaml,
    recipe_text,
    recipes,
    without_parameters,
)
from spiketune.config.training import TrainingTrial
from spiketune.errors import ConfigError, InputError, UnknownNameError
from spiketune.space import Choice, Float, Int, Space

FILE = """
study:
  objectives: {validation_accuracy: maximize}
  budget: {trials: 20}
trial:
  dataset: {name: digits, steps: {int: [5, 25], name: steps}}
  network:
    layers:
      - {name: hidden, dense: {int: [16, 128], scale: log}}
      - {dense: classes}
  training:
    epochs: 9
    optimizer: {learning_rate: {float: [1e-4, 1e-2], scale: log}}
"""
NETWORK: dict[str, Any] = {
    "dataset": {"name": "digits"},
    "network": {"layers": [{"name": "hidden", "dense": 5}, {"dense": "classes"}]},
}


def trial(**fields: Any) -> Configuration:
    return configure({"trial": {**NETWORK, **fields}}, "/")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "search.yaml"
    path.write_text(FILE)
    return path


# YAML.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.0e-4", 1e-4),
        ("1E5", 1e5),
        ("-2e+3", -2e3),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.5", 1.5),
        ("1_000.5", 1000.5),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("5", 5),
        ("-5", -5),
        ("0", 0),
        ("1_000", 1000),
        ("0x10", 16),
        ("0b11", 3),
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("Y", "Y"),
        ("TRUE", "TRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("None", "None"),
        ("1e", "1e"),
        ("e5", "e5"),
        ("1.2.3", "1.2.3"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("2026-01-01", "2026-01-01"),
        ("=", "="),
        ("'5'", "5"),
        ("a b", "a b"),
    ],
)
def test_a_scalar_is_read_as_it_looks(text: str, value: Any) -> None:
    read = parse_yaml(f"a: {text}", "f")["a"]
    assert read == value
    assert type(read) is type(value)


def test_not_a_number_is_read_as_such() -> None:
    assert math.isnan(parse_yaml("a: .nan", "f")["a"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3", 3),
        ("a:\n  b: 1\n  c: 2\n  b: 1", 4),
        ("a: [{b: 1, b: 2}]", 1),
        ("1: a\n1: b", 2),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InputError, match=rf"(?s)^f(:{line})?: .*stands twice\n  in line {line}, "):
        parse_yaml(text, "f")


def test_what_is_no_yaml_is_refused_with_file_and_line_first() -> None:
    with pytest.raises(InputError, match=r"^my\.yaml:3: not valid YAML: while scanning") as caught:
        parse_yaml("study:\n  name: x\n  seed: @1\n", "my.yaml")
    assert "unicode string" not in str(caught.value)


def test_anchors_and_merged_keys_are_understood() -> None:
    text = "base: &base {x: 1, y: 2}\nown: {<<: *base, y: 3}\nsame: *base"
    assert parse_yaml(text, "f")["own"] == {"x": 1, "y": 3}
    assert parse_yaml(text, "f")["same"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: {{rate}}",
        "? [1, 2]\n: 3",
        "a: !!int abc",
        "a: !!python/object/apply:os.getcwd []",
        "a: 1\n---\nb: 2",
        "a: &a [*a]",
        "a: *b",
        "a: " + "[" * 5000,
        "\tb",
        "a: \x07",
        "@",
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_yaml_is_refused_with_the_file(text: str) -> None:
    with pytest.raises(InputError, match=r"^my\.yaml(:\d)?: "):
        parse_yaml(text, "my.yaml")


@pytest.mark.parametrize("text", ["", "5", "text", "[1, 2]", "# only a comment"])
def test_a_document_without_sections_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must hold `study:` and `trial:` sections"):
        parse_yaml(text, "f")


# Files.


def test_a_file_is_read_and_checked(file: Path) -> None:
    configuration = load(file)
    assert configuration.study is not None
    assert configuration.study.budget.trials == 20
    assert dict(configuration.space) == {
        "steps": Int(5, 25),
        "network.layers.hidden.dense": Int(16, 128, "log"),
        "training.optimizer.learning_rate": Float(1e-4, 1e-2, "log"),
    }
    assert configuration.base_folder == str(file.parent)
    assert configuration.kind == "network"


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml: no such file"):
        load(tmp_path / "gone.yaml")


def test_a_folder_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(InputError, match=r"a\.yaml: cannot be read"):
        load(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"b\.yaml: cannot be read"):
        load(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").write_bytes(b"a: \x00\x01")
    with pytest.raises(InputError, match=r"c\.yaml: not valid YAML"):
        load(tmp_path / "c.yaml")


def test_a_file_with_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_text("\ufeff" + FILE.lstrip(), encoding="utf-8")
    assert load(file).study is not None


def test_a_name_that_is_neither_file_nor_recipe_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"named 'quickstar'\. Did you mean"):
        load("quickstar")
    with pytest.raises(UnknownNameError, match=r"Known: .*quickstart"):
        recipe_text("../secrets")


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_shipped_recipe_is_valid_and_says_what_it_is(name: str) -> None:
    configuration = load(name)
    assert len(recipes()[name]) > 20
    if configuration.study is None:  # one training, for `spiketune train`
        assert len(configuration.space) == 0
        check_resolved(configuration.trial)
    else:
        assert configuration.study.name == name
        assert len(configuration.space) > 1


# The sections.


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "^trial: the section is missing"),
        ({"study": {"objectives": {"a": "minimize"}}}, "^trial: the section is missing"),
        ({"trial": None}, "^trial: the section is missing"),
        ({"trial": [1]}, "^trial: the section is missing"),
        ({"trial": {}}, "^trial: needs `network:`"),
        ({"trial": {"training": {}}}, "^trial: needs `network:`"),
        ({"trial": NETWORK, "sutdy": {}}, "^sutdy: unknown section"),
        ({"trial": NETWORK, 5: {}}, "^5: unknown section"),
        ({"trial": NETWORK, "study": None}, "^study: must be a section"),
        ({"trial": NETWORK, "study": {}}, "^study.objectives: is required"),
        ({"trial": {"network": NETWORK["network"]}}, "^trial.dataset: is required"),
        ({"trial": {"function": "no_colon"}}, "^trial.function: .*got 'no_colon'"),
        ({"trial": {"function": "a:b", "param": {}}}, "^trial.param: .*did you mean 'params'"),
        ({"trial": {"function": "a:b", "params": None}}, "^trial.params: "),
        ({"trial": {**NETWORK, "function": "a:b"}}, "^trial.function: unknown key"),
        ({"trial": {**NETWORK, "parameters": 5}}, "^trial.parameters: names free parameters"),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_the_path(
    document: dict[Any, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        configure(document, "/")


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"devise": "cpu"}, "devise", "unknown key; did you mean 'device'"),
        ({"device": "gpu"}, "device", "got 'gpu'"),
        ({"dataset": {"name": "digits", "step": 5}}, "dataset.step", "did you mean 'steps'"),
        ({"dataset": {"name": "digits", "steps": 0}}, "dataset.steps", "got 0"),
        ({"dataset": {"name": "digits", "validation": {"shar": 0.1}}},
         "dataset.validation.shar", "did you mean 'share'"),
        ({"dataset": {"name": "digits", "validation": {"share": 1.0}}},
         "dataset.validation.share", "got 1.0"),
        ({"dataset": {"name": "digits", "validation": {"kind": "group"}}},
         "dataset.validation", "`group:` names the grouping"),
        ({"dataset": {"name": "digits", "encoding": "rate", "max_rate_hz": 5}},
         "dataset", "`max_rate_hz` goes with `encoding: poisson`"),
        ({"training": {"epoch": 5}}, "training.epoch", "did you mean 'epochs'"),
        ({"training": {"epochs": "many"}}, "training.epochs", "got 'many'"),
        ({"training": {"optimizer": {"learningrate": 5}}}, "training.optimizer.learningrate",
         "did you mean 'learning_rate'"),
        ({"training": {"optimizer": "adam"}}, "training.optimizer", "got 'adam'"),
        ({"training": {"optimizer": {"name": "adan"}}}, "training.optimizer.name", "got 'adan'"),
        ({"training": {"optimizer": {"learning_rate": math.nan}}},
         "training.optimizer.learning_rate", "got nan"),
        ({"training": {"optimizer": {"learning_rate": math.inf}}},
         "training.optimizer.learning_rate", "finite number, got inf"),
        ({"training": {"optimizer": {"learning_rate": True}}},
         "training.optimizer.learning_rate", "must be a number, got true"),
        ({"training": {"optimizer": {"betas": [0.9, False]}}},
         "training.optimizer.betas.1", "must be a number, got false"),
        ({"training": {"epochs": True}}, "training.epochs", "must be a number, got true"),
        ({"seed": False}, "seed", "must be a number, got false"),
        ({"network": {"neuron": {"threshold": math.inf}, "layers": [{"dense": "classes"}]}},
         "network.neuron.threshold", "finite number, got inf"),
        ({"network": {"layers": [{"dense": True}, {"dense": "classes"}]}},
         "network.layers.0.dense", "must be a number, got true"),
        ({"training": {"optimizer": {"nesterov": True}}}, "training.optimizer",
         "`nesterov` needs `momentum`"),
        ({"training": {"scheduler": {"name": "step", "gama": 1}}}, "training.scheduler.gama",
         "did you mean 'gamma'"),
        ({"training": {"loss": {"nam": 1}}}, "training.loss.nam", "did you mean 'name'"),
        ({"silence": {"min_spike": 1}}, "silence.min_spike", "did you mean 'min_spikes'"),
        ({"network": {"layers": []}}, "network.layers", "at least 1 item"),
        ({"network": {"layers": [{"dense": "classes", "drop": 1}]}}, "network.layers.0.drop",
         "did you mean 'dropout'"),
        ({"network": {"layers": [{"dense": 0}, {"dense": "classes"}]}},
         "network.layers.0.dense", "greater than or equal to 1, got 0"),
        ({"network": {"layers": [{"dense": 5}]}}, "network", "the last layer must be the output"),
        ({"network": {"neuron": {"bet": 1}, "layers": [{"dense": "classes"}]}},
         "network.neuron.bet", "did you mean 'beta'"),
        ({"network": {"neuron": {"beta": 2.0}, "layers": [{"dense": "classes"}]}},
         "network.neuron.beta", "less than or equal to 1, got 2.0"),
        ({"network": {"layers": [{"dense": "classes", "neuron": {"betta": 1}}]}},
         "network.layers.0.neuron.betta", "unknown key; did you mean 'beta'"),
        ({"network": {"layers": [{"dense": "classes", "neuron": {"beta": 2.0}}]}},
         "network.layers.0.neuron.beta", "less than or equal to 1, got 2.0"),
        ({"network": {"neuron": {"tau_mem_ms": 5.0}, "layers": [{"dense": "classes"}]}},
         "", "`tau_mem_ms` needs `dataset.dt_ms`"),
    ],
)  # fmt: skip
def test_a_trial_section_that_is_wrong_is_refused_with_the_path(
    fields: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        trial(**fields)
    assert caught.value.path == f"trial.{path}".rstrip(".")


def test_a_layer_s_own_neuron_goes_over_the_default_also_after_writing_it_out() -> None:
    section = check_resolved(
        {
            **NETWORK,
            "network": {
                "neuron": {"beta": 0.8, "learn_beta": True},
                "layers": [
                    {"dense": 5, "neuron": {"beta": 0.5}},
                    {"dense": "classes", "neuron": {"learn_beta": False}},
                ],
            },
        }
    )
    again = check_resolved(section.model_dump(mode="json"))
    for config in (section, again):
        assert isinstance(config, TrainingTrial)
        neurons = [config.network.neuron_of(layer) for layer in config.network.layers]
        assert [(n.beta, n.learn_beta) for n in neurons] == [(0.5, True), (0.8, False)]


# Ends of ranges.


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"training": {"epochs": {"int": [0, 9]}}}, r"^trial\.training\.epochs: .*got 0"),
        ({"dataset": {"name": "digits", "steps": {"int": [0, 9], "name": "s"}}},
         r"^trial\.dataset\.steps: .*got 0"),
        ({"training": {"optimizer": {"momentum": {"float": [0.0, 1.0]}}}},
         r"^trial\.training\.optimizer\.momentum: .*got 1.0"),
        ({"training": {"optimizer": {"name": {"choice": ["adam", "sgd", "adan"]}}}},
         r"^trial\.training\.optimizer\.name: .*got 'adan'"),
        ({"training": {"epochs": {"float": [1.0, 9.0]}}}, r"^trial\.training\.epochs: "),
        ({"training": {"epochs": {"int": [1, 5], "name": "e"},
                       "batch_size": {"value": "5 - e"}}},
         r"^trial\.training\.batch_size: .*got 0"),
        ({"training": {"epochs": {"int": [1, 5], "name": "e"},
                       "patience": {"improvement": {"value": "1 / (e - 1)"}}}},
         r"^trial\.training\.patience\.improvement: .*division by zero"),
        ({"training": {"epochs": {"value": "foo * 2"}}},
         r"^trial\.training\.epochs: .*no value for 'foo'"),
        ({"training": {"optimizer": {"choose": {
            "a": {"name": "adam"}, "b": {"name": "sgd"},
            "c": {"name": "sgd", "momentum": {"float": [0.1, 1.5]}}}}}},
         r"^trial\.training\.optimizer\.momentum: .*got 1.5"),
        ({"training": {"optimizer": {
            "name": {"choice": ["sgd", "adam"], "name": "o"},
            "momentum": {"float": [0.1, 1.5], "when": "o == 'sgd'"}}}},
         r"^trial\.training\.optimizer\.momentum: .*got 1.5"),
        ({"training": {
            "epochs": {"int": [1, 50], "name": "e"},
            "batch_size": {"int": [1, 50], "name": "b", "when": "e >= 50"},
            "optimizer": {"momentum": {"float": [0.1, 1.5], "when": "b < 2"}}}},
         r"^trial\.training\.optimizer\.momentum: .*got 1.5"),
    ],
)  # fmt: skip
def test_a_bad_value_at_an_end_is_found_before_any_trial(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        trial(**fields)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("o * 2 < 3", "arithmetic needs numbers"),
        ("e / (e - 5) < 3", "division by zero"),
        ("oo == 1", "No parameter named 'oo'"),
        ("e <", "cannot be read"),
    ],
)
def test_a_requirement_that_cannot_be_computed_is_found_before_any_trial(
    rule: str, message: str
) -> None:
    training = {
        "epochs": {"int": [1, 5], "name": "e"},
        "optimizer": {"name": {"choice": ["sgd", "adam"], "name": "o"}},
    }
    study = {"objectives": {"a": "maximize"}, "require": [rule]}
    with pytest.raises(ConfigError, match=rf"^study\.require: .*{message}"):
        configure({"study": study, "trial": {**NETWORK, "training": training}}, "/")


def test_every_corner_is_a_configuration_and_every_end_is_among_them() -> None:
    space = Space(
        {
            "n": Int(1, 10, step=4),
            "x": Float(0.0, 1.0, step=0.3, when="kind == 'b'"),
            "kind": Choice(["a", "b", "c"]),
        }
    )
    seen = list(corners(space))
    for values in seen:
        space.check(values)
    assert {values["n"] for values in seen} == {1, 5, 9}
    assert {values["kind"] for values in seen} == {"a", "b", "c"}
    assert {0.0, 0.9} <= {values["x"] for values in seen if "x" in values}


def test_a_parameter_that_nothing_activates_does_not_hold_the_check_up() -> None:
    parameters = {f"p{i}": Int(1, 9) for i in range(12)}
    when = " and ".join(f"{name} == 2" for name in parameters)
    assert len(list(corners(Space({**parameters, "x": Int(1, 2, when=when)})))) == 40


def test_resolved_corners_of_the_recipes_are_valid_sections() -> None:
    configuration = load("snntorch-tutorial")
    for values in corners(configuration.space):
        check_resolved(without_parameters(resolve(configuration.trial, values)))


# --set.


@pytest.mark.parametrize(
    ("override", "keys", "value"),
    [
        ("trial.training.epochs=3", ("training", "epochs"), 3),
        ("trial.training.optimizer.learning_rate=1e-3",
         ("training", "optimizer", "learning_rate"), 1e-3),
        ("trial.network.layers.hidden.dense=7", ("network", "layers", 0, "dense"), 7),
        ("trial.network.layers.0.dense=7", ("network", "layers", 0, "dense"), 7),
        ("trial.network.layers.1={dense: classes, dropout: 0}",
         ("network", "layers", 1), {"dense": "classes", "dropout": 0}),
        ("trial.training.epochs={int: [1, 5]}", ("training", "epochs"), {"int": [1, 5]}),
        ("trial.training.loss.name=count_mse", ("training", "loss", "name"), "count_mse"),
        ("trial.silence.min_spikes=2", ("silence", "min_spikes"), 2),
        ("trial.dataset.root=/a=b", ("dataset", "root"), "/a=b"),
        (" trial.device =cpu", ("device",), "cpu"),
    ],
)  # fmt: skip
def test_set_replaces_or_adds_a_leaf(
    file: Path, override: str, keys: tuple[str | int, ...], value: Any
) -> None:
    node: Any = load(file, [override]).trial
    for key in keys:
        node = node[key]
    assert node == value


def test_several_overrides_apply_in_turn_to_both_sections(file: Path) -> None:
    overrides = ["study.budget.trials=5", "study.budget.trials=6", "study.budget.time=2m"]
    section = load(file, overrides).study
    assert section is not None
    assert (section.budget.trials, section.budget.time) == (6, 120.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trial.training.epochs", "must be path.to.leaf=value"),
        ("", "must be path.to.leaf=value"),
        ("=5", "must be path.to.leaf=value"),
        ("trial.training.epochs=[1", "--set trial.training.epochs=.*not valid YAML"),
        ("trial.training.epochs={{x}}", "cannot be a key"),
        ("trial.training.epochs=0", "trial.training.epochs: .*got 0"),
        ("trial.training.epochs.deep=1", "--set trial.training.epochs: is a value"),
        ("trial.training.epochs.a.b=1", "--set trial.training.epochs: is a value"),
        ("trial.network.layers.gone.dense=1", "the list has no entry 'gone'"),
        ("trial.network.layers.9.dense=1", "the list has no entry '9'"),
        ("trial.network.layers.-1.dense=1", "the list has no entry '-1'"),
        ("trial.network.layers.9=1", "the list has no entry '9'"),
        ("study.budgets.trials=1", "study.budgets: unknown key; did you mean 'budget'"),
        ("study.budget.trial=1", "did you mean 'trials'"),
        ("studi.seed=1", "studi: unknown section"),
        ("trial..x=1", "trial.: unknown key"),
    ],
)
def test_a_wrong_override_is_refused(file: Path, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(file, [override])


def test_overrides_reach_recipes() -> None:
    study = load("quickstart", ["study.budget.trials=3"]).study
    assert study is not None
    assert study.budget.trials == 3


def test_the_document_written_from_a_recipe_is_the_same_configuration() -> None:
    text = recipe_text("quickstart")
    document = parse_yaml(text, "f")
    again = parse_yaml(yaml.safe_dump(document), "f")
    assert again == document
    first, second = configure(document, "/"), configure(again, "/")
    assert first.space.fingerprint() == second.space.fingerprint()
