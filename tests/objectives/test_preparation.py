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
