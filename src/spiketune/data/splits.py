"""Splits of a data set, and the permit without which the test split stays shut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketune.config.training import Validation
from spiketune.data.events import Events
from spiketune.errors import ConfigError, TestSplitError
from spiketune.seeding import child_seed

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Samples with their labels.

    Attributes:
        inputs: (n, ...), unsigned bytes, floats or events.
        labels: Class of each sample from 0 on, (n,), int64.
        full_scale: The input value that means 1; inputs divided by it lie in [0, 1].
        groups: What samples can be grouped by (say, `speaker`), each (n,).
    """

    inputs: NDArray[Any] | Events
    labels: NDArray[np.int64]
    full_scale: float = 1.0
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.inputs.shape[1:])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of a sample as networks see it: (N,), or (C, H, W); grey has one channel."""
        return (1, *self.shape) if len(self.shape) == 2 else self.shape

    def take(self, which: Indices | slice) -> Labelled:
        """Some of the samples; a slice shares memory."""
        groups = {name: values[which] for name, values in self.groups.items()}
        return Labelled(self.inputs[which], self.labels[which], self.full_scale, groups)


@dataclass(frozen=True, slots=True)
class Splits:
    """What a training may see: never the test split."""

    train: Labelled
    validation: Labelled
    n_classes: int

    def with_train_share(self, share: float, seed: int) -> Splits:
        """The same with a share of the training samples, at least one.

        The samples of a smaller share are among those of a larger one with the same seed.
        """
        if share == 1.0:
            return self
        rng = np.random.default_rng(child_seed(seed, "train_share"))
        n = max(1, int(share * len(self.train)))
        kept = np.sort(rng.permutation(len(self.train))[:n])
        return Splits(self.train.take(kept), self.validation, self.n_classes)


def split(data: Labelled, config: Validation, usual_share: float = 0.2) -> Splits:
    """Take the validation split off labelled data.

    Args:
        data: All samples that are not test samples.
        config: Which samples, how many, and the seed.
        usual_share: Share where the configuration gives none.

    Raises:
        ConfigError: If the data have no such grouping, or a split would be empty.
    """
    share = usual_share if config.share is None else config.share
    n_classes = int(data.labels.max()) + 1
    if config.kind == "last":
        first = len(data) - round(share * len(data))
        train, validation = data.take(slice(first)), data.take(slice(first, None))
    else:
        held_out = _held_out(data, config, share)
        train = data.take(np.flatnonzero(~held_out))
        validation = data.take(np.flatnonzero(held_out))
    if not len(train) or not len(validation):
        raise ConfigError(
            "trial.dataset.validation",
            f"leaves {len(train)} training and {len(validation)} validation samples of "
            f"{len(data)}; change `share`",
        )
    return Splits(train, validation, n_classes)


def _held_out(data: Labelled, config: Validation, share: float) -> NDArray[np.bool_]:
    rng = np.random.default_rng(child_seed(config.seed, "validation", config.kind))
    if config.kind == "stratified":
        return stratified(data.labels, share, rng)
    if config.group is None or config.group not in data.groups:
        known = ", ".join(sorted(data.groups)) or "none"
        raise ConfigError(
            "trial.dataset.validation.group",
            f"the data set has no grouping '{config.group}'. Known: {known}",
        )
    return whole_groups(data.groups[config.group], share, rng)


def stratified(
    labels: NDArray[np.int64], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Mark a share of the samples of each class; the total is round(share * n).

    Args:
        labels: (n,).
        share: In (0, 1).
        rng: Draws the samples.

    Returns:
        (n,).
    """
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * share
    sizes = np.floor(exact).astype(int)
    missing = round(share * len(labels)) - int(sizes.sum())
    sizes[np.argsort(sizes - exact, kind="stable")[:missing]] += 1
    marked = np.zeros(len(labels), dtype=bool)
    for label, size in zip(classes, sizes, strict=True):
        marked[rng.permutation(np.flatnonzero(labels == label))[:size]] = True
    return marked


def whole_groups(groups: NDArray[Any], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark the samples of groups drawn one by one until `share` of the samples is reached.

    At least one group is marked and at least one is not.
    """
    names, counts = np.unique(groups, return_counts=True)
    order = rng.permutation(len(names))
    reached = np.cumsum(counts[order])
    n_marked = int(np.searchsorted(reached, share * len(groups))) + 1
    return np.isin(groups, names[order[: min(n_marked, len(names) - 1)]])


_MAKER = object()


@dataclass(frozen=True, slots=True)
class TestPermit:
    """Leave to open the test split, on record before it is given; see `journalled`.

    Attributes:
        reason: Why it is opened.
        opened_at: When, ISO 8601 in UTC.
    """

    __test__ = False  # its name looks like a test class to pytest

    reason: str
    opened_at: str
    maker: object = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.maker is not _MAKER:
            raise TestSplitError(
                "the test split opens only for `spiketune retrain`, which puts it on record"
            )

    @classmethod
    def journalled(
        cls,
        *,
        reason: str,
        record: Callable[[dict[str, str]], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> TestPermit:
        """A permit, after `record` has written down the opening."""
        opened_at = now().isoformat(timespec="seconds")
        record({"reason": reason, "opened_at": opened_at})
        return cls(reason, opened_at, _MAKER)


def check_permit(permit: object) -> None:
    """Raise unless this is a permit made by `TestPermit.journalled`.

    Raises:
        TestSplitError: If it is anything else.
    """
    if not isinstance(permit, TestPermit):
        raise TestSplitError(
            "the test split opens only for `spiketune retrain`, which puts it on record"
        )
