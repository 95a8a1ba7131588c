"""The networks that come with the package are what their facts say."""

import json

import pytest
import yaml

from spiketune.cli.experiments import load_trained
from spiketune.config.loading import recipe_text
from spiketune.errors import UnknownNameError
from spiketune.objectives.measuring import measure
from spiketune.trained import trained_network, trained_networks
from spiketune.training.checkpoint import load


@pytest.mark.parametrize("name", trained_networks())
def test_a_network_is_as_good_as_its_facts_say(name):
    facts = trained_network(name).facts
    ((metrics, _),) = measure(load_trained(name, None), 1)
    assert metrics["accuracy"] == pytest.approx(facts["validation_accuracy"], abs=1e-9)
    assert 0.95 < facts["test_accuracy"] < 1.0


@pytest.mark.parametrize("name", trained_networks())
def test_a_network_was_trained_by_the_recipe_of_its_name(name):
    section = load(trained_network(name).path).facts["section"]
    recipe = yaml.safe_load(recipe_text(name))["trial"]
    assert section["network"]["kind"] == recipe["network"]["kind"]
    for kept, written in zip(
        section["network"]["layers"], recipe["network"]["layers"], strict=True
    ):
        assert kept["neurons"] == written["neurons"]
        assert (kept.get("delay") or {}).get("kind") == (written.get("delay") or {}).get("kind")


def test_networks_are_listed_by_name_and_unknown_ones_refused():
    assert {"yin-yang-h30-w", "yin-yang-h30-ws"} <= trained_networks().keys()
    with pytest.raises(UnknownNameError, match="yin-yang-h30-ws"):
        trained_network("yin-yang-h30-sw")


def test_a_network_is_plain_tensors_and_json():
    found = load(trained_network("yin-yang-h30-ws").path)
    assert json.dumps(dict(found.facts))
    assert found.tensors["stack.0.weight"].shape == (4, 30)
