"""Data sets by name, and the only ways to their splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from spiketune.config.training import Dataset, Validation
from spiketune.data.splits import Labelled, Splits, TestPermit, check_permit, split
from spiketune.errors import ConfigError, DatasetError, UnknownNameError

ENTRY_POINTS: Final = "spiketune.datasets"

Progress = Callable[[str, int, int | None], None]
"""Called with what is being fetched, bytes so far, and bytes in all where known."""


def no_progress(name: str, done: int, total: int | None) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a data set brings; third parties register one by entry point.

    Attributes:
        name: As in `trial.dataset.name`.
        summary: One line for a person.
        labelled: All samples that are not test samples.
        test: The test samples; called through `load_test` only.
        validation: The data set's own validation split, if it has one.
        usual_share: Share taken off for validation where the configuration gives none.
        prepare: Fetches and converts, so that loading is quick and needs no network.
        keys: Keys of `trial.dataset` that it understands and most do not: `frames` for every
            set of events, `size`, `channels`.
        usual_group: What whole groups are held out of for validation, where the configuration
            does not say how; None for samples drawn within each class.
    """

    name: str
    summary: str
    labelled: Callable[[Dataset], Labelled]
    test: Callable[[Dataset], Labelled]
    validation: Callable[[Dataset], Labelled] | None = None
    usual_share: float = 0.2
    prepare: Callable[[Dataset, Progress], None] | None = None
    keys: frozenset[str] = frozenset()
    usual_group: str | None = None

    @property
    def has_events(self) -> bool:
        """Whether its samples are recordings of events instead of values."""
        return "frames" in self.keys


def _builtin() -> dict[str, DataSet]:
    from spiketune.data.digits import DIGITS
    from spiketune.data.dvs_gesture import DVS_GESTURE
    from spiketune.data.mnist import MNIST
    from spiketune.data.mnist_16 import MNIST_16
    from spiketune.data.nmnist import NMNIST
    from spiketune.data.patterns import BARS, PATTERN, XOR
    from spiketune.data.shd import SHD, SSC
    from spiketune.data.yin_yang import YIN_YANG

    known = (DIGITS, DVS_GESTURE, MNIST, MNIST_16, NMNIST, SHD, SSC, YIN_YANG, BARS, PATTERN, XOR)
    return {data_set.name: data_set for data_set in known}


def datasets() -> Mapping[str, DataSet]:
    """Every data set there is: ours, then those of installed packages."""
    known = _builtin()
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name not in known:
            known[entry.name] = entry.load()
    return known


def get_dataset(name: str) -> DataSet:
    """The data set of that name.

    Raises:
        UnknownNameError: If there is none.
    """
    known = _builtin()
    if name not in known:
        known = dict(datasets())
    if name not in known:
        raise UnknownNameError("data set", name, known)
    return known[name]


def prepare(config: Dataset, progress: Progress = no_progress) -> Splits:
    """Fetch, check and convert a data set, so that workers load it in milliseconds.

    Returns:
        Training and validation split.

    Raises:
        UnknownNameError: If there is no such data set.
        DatasetError: If its files are missing, cut short or wrong.
        ConfigError: If a key does not suit it, or its validation split cannot be taken as
            configured.
    """
    data_set = get_dataset(config.name)
    _check_keys(config, data_set)
    if data_set.prepare is not None:
        data_set.prepare(config, progress)
    return load(config)


def load(config: Dataset) -> Splits:
    """Training and validation split; opens no test file.

    Raises:
        UnknownNameError: If there is no such data set.
        DatasetError: If its files are missing, cut short or wrong.
        ConfigError: If a key does not suit it, or its validation split cannot be taken as
            configured.
    """
    seed = config.validation.seed
    return _splits(config).with_train_share(config.train_share, seed)


def _splits(config: Dataset) -> Splits:
    data_set = get_dataset(config.name)
    _check_keys(config, data_set)
    if data_set.validation is None:
        rule = _usual(config.validation, data_set)
        return split(data_set.labelled(config), rule, data_set.usual_share)
    if config.validation.share is not None or config.validation.kind != "stratified":
        raise ConfigError(
            "trial.dataset.validation",
            f"'{config.name}' has a validation split of its own; leave this section out",
        )
    train, validation = data_set.labelled(config), data_set.validation(config)
    return Splits(train, validation, int(train.labels.max()) + 1)


def load_test(config: Dataset, permit: TestPermit) -> Labelled:
    """The test split, for one who holds a permit.

    Raises:
        TestSplitError: If `permit` is anything but a journalled permit.
        DatasetError: If its files are missing, cut short or wrong.
        ConfigError: If a key does not suit the data set.
    """
    check_permit(permit)
    data_set = get_dataset(config.name)
    _check_keys(config, data_set)
    test = data_set.test(config)
    if not len(test):
        raise DatasetError(f"the data set '{config.name}' has no test samples")
    return test


def _check_keys(config: Dataset, data_set: DataSet) -> None:
    for key in ("frames", "size", "channels"):
        if getattr(config, key) is not None and key not in data_set.keys:
            users = [name for name, other in _builtin().items() if key in other.keys]
            raise ConfigError(
                f"trial.dataset.{key}",
                f"'{data_set.name}' has no use for it; leave it out. It is for "
                f"{', '.join(users) or 'no data set'}",
            )
    if data_set.has_events and "encoding" in config.model_fields_set:
        raise ConfigError(
            "trial.dataset.encoding",
            f"'{data_set.name}' consists of events, which are spikes already; leave it out. "
            "`frames` says how events that fall together count",
        )


def _usual(validation: Validation, data_set: DataSet) -> Validation:
    if data_set.usual_group is None or "kind" in validation.model_fields_set:
        return validation
    return validation.model_copy(update={"kind": "group", "group": data_set.usual_group})
