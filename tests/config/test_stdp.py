"""The section of a network that learns by spike timing, and the recipe that searches it."""

from typing import Any

import pytest

from spiketune.config.checking import check
from spiketune.config.loading import load
from spiketune.config.network import Network
from spiketune.config.stdp import Stdp
from spiketune.config.training import TrainingTrial
from spiketune.errors import ConfigError
from spiketune.space import Choice, Float, Int


def trial(network: Any = None, **changes: Any) -> TrainingTrial:
    dataset = {"name": "digits", "encoding": "poisson"}
    section = {"dataset": dataset, "network": network or {"kind": "stdp"}, **changes}
    return check(TrainingTrial, section, "trial")


def test_the_kind_picks_the_model_and_layers_are_the_default() -> None:
    layers = [{"dense": "classes"}]
    assert isinstance(trial().network, Stdp)
    assert isinstance(trial({"layers": layers}).network, Network)
    assert isinstance(trial({"kind": "layered", "layers": layers}).network, Network)


def test_a_section_written_out_is_the_same_again() -> None:
    config = trial({"kind": "stdp", "excitatory": {"rest_mv": -64.0}, "readout": "2gram"})
    for written in (config.model_dump(mode="json", exclude_unset=True), config.model_dump()):
        again = dict(written)
        again["training"] = {"epochs": config.training.epochs}
        assert TrainingTrial.model_validate(again).network == config.network


@pytest.mark.parametrize(
    ("network", "path", "message"),
    [
        ({"kind": "std"}, "network", "`kind` must be `layered`, `stdp`"),
        (7, "network", "valid dictionary"),
        ({"kind": "stdp", "neuron": 5}, "network.neuron", "did you mean 'neurons'"),
        ({"kind": "stdp", "neurons": 0}, "network.neurons", "greater than or equal to 1, got 0"),
        ({"kind": "stdp", "layers": []}, "network.layers", "unknown key"),
        ({"kind": "stdp", "readout": "3gram"}, "network.readout", "got '3gram'"),
        ({"kind": "stdp", "excitatory": {"rest": 1}}, "network.excitatory.rest",
         "unknown key; did you mean 'rest_mv'"),
        ({"kind": "stdp", "plasticity": {"tau_trace_ms": 0}}, "network.plasticity.tau_trace_ms",
         "greater than 0"),
        ({"kind": "stdp", "inhibitory": {"rest_mv": float("nan")}}, "network.inhibitory.rest_mv",
         "finite"),
    ],
)  # fmt: skip
def test_a_wrong_leaf_is_named_by_its_path(network: Any, path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        trial(network)
    assert caught.value.path == f"trial.{path}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"optimizer": {"name": "adam"}}}, r"`training\.optimizer` means nothing"),
        ({"training": {"loss": {}}}, r"`training\.loss` means nothing for `kind: stdp`"),
        ({"training": {"patience": {}}}, "knows batch_size and epochs"),
        ({"training": {"scheduler": {"name": "step"}}}, r"`training\.scheduler`"),
        ({"device": "cuda"}, "runs on the CPU"),
        ({"dataset": {"name": "shd", "frames": "count"}}, "say `frames: binary`"),
    ],
)
def test_what_belongs_to_gradients_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trial(**changes)


def test_the_recipe_has_the_18_parameters_with_their_ranges_and_scales() -> None:
    assert dict(load("mnist-stdp-18").space) == {
        "decoder": Choice(["all", "vote", "2gram"]),
        "epochs": Int(1, 3),
        "map_size": Int(10, 1000),
        "nu_pre": Float(1e-4, 1e-3, "log"),
        "nu_post": Float(1e-3, 1e-2, "reverse-log"),
        "strength_exc": Float(50.0, 500.0, "reverse-log"),
        "strength_inh": Float(60.0, 600.0, "reverse-log"),
        "norm": Float(78.4, 200.0, "reverse-log"),
        "e_thresh": Float(-70.0, -50.0),
        "e_rest": Float(-65.0, -55.0),
        "e_refrac": Int(1, 10),
        "theta_plus": Float(0.01, 0.1, "log"),
        "tc_theta_decay": Float(1e6, 1e7, "reverse-log"),
        "e_tc_decay": Float(1000.0, 5000.0, "reverse-log"),
        "i_thresh": Float(-30.0, -10.0),
        "i_rest": Float(-60.0, -40.0),
        "i_refrac": Int(15, 35),
        "i_tc_decay": Float(1000.0, 5000.0, "log"),
    }


def test_the_upper_ends_of_the_recipe_are_reachable() -> None:
    for name, parameter in load("mnist-stdp-18").space.items():
        if not isinstance(parameter, Choice):
            assert parameter.from_unit(1.0) == parameter.high, name
