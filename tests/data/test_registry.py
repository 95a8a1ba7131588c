"""Data sets by name, and what every one of them must keep to."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from spiketune.config.training import Dataset, Validation
from spiketune.data import registry
from spiketune.data.registry import DataSet, datasets, get_dataset, load, prepare
from spiketune.data.splits import Labelled
from spiketune.errors import ConfigError, UnknownNameError

# Those that need no download; a data set that is added is tested by adding its name.
AT_HAND = ["digits", "yin-yang"]


def test_an_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(UnknownNameError, match=r"named 'digit'\. Did you mean 'digits'"):
        get_dataset("digit")


def test_the_data_sets_are_listed_by_name() -> None:
    assert {"digits", "mnist", "yin-yang"} <= set(datasets())
    assert all(name == data_set.name for name, data_set in datasets().items())


def test_a_package_can_bring_a_data_set_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Labelled(np.arange(20.0)[:, None] / 20, np.arange(20) % 2)
    theirs = DataSet("theirs", "twenty numbers", lambda config: data, lambda config: data)
    entry = SimpleNamespace(name="theirs", load=lambda: theirs)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    assert get_dataset("theirs") is theirs
    assert len(load(Dataset(name="theirs")).validation) == 4


@pytest.mark.parametrize("name", AT_HAND)
def test_inputs_lie_in_zero_to_one_and_every_class_is_in_every_split(name: str) -> None:
    prepare(Dataset(name=name))
    splits = load(Dataset(name=name))
    for part in (splits.train, splits.validation):
        scaled = part.inputs / part.full_scale
        assert scaled.min() >= 0.0
        assert scaled.max() <= 1.0
        assert len(part.inputs) == len(part.labels) == len(part)
        assert np.unique(part.labels).tolist() == list(range(splits.n_classes))


@pytest.mark.parametrize("name", AT_HAND)
def test_loading_twice_gives_the_same(name: str) -> None:
    first, again = load(Dataset(name=name)), load(Dataset(name=name))
    assert np.array_equal(first.train.inputs, again.train.inputs)
    assert np.array_equal(first.validation.labels, again.validation.labels)


@pytest.mark.parametrize("name", AT_HAND)
def test_no_sample_is_in_two_splits(name: str) -> None:
    data_set, config = get_dataset(name), Dataset(name=name)
    splits = load(config)
    parts = [splits.train, splits.validation, data_set.test(config)]
    rows = np.concatenate([part.inputs.reshape(len(part), -1) for part in parts])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_a_set_with_a_validation_split_of_its_own_refuses_another() -> None:
    config = Dataset(name="yin-yang", validation=Validation(share=0.3))
    with pytest.raises(ConfigError, match="'yin-yang' has a validation split of its own"):
        load(config)


def test_importing_the_data_sets_loads_no_torch() -> None:
    code = (
        "import sys, spiketune.data.registry as r; r.datasets(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
