"""What is refused before the first trial, given the data that trials are to be trained on."""

from typing import Any

import pytest

from spiketune.errors import ConfigError
from spiketune.objectives.preparation import prepare

TIMED = {"kind": "first_spike", "layers": [{"neurons": 4}, {"neurons": "classes"}]}


def section(dataset: dict[str, Any], network: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"device": "cpu", "dataset": dataset, "network": network, **rest}


def test_recordings_are_refused_where_values_are_to_become_times() -> None:
    with pytest.raises(ConfigError, match=r"dataset\.name: 'nmnist' consists of events") as caught:
        prepare([section({"name": "nmnist"}, TIMED)], "")
    assert "take a data set of values" in str(caught.value)


LAYERED = {"layers": [{"dense": 4}, {"dense": "classes"}]}
SUMMED = {
    "layers": [{"dense": 4}, {"dense": "classes", "neuron": {"kind": "integrator"}}],
}


@pytest.mark.parametrize(
    ("network", "most", "rest"),
    [
        (TIMED, 3, {}),
        (LAYERED, 3 * 5, {}),
        (SUMMED, 4 * 5, {"training": {"loss": {"name": "membrane_cross_entropy"}}}),
    ],
)
def test_silence_that_asks_for_more_spikes_than_there_can_be_is_refused(
    network: dict[str, Any], most: int, rest: dict[str, Any]
) -> None:
    dataset = {"name": "yin-yang", "steps": 5}
    prepare([section(dataset, network, silence={"min_spikes": most}, **rest)], "")
    with pytest.raises(ConfigError, match=rf"min_spikes: {most + 1} .* than the {most} "):
        prepare([section(dataset, network, silence={"min_spikes": most + 1}, **rest)], "")


def test_the_only_network_there_is_must_fit_its_input() -> None:
    def pooled(kernel: int) -> dict[str, Any]:
        pool = {"name": "p", "pool": "sum", "kernel": kernel, "padding": 2}
        return section({"name": "digits", "steps": 2}, {"layers": [pool, {"dense": "classes"}]})

    prepare([pooled(4)], "")
    prepare([pooled(3), pooled(4)], "")  # those that fit are searched for
    with pytest.raises(ConfigError, match=r"layers\.p\.padding: 2 x 2 is more than half"):
        prepare([pooled(3)], "")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            [{"neurons": 8, "delay": {"kind": "axonal", "share_inputs": 3}}],
            r"layers\.0\.delay\.share_inputs: 3 does not divide 4 inputs",
        ),
        (
            [{"name": "h", "neurons": 8, "multiplex": 2, "biases": [0.1]}],
            r"layers\.out\.delay\.share_neurons: 2 does not divide 3 neurons",
        ),
    ],
)
def test_delays_that_the_data_cannot_share_are_refused(
    layers: list[dict[str, Any]], words: str
) -> None:
    shared = {"kind": "dendritic", "share_neurons": 2 if "name" in layers[0] else 3}
    output = {"name": "out", "neurons": "classes", "delay": shared}
    network = {"kind": "first_spike", "layers": [*layers, output]}
    with pytest.raises(ConfigError, match=words):
        prepare([section({"name": "yin-yang"}, network)], "")
