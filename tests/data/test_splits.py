"""Splits, and the guard before the test split."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketune.config.training import Dataset, Validation
from spiketune.data.registry import load_test
from spiketune.data.splits import Labelled, TestPermit, split, stratified
from spiketune.errors import ConfigError, TestSplitError

LABELS = np.repeat(np.arange(4), [40, 30, 20, 10])
SPEAKERS = np.tile(np.array(["ann", "bob", "cem", "dot", "eve"]), 20)
DATA = Labelled(np.arange(100.0)[:, None], LABELS, groups={"speaker": SPEAKERS})


def test_last_takes_the_last_samples_by_index() -> None:
    found = split(DATA, Validation(kind="last", share=0.08))
    assert found.validation.inputs[:, 0].tolist() == list(range(92, 100))
    assert len(found.train) == 92
    assert found.n_classes == 4


def test_stratified_takes_the_same_share_of_each_class_and_loses_nothing() -> None:
    found = split(DATA, Validation(share=0.2))
    assert np.bincount(found.validation.labels).tolist() == [8, 6, 4, 2]
    together = np.concatenate([found.train.inputs, found.validation.inputs])
    assert sorted(together[:, 0]) == list(range(100))


def test_a_stratified_split_depends_on_its_seed_alone() -> None:
    first, again, other = (split(DATA, Validation(seed=s)).validation.inputs for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_group_holds_out_whole_groups() -> None:
    found = split(DATA, Validation(kind="group", group="speaker", share=0.4))
    held_out = set(found.validation.groups["speaker"])
    assert len(held_out) == 2
    assert not held_out & set(found.train.groups["speaker"])


def test_a_grouping_that_the_data_lack_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"validation\.group: .* 'subject'. Known: speaker"):
        split(DATA, Validation(kind="group", group="subject"))


def test_without_a_share_the_usual_one_is_taken() -> None:
    assert len(split(DATA, Validation(), usual_share=0.25).validation) == 25


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="leaves 100 training and 0 validation samples"):
        split(DATA, Validation(kind="last", share=0.001))


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=200),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
@settings(max_examples=100, derandomize=True, deadline=None)
def test_a_stratified_share_is_exact_in_total_and_within_one_per_class(
    labels: list[int], share: float, seed: int
) -> None:
    given_labels = np.array(labels)
    marked = stratified(given_labels, share, np.random.default_rng(seed))
    assert marked.sum() == round(share * len(labels))
    for label in set(labels):
        of_class = given_labels == label
        assert abs(marked[of_class].sum() - share * of_class.sum()) < 1.0 + 1e-9


def test_a_permit_is_on_record_before_it_is_given() -> None:
    records: list[dict[str, str]] = []
    permit = TestPermit.journalled(
        reason="retrain trial 12",
        record=records.append,
        now=lambda: datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    expected = {"reason": "retrain trial 12", "opened_at": "2025-01-02T03:04:05+00:00"}
    assert records == [expected]
    assert (permit.reason, permit.opened_at) == tuple(expected.values())
    assert len(load_test(Dataset(name="digits"), permit)) == 359


def test_no_permit_is_given_when_the_record_fails() -> None:
    def record(entry: dict[str, str]) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        TestPermit.journalled(reason="x", record=record)


@pytest.mark.parametrize("permit", [None, True, "please", {"reason": "x", "opened_at": "y"}])
def test_the_test_split_stays_shut_without_a_permit(permit: object) -> None:
    with pytest.raises(TestSplitError, match="opens only for `spiketune retrain`"):
        load_test(Dataset(name="digits"), permit)  # type: ignore[arg-type]


def test_a_permit_made_by_hand_is_refused() -> None:
    with pytest.raises(TestSplitError):
        TestPermit("curious", "2025-01-02")
