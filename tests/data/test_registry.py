"""Data sets by name, and what every one of them must keep to."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spiketune.config.training import Dataset, Validation
from spiketune.data import registry
from spiketune.data.binning import Binning, frames_of
from spiketune.data.events import Events
from spiketune.data.registry import DataSet, datasets, get_dataset, load, prepare
from spiketune.data.splits import Labelled
from spiketune.errors import ConfigError, UnknownNameError

from .recordings import write_nmnist, write_shd, write_ssc

# A data set that is added is tested by adding its name, and what writes its files if need be.
WRITERS = {"nmnist": write_nmnist, "shd": write_shd, "ssc": write_ssc}
AT_HAND = ["digits", "yin-yang", "bars", "xor", "pattern", *WRITERS]


@pytest.fixture(params=AT_HAND)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    if request.param not in WRITERS:
        return Dataset(name=request.param)
    WRITERS[request.param](tmp_path)
    return Dataset(name=request.param, root=str(tmp_path))


def values(part: Labelled) -> NDArray[Any]:
    """What a network gets of each sample, (n, ...)."""
    if isinstance(part.inputs, Events):
        frames = frames_of(part.inputs, slice(None), Binning(steps=40))
        return frames.transpose(1, 0, 2).reshape(len(part), -1)
    return part.inputs.reshape(len(part), -1) / part.full_scale


def test_an_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(UnknownNameError, match=r"named 'digit'\. Did you mean 'digits'"):
        get_dataset("digit")


def test_the_data_sets_are_listed_by_name() -> None:
    assert {"digits", "mnist", "nmnist", "shd", "ssc", "yin-yang"} <= set(datasets())
    assert all(name == data_set.name for name, data_set in datasets().items())


def test_a_package_can_bring_a_data_set_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Labelled(np.arange(20.0)[:, None] / 20, np.arange(20) % 2)
    theirs = DataSet("theirs", "twenty numbers", lambda config: data, lambda config: data)
    entry = SimpleNamespace(name="theirs", load=lambda: theirs)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    assert get_dataset("theirs") is theirs
    assert len(load(Dataset(name="theirs")).validation) == 4


def test_inputs_lie_in_zero_to_one_and_every_class_is_in_every_split(config: Dataset) -> None:
    prepare(config)
    splits = load(config)
    for part in (splits.train, splits.validation):
        found = values(part)
        assert found.min() >= 0.0
        assert found.max() <= 1.0
        assert len(found) == len(part.inputs) == len(part.labels) == len(part)
        assert np.unique(part.labels).tolist() == list(range(splits.n_classes))


def test_loading_twice_gives_the_same(config: Dataset) -> None:
    first, again = load(config), load(config)
    assert np.array_equal(values(first.train), values(again.train))
    assert np.array_equal(first.validation.labels, again.validation.labels)


def test_no_sample_is_in_two_splits(config: Dataset) -> None:
    splits = load(config)
    parts = [splits.train, splits.validation, get_dataset(config.name).test(config)]
    rows = np.concatenate([values(part) for part in parts])
    assert len(np.unique(rows, axis=0)) == len(rows)


@pytest.mark.parametrize("key", ["frames", "size", "channels"])
def test_a_key_that_a_data_set_has_no_use_for_is_refused(config: Dataset, key: str) -> None:
    given = config.model_copy(update={key: {"frames": "count", "size": 28, "channels": 140}[key]})
    if key in get_dataset(config.name).keys:
        assert load(given).n_classes == load(config).n_classes
        return
    for use in (load, prepare):
        with pytest.raises(
            ConfigError, match=rf"trial\.dataset\.{key}: '{config.name}' has no use"
        ):
            use(given)


def test_events_take_no_encoding(config: Dataset) -> None:
    given = config.model_copy(update={"encoding": "rate"})
    if not get_dataset(config.name).has_events:
        assert load(given).n_classes == load(config).n_classes
        return
    for use in (load, prepare):
        with pytest.raises(ConfigError, match=r"trial\.dataset\.encoding: .* consists of events"):
            use(given)


def test_a_set_with_a_validation_split_of_its_own_refuses_another() -> None:
    config = Dataset(name="yin-yang", validation=Validation(share=0.3))
    with pytest.raises(ConfigError, match="'yin-yang' has a validation split of its own"):
        load(config)


def test_importing_the_data_sets_loads_nothing_heavy() -> None:
    code = (
        "import sys, spiketune.data.registry as r; r.datasets(); "
        "sys.exit(str({'torch', 'numba', 'h5py'} & set(sys.modules) or ''))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert found.stderr.strip() == b""
