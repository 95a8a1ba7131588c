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
